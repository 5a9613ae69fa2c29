/** The published command line, as users start it: its verdicts, and the compiled code it keeps between runs. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { trustedRootJson } from '#formats/trusted-root';
import { type RunResult, run } from '#platform/process';
import { commandLine } from '../../build/command-line.ts';
import { ISSUER, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-published-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => join(folder, ...names);
await commandLine(at('dist'), '1.2.3');

const stack = new VirtualStack();
const { bytes, artifact } = stack.sign({ tsas: [] });
writeFileSync(at('root.json'), trustedRootJson(stack.root));
writeFileSync(at('bundle.json'), bytes);
writeFileSync(at('artifact'), artifact);
writeFileSync(at('other'), 'another artifact');

let homes = 0;
/** A home of its own, with the cache folder nobody else can write to. */
function newHome(): string {
  const home = at(`home-${homes++}`);
  mkdirSync(join(home, '.cache'), { recursive: true, mode: 0o700 });
  return home;
}

const published = (
  home: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<RunResult> =>
  run(process.execPath, [at('dist', 'bin', 'waybill'), ...words], {
    env: { HOME: home, ...env },
    timeoutMs: 300_000,
  });

const verify = (file: string, san: string): readonly string[] => [
  ...['verify-blob', at(file), '--bundle', at('bundle.json'), '--trusted-root', at('root.json')],
  ...['--certificate-identity', san, '--certificate-oidc-issuer', ISSUER],
];

/** Accepted, and refused for identity and for content. */
async function verdictsIn(home: string, env: Record<string, string> = {}): Promise<void> {
  assert.equal((await published(home, verify('artifact', SUBJECT), env)).code, 0);
  const stranger = await published(home, verify('artifact', 'eve@acme.example'), env);
  assert.deepEqual([stranger.code, /WB-351/.test(stranger.stderr)], [14, true], stranger.stderr);
  const other = await published(home, verify('other', SUBJECT), env);
  assert.deepEqual([other.code, /WB-303/.test(other.stderr)], [12, true], other.stderr);
}

const keptIn = (home: string): string[] => readdirSync(join(home, '.cache', 'waybill', 'compiled'));

test('it says its version, and its verdicts are the same with kept code and without', async () => {
  const home = newHome();
  const version = await published(home, ['version']);
  assert.equal(version.stdout.trim(), '1.2.3');
  await verdictsIn(home);
  const [kept] = keptIn(home).filter((name) => name.endsWith('-verify-blob'));
  assert.ok(kept !== undefined, 'the code of a run that ended well is kept');
  await verdictsIn(home);
  await verdictsIn(home, { NODE_DISABLE_COMPILE_CACHE: '1' });
});

test('kept code that is damaged, of another bundle or cut short is made anew', async () => {
  const home = newHome();
  await published(home, verify('artifact', SUBJECT));
  const [name] = keptIn(home) as [string];
  const file = join(home, '.cache', 'waybill', 'compiled', name);
  const good = readFileSync(file);
  const flipped = Buffer.from(good);
  flipped[good.length >> 1] = (flipped[good.length >> 1] as number) ^ 0xff;
  for (const bad of [flipped, good.subarray(0, 100), Buffer.alloc(0), Buffer.from('nonsense')]) {
    writeFileSync(file, bad);
    await verdictsIn(home);
    assert.ok(readFileSync(file).length > 10_000, 'it was replaced');
  }
});

test('nothing is kept where others can write, behind a link, or in a pipeline', async () => {
  const shared = newHome();
  chmodSync(join(shared, '.cache'), 0o777);
  await verdictsIn(shared);
  assert.deepEqual(readdirSync(join(shared, '.cache')), []);
  const linked = newHome();
  mkdirSync(at('elsewhere'));
  mkdirSync(join(linked, '.cache', 'waybill'), { mode: 0o700 });
  symlinkSync(at('elsewhere'), join(linked, '.cache', 'waybill', 'compiled'));
  await verdictsIn(linked);
  assert.deepEqual(readdirSync(at('elsewhere')), []);
  const fresh = at('fresh');
  mkdirSync(fresh, { mode: 0o700 });
  await published(fresh, verify('artifact', SUBJECT));
  const [name] = keptIn(fresh) as [string];
  const file = join(fresh, '.cache', 'waybill', 'compiled', name);
  rmSync(file);
  symlinkSync('/dev/zero', file);
  await verdictsIn(fresh);
  rmSync(file, { force: true });
  mkdirSync(file);
  await verdictsIn(fresh);
  assert.deepEqual(keptIn(fresh), [name], 'no draft is left where the code cannot be kept');
  const pipeline = newHome();
  await verdictsIn(pipeline, { CI: 'true' });
  assert.deepEqual(readdirSync(join(pipeline, '.cache')), []);
});
