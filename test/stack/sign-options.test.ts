/** Options that must not be dropped, guessed or noticed too late when somebody signs. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { waybillHere } from '../cli/here.ts';
import { ada, startStack, temporaryFolder } from './helper.ts';

const stack = await startStack();
const folder = await temporaryFolder();
const at = (name: string): string => join(folder, name);
await writeFile(at('file'), 'content');
await mkdir(at('taken'));

const token = async (): Promise<string> => (await stack.mint({ sub: ada, email: ada })).reveal();
const sign = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  waybillHere(['sign-blob', at('file'), ...args], {
    env: { ...process.env, HOME: folder, WAYBILL_STACK: stack.dataDir, ...env },
  });
const entries = async (): Promise<number> =>
  ((await (await fetch(`${stack.origins.log}/api/v1/log`)).json()) as { treeSize: number }).treeSize;

test('an empty token is refused, whatever else the surroundings offer', async () => {
  const ran = await sign(['--identity-token', ''], { SIGSTORE_ID_TOKEN: await token() });
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /expected:\s+--identity-token with a value/);
});

test('an empty file argument is refused as such', async () => {
  const ran = await waybillHere(['sign-blob', ''], { env: { ...process.env, WAYBILL_STACK: stack.dataDir } });
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /expected:\s+<file> with a value/);
});

for (const place of ['missing/bundle', 'taken', 'file/bundle']) {
  test(`a bundle that cannot be kept at ${place} is noticed before anything is logged`, async () => {
    const before = await entries();
    const ran = await sign(['--identity-token', await token(), '--bundle', at(place)]);
    assert.equal(ran.code, 3, ran.stderr);
    assert.match(ran.stderr, /WB-209/);
    assert.equal(await entries(), before);
  });
}

test('--log-version 2 takes the signing config of a stack that names such a log', async () => {
  const ran = await sign(['--identity-token', await token(), '--log-version', '2', '--bundle', at('two')]);
  assert.equal(ran.code, 0, ran.stderr);
  const { tlogEntries } = unwrap(parseBundle(await readFile(at('two'))));
  assert.deepEqual([tlogEntries[0]?.kind, tlogEntries[0]?.version], ['hashedrekord', '0.0.2']);
});

test('a signing config without such a log is told, and which would do', async () => {
  const config = join(stack.dataDir, 'public/signing_config.v0.2.json');
  const ran = await sign([
    '--identity-token',
    await token(),
    '--log-version',
    '2',
    '--signing-config',
    config,
  ]);
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /signing_config_rekor_v2\.v0\.2\.json/);
});

test('a signing config that is none is named itself', async () => {
  const ran = await sign(['--identity-token', await token(), '--signing-config', at('file')]);
  assert.equal(ran.code, 16);
  assert.ok(ran.stderr.includes(`${at('file')} to hold a signing config`), ran.stderr);
});

test('what only a certificate has is refused beside a key', async () => {
  const ran = await sign(['--key', at('file'), '--identity-token', await token()]);
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /--key and --identity-token/);
});
