/**
 * The published command line, as users start it: its verdicts, the compiled code it keeps between runs, and what it
 * loads before a verdict: counted, because time says more about the machine.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
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

const launcher = at('dist', 'bin', 'waybill');
writeFileSync(at('empty.cjs'), '');
// What was loaded, at the end of a run.
writeFileSync(
  at('loaded.cjs'),
  "process.on('exit', () => require('node:fs').writeFileSync(process.env.LOADED, JSON.stringify({" +
    'parts: process.moduleLoadList, files: Object.keys(require.cache) })));',
);

interface Loaded {
  /** Modules of Node, its inner ones too: `NativeModule net`. */
  readonly parts: readonly string[];
  readonly files: readonly string[];
}

async function loadedBy(home: string, words: readonly string[]): Promise<Loaded> {
  const result = await run(process.execPath, ['--require', at('loaded.cjs'), ...words], {
    env: { HOME: home, LOADED: at('loaded.json') },
    timeoutMs: 60_000,
  });
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(readFileSync(at('loaded.json'), 'utf8')) as Loaded;
}

/** Cryptography and the streams it is built on; what runs a script; nothing for networks, threads or terminals. */
const needed =
  /^(?:Internal Binding (?:crypto|fs_dir)|NativeModule (?:(?:internal\/)?(?:crypto|streams?)(?:\/.*)?|string_decoder|internal\/abort_controller|internal\/fs\/dir|vm|process))$/;

test('a verdict about a file loads cryptography and no more of Node, with kept code and without', async () => {
  const home = newHome();
  const always = new Set((await loadedBy(home, [at('empty.cjs')])).parts);
  for (const name of ['first', 'second']) {
    const { parts } = await loadedBy(home, [launcher, ...verify('artifact', SUBJECT)]);
    assert.ok(parts.includes('NativeModule crypto'), 'they are listed');
    const more = parts.filter((part) => !always.has(part) && !needed.test(part));
    assert.deepEqual(more, [], `${name} run`);
  }
});

test('it reads one bundle, which holds little beside the verifier; packages few need stand apart', async () => {
  const home = newHome();
  const apart = ['edwards.cjs', 're2js.cjs', 'tuf.cjs'];
  const exact = (await loadedBy(home, [launcher, ...verify('artifact', SUBJECT)])).files;
  assert.deepEqual(
    exact.filter((file) => apart.some((name) => file.endsWith(name))),
    [],
  );
  const byPattern = verify('artifact', 'dev@acme\\.example').map((word) =>
    word === '--certificate-identity' ? `${word}-regexp` : word,
  );
  const pattern = (await loadedBy(home, [launcher, ...byPattern])).files;
  assert.deepEqual(pattern.filter((file) => file.endsWith('re2js.cjs')).length, 1);
  const sizeOf = (name: string): number => statSync(at('dist', 'lib', 'cli', name)).size;
  assert.ok(sizeOf('verify-blob.cjs') < 280_000, `${sizeOf('verify-blob.cjs')} bytes`);
  assert.ok(sizeOf('verify.cjs') < 420_000, `${sizeOf('verify.cjs')} bytes`);
  const [kept] = keptIn(home) as [string];
  const keptBytes = statSync(join(home, '.cache', 'waybill', 'compiled', kept)).size;
  assert.ok(keptBytes < 620_000, `${keptBytes} bytes of kept code`);
});
