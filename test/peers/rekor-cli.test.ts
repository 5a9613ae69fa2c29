/** Real rekor-cli against the log's v1 API: what it verifies, finds and uploads. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromBase64, toHex, utf8, utf8Text } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { parseCertificate } from '#formats/x509';
import { attested, pushedImage, signed } from '../services/audit-fixture.ts';
import { call } from '../services/log-fixture.ts';
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

interface Got {
  readonly LogIndex: number;
  readonly UUID: string;
  readonly LogID: string;
  readonly IntegratedTime: number;
  readonly Body: {
    readonly HashedRekordObj?: { readonly signature: { readonly publicKey: { readonly content: string } } };
    readonly DSSEObj?: { readonly signatures: readonly { readonly verifier: string }[] };
  };
}

/** Who signed, as an auditor reads it out of an entry. */
function identityIn({ Body }: Got): string | undefined {
  const pem = Body.HashedRekordObj?.signature.publicKey.content ?? Body.DSSEObj?.signatures[0]?.verifier;
  const [block] = unwrap(pemDecode(utf8Text(fromBase64(pem ?? assert.fail('no verifier')))));
  return unwrap(parseCertificate(block.der)).sans[0]?.value;
}

test('rekor-cli finds plain signatures and statements by the digest of the image, and none of another', async () => {
  const [image, other] = [await pushedImage(stack, 'app'), await pushedImage(stack, 'other')];
  await signed(stack, image, 'legacy');
  await signed(stack, other, 'both', { email: 'eve@example.com' });
  await attested(stack, image);
  await attested(stack, image, 2);
  const search = async (...args: string[]): Promise<string[]> =>
    ((await passes('search', ...args)) as { UUIDs: string[] }).UUIDs;
  const uuids = await search('--sha', image.digest);
  const entries = await Promise.all(uuids.map(async (uuid) => (await passes('get', '--uuid', uuid)) as Got));
  assert.deepEqual(entries.flatMap((entry) => Object.keys(entry.Body)).sort(), [
    'DSSEObj',
    'HashedRekordObj',
  ]);
  assert.deepEqual(entries.map(identityIn), [ada, ada]);
  for (const entry of entries) {
    const byIndex = (await passes('get', '--log-index', String(entry.LogIndex))) as Got;
    assert.deepEqual(byIndex, entry);
    await passes('verify', '--uuid', entry.UUID);
  }
  // The prefix is optional, and a further condition narrows.
  assert.deepEqual(await search('--sha', image.digest.slice(7)), uuids);
  assert.deepEqual(await search('--sha', image.digest, '--email', ada, '--operator', 'and'), uuids);
  const others = await search('--sha', other.digest);
  assert.equal(others.length, 2);
  assert.ok(!others.some((uuid) => uuids.includes(uuid)));
  const eve = ['--email', 'eve@example.com', '--operator', 'and'];
  const nothing = await rekor('search', '--sha', image.digest, ...eve);
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /no matching entries found/);
});

test('rekor-cli searches by subject: e-mail addresses and workflows', async () => {
  const email = 'grace@example.com';
  await (await personSigner(stack, 1, email)).sign({ kind: 'message', bytes: utf8('by grace') });
  const { UUIDs } = (await passes('search', '--subject', 'GRACE@example.com')) as { UUIDs: string[] };
  assert.equal(UUIDs.length, 1);
  assert.equal(identityIn((await passes('get', '--uuid', UUIDs[0] ?? '')) as Got), email);
});

test('rekor-cli verifies that one size of the log extends another', async () => {
  const { ActiveTreeSize: size } = (await passes('loginfo')) as { ActiveTreeSize: number };
  const proof = (await passes('logproof', '--first-size', '1', '--last-size', String(size))) as {
    readonly Hashes: readonly string[];
    readonly RootHash: string;
  };
  const head = (await passes('loginfo')) as { readonly RootHash: string };
  assert.equal(proof.RootHash, head.RootHash);
  assert.ok(proof.Hashes.length > 0);
  assert.notEqual((await rekor('logproof', '--first-size', '1', '--last-size', String(size + 1))).code, 0);
});

test('rekor-cli prints what people read, without --format json', async () => {
  const plain = (...args: string[]): Promise<Ran> =>
    runProgram(binary, ['--rekor_server', stack.origins.log, ...args], { HOME: home });
  const info = await plain('loginfo');
  assert.match(info.stdout, /^Verification Successful!\nActive Tree Size: +\d+/);
  const got = await plain('get', '--log-index', '0');
  assert.match(got.stdout, /LogID: [0-9a-f]{64}\n[\s\S]*Index: 0\n[\s\S]*"HashedRekordObj"/);
  const tle = await plain('get', '--log-index', '0', '--format', 'tle');
  assert.equal((JSON.parse(tle.stdout) as { logIndex: string }).logIndex, '0');
});

test('rekor-cli refuses an entry whose body was changed on the way', async () => {
  const { text } = await call(`${stack.origins.log}/api/v1/log/entries?logIndex=0`);
  const forged = text.replace(
    /"body":"(.{40})(.)/,
    (_all, start: string, next: string) => `"body":"${start}${next === 'A' ? 'B' : 'A'}`,
  );
  const answer = async (url: string, response: ServerResponse): Promise<void> => {
    const given = await fetch(`${stack.origins.log}${url}`);
    response.writeHead(given.status, { 'content-type': given.headers.get('content-type') ?? '' });
    response.end(url.startsWith('/api/v1/log/entries') ? forged : await given.text());
  };
  const proxy = createServer((request, response) => {
    answer(request.url ?? '', response).catch(() => response.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const args = ['get', '--log-index', '0', '--format', 'json'];
  const ran = await runProgram(binary, ['--rekor_server', `http://127.0.0.1:${port}`, ...args], {
    HOME: home,
  });
  proxy.close();
  assert.deepEqual([ran.code, ran.stdout], [1, '']);
  assert.match(ran.stderr, /does not match expected root/);
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
  const uploaded = (await passes('upload', ...about)) as { readonly AlreadyExists: boolean };
  assert.equal(uploaded.AlreadyExists, false);
  await passes('verify', ...about);
  const again = (await passes('upload', ...about)) as { readonly AlreadyExists: boolean };
  assert.equal(again.AlreadyExists, true);
  await writeFile(files.signature, generateKey('p256').sign(artifactBytes));
  assert.notEqual((await rekor('upload', ...about)).code, 0);
});
