/** Real rekor-cli against the log's v1 API: what it verifies, finds and uploads. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { ada, personSigner, startStack, statement, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('rekor-cli');
const stack = await startStack();
const home = await temporaryFolder();
const artifact = join(home, 'artifact');
await writeFile(artifact, 'an artifact');
const artifactBytes = utf8('an artifact');

async function rekor(...args: string[]): Promise<Ran> {
  const ran = await runProgram(binary, ['--rekor_server', stack.origins.log, '--format', 'json', ...args], {
    HOME: home,
  });
  return ran;
}

async function passes(...args: string[]): Promise<unknown> {
  const ran = await rekor(...args);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout.trim() === '' ? undefined : JSON.parse(ran.stdout);
}

const signer = await personSigner(stack);

test('rekor-cli verifies the log head, and that a later one extends it', async () => {
  await signer.sign({ kind: 'message', bytes: artifactBytes });
  const before = (await passes('loginfo')) as { ActiveTreeSize: number };
  await signer.sign({ kind: 'message', bytes: artifactBytes });
  const later = (await passes('loginfo')) as { ActiveTreeSize: number };
  assert.equal(later.ActiveTreeSize, before.ActiveTreeSize + 1);
});

test('rekor-cli finds an entry by artifact, by digest and by identity, and verifies its proof', async () => {
  const { entries } = await signer.sign({ kind: 'message', bytes: artifactBytes });
  const index = String(entries[0]?.logIndex);
  const found = async (...args: string[]): Promise<string[]> =>
    ((await passes('search', ...args)) as { UUIDs: string[] }).UUIDs;
  const byArtifact = await found('--artifact', artifact);
  assert.deepEqual(await found('--sha', toHex(sha256(artifactBytes))), byArtifact);
  const byEmail = await found('--email', ada);
  for (const uuid of byArtifact) assert.ok(byEmail.includes(uuid));
  const got = (await passes('get', '--uuid', byArtifact.at(-1) ?? '')) as { LogIndex: number };
  assert.equal(String(got.LogIndex), index);
  await passes('verify', '--log-index', index);
});

test('rekor-cli finds an attestation by the digest of its subject', async () => {
  const hex = toHex(sha256(utf8('a subject')));
  await signer.sign(statement(hex));
  const { UUIDs } = (await passes('search', '--sha', hex)) as { UUIDs: string[] };
  assert.equal(UUIDs.length, 1);
});

test('rekor-cli uploads a signature by a bare key and verifies it', async () => {
  const key = generateKey('p256');
  const files = { signature: join(home, 'signature'), key: join(home, 'key.pub') };
  await writeFile(files.signature, key.sign(artifactBytes));
  await writeFile(files.key, publicKeyPem(key.publicKey));
  const about = [
    ...['--artifact', artifact, '--signature', files.signature],
    ...['--type', 'hashedrekord', '--pki-format', 'x509', '--public-key', files.key],
  ];
  await passes('upload', ...about);
  await passes('verify', ...about);
  await writeFile(files.signature, generateKey('p256').sign(artifactBytes));
  assert.notEqual((await rekor('upload', ...about)).code, 0);
});
