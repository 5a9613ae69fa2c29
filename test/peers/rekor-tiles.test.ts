/**
 * Request by request, the real Rekor v2 and our log with API v2: the same leaves and the same form of answer for good
 * ones, the same status, number and words for bad ones, ours with its own code behind them.
 */
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, hash, type PrivateKey } from '#base/crypto';
import { certified } from '../services/log-fixture.ts';
import { assertAlike, errorOf } from './bad-input.ts';
import { type Asked, ask } from './fulcio-world.ts';
import { rekorTilesWorld } from './rekor-tiles-world.ts';

const world = await rekorTilesWorld();
const path = '/api/v2/log/entries';

type HashName = 'sha256' | 'sha384' | 'sha512';
interface Proposal {
  readonly digest: string;
  readonly signature: {
    readonly content: string;
    readonly verifier: Readonly<Record<string, unknown>>;
  };
}

const proposal = (
  digest: Uint8Array,
  content: Uint8Array,
  verifier: Proposal['signature']['verifier'],
): Proposal => ({
  digest: toBase64(digest),
  signature: { content: toBase64(content), verifier },
});
const spki = (key: PrivateKey): object => ({ publicKey: { rawBytes: toBase64(key.publicKey.spki) } });
let count = 0;
const fresh = (): Uint8Array => utf8(`artifact ${count++}`);

function signedBy(key: PrivateKey, keyDetails: string, name: HashName = 'sha256'): Proposal {
  const artifact = fresh();
  return proposal(hash(name, artifact), key.sign(artifact, name), { ...spki(key), keyDetails });
}
const wrap = (hashedRekordRequestV002: unknown): object => ({ hashedRekordRequestV002 });
const key = generateKey('p256');
const P256 = 'PKIX_ECDSA_P256_SHA_256';
const certificate = certified();
const content = fresh();

const good: Readonly<Record<string, () => object>> = {
  'a P-256 key': () => wrap(signedBy(key, P256)),
  'a P-384 key': () => wrap(signedBy(generateKey('p384'), 'PKIX_ECDSA_P384_SHA_384', 'sha384')),
  'a P-521 key': () => wrap(signedBy(generateKey('p521'), 'PKIX_ECDSA_P521_SHA_512', 'sha512')),
  'an RSA key of 2048 bits': () => wrap(signedBy(generateKey('rsa', 2048), 'PKIX_RSA_PKCS1V15_2048_SHA256')),
  'an RSA key of 3072 bits': () => wrap(signedBy(generateKey('rsa', 3072), 'PKIX_RSA_PKCS1V15_3072_SHA256')),
  'an RSA key of 4096 bits': () => wrap(signedBy(generateKey('rsa', 4096), 'PKIX_RSA_PKCS1V15_4096_SHA256')),
  'a certificate': () => {
    const rawBytes = toBase64(certificate.certificateDer);
    const verifier = { x509Certificate: { rawBytes }, keyDetails: P256 };
    return wrap(proposal(hash('sha256', content), certificate.key.sign(content), verifier));
  },
  'names with underscores': () => {
    const { digest, signature } = signedBy(key, P256);
    const { publicKey } = signature.verifier as { publicKey: { rawBytes: string } };
    const verifier = { public_key: { raw_bytes: publicKey.rawBytes }, key_details: P256 };
    return { hashed_rekord_request_v002: { digest, signature: { content: signature.content, verifier } } };
  },
};

