/** One passphrase for every key of a stack, and for stations of their own whatever their kind. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { httpTransport } from '#platform/http-client';
import { initStation, oidcParts, tufParts } from '#stack';
import { tellIn } from '../cli/in-process.ts';
import { ada, message, signerOf, startStack, temporaryFolder } from './helper.ts';
import { stationSettings } from './serve-fixture.ts';

const passphrase = new Secret('correct horse');
const refused = (error: unknown): boolean => error instanceof WaybillError && error.reason.code === 'WB-219';

/** Every private key below a folder, and whether it is encrypted. */
async function keysIn(dir: string): Promise<ReadonlyMap<string, boolean>> {
  const found = new Map<string, boolean>();
  for (const name of await readdir(dir, { recursive: true })) {
    if (!/\.(?:key|pem)$/.test(name)) continue;
    const text = await readFile(join(dir, name), 'utf8');
    if (text.includes('PRIVATE KEY')) found.set(name, text.includes('BEGIN ENCRYPTED PRIVATE KEY'));
  }
  return found;
}

test('a stack with plain keys goes on with the same ones encrypted, and then starts with the passphrase alone', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  const first = await startStack({ dataDir, tls: true });
  const { trustedRoot } = first.published;
  await first.close();
  const plain = await keysIn(dataDir);
  assert.ok(plain.size >= 11, [...plain.keys()].join());
  assert.ok([...plain.values()].every((isEncrypted) => !isEncrypted));
  const second = await startStack({ dataDir, passphrase });
  assert.deepEqual(second.published.trustedRoot, trustedRoot);
  await second.rotation.rotate({ station: 'tsa', overlapMs: 0 });
  await second.stations.tuf.rotate('online');
  await second.close();
  const protected_ = await keysIn(dataDir);
  assert.deepEqual(
    [...protected_].filter(([, isEncrypted]) => !isEncrypted),
    [],
  );
  assert.ok(protected_.size > plain.size, 'new generations too');
  await assert.rejects(startStack({ dataDir }), refused);
  await assert.rejects(startStack({ dataDir, passphrase: new Secret('another') }), refused);
  const third = await startStack({ dataDir, passphrase });
  const transport = httpTransport({ caFile: join(dataDir, 'public', 'tls-ca.pem') });
  const token = () => third.mint({ sub: ada, email: ada });
  const signer = signerOf(third, { kind: 'token', token }, { transport });
  assert.equal((await signer.sign(message('still'))).verdict.outcome, 'accepted');
  await third.close();
});

test('the TUF and the development station keep their keys under the passphrase as the others do', async () => {
  const dir = await temporaryFolder();
  const settings = (name: string) => ({ ...stationSettings(dir, name), passphrase });
  const listen = { host: '127.0.0.1', port: 0 };
  await initStation('oidc', settings('oidc'), (deps) => oidcParts({ listen }, deps));
  const file = join(dir, 'passphrase');
  await writeFile(file, 'correct horse\n', { mode: 0o600 });
  const words = ['serve', 'tsa', '--init', '--data', join(dir, 'tsa'), '--passphrase-file', file];
  assert.equal((await tellIn({ cwd: dir }, words)).exit, 0);
  const keys = await keysIn(dir);
  assert.deepEqual([...keys.keys()].toSorted(), [
    'oidc/keys/issuer.key',
    'tsa/keys/root.key',
    'tsa/keys/tsa.key',
  ]);
  assert.ok([...keys.values()].every(Boolean));
  await assert.rejects(
    initStation('oidc', stationSettings(dir, 'oidc'), (deps) => oidcParts({ listen }, deps)),
    refused,
  );
  await initStation('tuf', settings('tuf'), (deps) => tufParts({}, deps));
});