type Json = Readonly<Record<string, unknown>>;
/** Names and kinds of everything in an answer. */
const shape = (value: unknown): unknown => {
  if (Array.isArray(value)) return 'list';
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  const entries = Object.entries(value).map(([name, inner]) => [name, shape(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
};

for (const [name, make] of Object.entries(good)) {
  test(`taken alike: ${name}`, async () => {
    const asked: Asked = { path, body: make() };
    const [theirs, ours] = await Promise.all([ask(world.theirs, asked), ask(world.ours, asked)]);
    assert.deepEqual([theirs.status, ours.status], [201, 201], `${theirs.text}\n${ours.text}`);
    const [real, own] = [JSON.parse(theirs.text) as Json, JSON.parse(ours.text) as Json];
    assert.equal(own['canonicalizedBody'], real['canonicalizedBody']);
    assert.deepEqual(shape(own), shape(real));
    assert.deepEqual(
      [own['kindVersion'], own['integratedTime']],
      [real['kindVersion'], real['integratedTime']],
    );
    const type = (one: typeof ours): string | undefined => one.headers.get('content-type')?.split(';')[0];
    assert.equal(type(ours), type(theirs));
  });
}

test('a duplicate is refused alike, with the index of the entry', async () => {
  const asked: Asked = { path, body: wrap(signedBy(key, P256)) };
  const both = [world.theirs, world.ours];
  await Promise.all(both.map((base) => ask(base, asked)));
  const [theirs, ours] = await Promise.all(both.map((base) => ask(base, asked)));
  if (theirs === undefined || ours === undefined) return assert.fail();
  assertAlike(ours, theirs, 'own');
  assert.match(ours.headers.get('x-log-index') ?? '', /^\d+$/);
  assert.match(theirs.headers.get('x-log-index') ?? '', /^\d+$/);
});

const valid = signedBy(key, P256);
const { signature } = valid;
const { verifier } = signature;
const withVerifier = (more: object): object =>
  wrap({ ...valid, signature: { ...signature, verifier: { ...verifier, ...more } } });
const raw = (made: { publicKey: KeyObject }): object => ({
  publicKey: { rawBytes: made.publicKey.export({ format: 'der', type: 'spki' }).toString('base64') },
});
const pure = generateKeyPairSync('ed25519');
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const digest = createHash('sha256').update('x').digest();

const invalid: Readonly<Record<string, unknown>> = {
  'a signature over something else': wrap({ ...valid, digest: toBase64(digest) }),
  'a signature of another key': wrap({
    ...valid,
    signature: { ...signature, verifier: { ...verifier, ...spki(generateKey('p256')) } },
  }),
  'a digest of another length': wrap({ ...valid, digest: toBase64(hash('sha384', utf8('x'))) }),
  'no digest': wrap({ signature }),
  'no signature': wrap({ digest: valid.digest }),
  'an empty signature': wrap({ ...valid, signature: { ...signature, content: '' } }),
  'no verifier': wrap({ ...valid, signature: { content: signature.content } }),
  'an empty verifier': wrap({ ...valid, signature: { ...signature, verifier: {} } }),
  'no algorithm': wrap({ ...valid, signature: { ...signature, verifier: spki(key) } }),
  'another algorithm than the key’s': withVerifier({ keyDetails: 'PKIX_ECDSA_P384_SHA_384' }),
  'an algorithm nobody knows': withVerifier({ keyDetails: 'PKIX_NEW' }),
  'an RSA key of 1024 bits': wrap(
    proposal(digest, sign('sha256', utf8('x'), weak.privateKey), {
      ...raw(weak),
      keyDetails: 'PKIX_RSA_PKCS1V15_2048_SHA256',
    }),
  ),
  'a key that is none': withVerifier({ publicKey: { rawBytes: 'AAAA' } }),
  'a certificate that is none': wrap({
    ...valid,
    signature: { ...signature, verifier: { x509Certificate: { rawBytes: 'AAAA' }, keyDetails: P256 } },
  }),
  'a key and a certificate': withVerifier({
    x509Certificate: { rawBytes: toBase64(certificate.certificateDer) },
  }),
  'an entry of an unknown kind': { intotoRequestV002: {} },
  'an entry of Rekor v1': { apiVersion: '0.0.1', kind: 'hashedrekord', spec: {} },
  'no entry': {},
  'a field nobody knows': { ...wrap(signedBy(key, P256)), more: 1 },
  'a field nobody knows, inside': wrap({ ...signedBy(key, P256), more: 1 }),
  'a field nobody knows, inside the signature': wrap({ ...valid, signature: { ...signature, more: 1 } }),
  'a field nobody knows, inside the verifier': withVerifier({ more: 1 }),
  'a field nobody knows, inside the key': withVerifier({ publicKey: { rawBytes: 'AA==', more: 1 } }),
  'a digest that is not base64': wrap({ ...valid, digest: '***' }),
  'a digest that is a number': wrap({ ...valid, digest: 7 }),
  'an entry that is text': wrap('x'),
  'a list': [],
  'a body that is no JSON': 'hello',
  'a body cut off': JSON.stringify(wrap(valid)).slice(0, -20),
  'a field twice': `{"hashedRekordRequestV002":{},"hashedRekordRequestV002":{}}`,
  'an empty body': '',
  'a body that is too large': wrap({ ...valid, digest: 'A'.repeat(5 * 1024 * 1024) }),
};

/** What their reader of JSON says in its own way. */
const ownWords =
  /field|base64|number|text|list|JSON|cut off|Rekor v1|unknown kind|algorithm nobody|certificate$/;

for (const [name, body] of Object.entries(invalid)) {
  test(`refused alike: ${name}`, async () => {
    const asked: Asked = { path, body: body as object };
    const [theirs, ours] = [await ask(world.theirs, asked), await ask(world.ours, asked)];
    assert.ok(theirs.status >= 400, `taken: ${theirs.text}`);
    assertAlike(ours, theirs, ownWords.test(name) ? 'own' : undefined);
    assert.match(errorOf(ours).message ?? '', /WB-\d+/);
  });
}

const doors: Readonly<Record<string, Asked>> = {
  'another method': { path, method: 'DELETE' },
  PUT: { path, method: 'PUT', body: wrap(valid) },
  'a path that is not there': { path: '/api/v2/log/nothing', method: 'GET' },
  'a path outside': { path: '/nothing', method: 'GET' },
};
for (const [name, asked] of Object.entries(doors)) {
  test(`refused alike: ${name}`, async () => {
    assertAlike(await ask(world.ours, asked), await ask(world.theirs, asked));
  });
}

// Spellings of protobuf's JSON that no client writes, and an algorithm the real one overlooks.
const stricter: Readonly<Record<string, () => object>> = {
  'a number for the algorithm': () => {
    const { digest, signature } = signedBy(key, P256);
    return wrap({ digest, signature: { ...signature, verifier: { ...signature.verifier, keyDetails: 5 } } });
  },
  'base64 for addresses, unpadded': () => {
    const { digest, signature } = signedBy(key, P256);
    const plain = (text: string): string => Buffer.from(text, 'base64').toString('base64url');
    return wrap({ digest: plain(digest), signature: { ...signature, content: plain(signature.content) } });
  },
  'an algorithm that is not the key’s': () => {
    const { digest, signature } = signedBy(key, P256);
    const { verifier } = signature;
    const keyDetails = 'PKIX_RSA_PSS_2048_SHA256';
    return wrap({ digest, signature: { ...signature, verifier: { ...verifier, keyDetails } } });
  },
};
for (const [name, make] of Object.entries(stricter)) {
  test(`refused by us alone: ${name}`, async () => {
    const asked: Asked = { path, body: make() };
    const [theirs, ours] = await Promise.all([ask(world.theirs, asked), ask(world.ours, asked)]);
    assert.deepEqual([theirs.status, ours.status], [201, 400], `${theirs.text}\n${ours.text}`);
  });
}

test('pure Ed25519 is refused by both: an internal error there, a bad request here', async () => {
  const verifier = { ...raw(pure), keyDetails: 'PKIX_ED25519' };
  const body = wrap(proposal(digest, sign(null, digest, pure.privateKey), verifier));
  const [theirs, ours] = [await ask(world.theirs, { path, body }), await ask(world.ours, { path, body })];
  assert.deepEqual([theirs.status, ours.status], [500, 400], `${theirs.text}\n${ours.text}`);
});

test('an empty request for envelopes, a kind the real one removed, is refused by both', async () => {
  const body = { dsseRequestV002: { envelope: {}, verifiers: [] } };
  assertAlike(await ask(world.ours, { path, body }), await ask(world.theirs, { path, body }), 'own');
});
