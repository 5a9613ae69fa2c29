import assert from 'node:assert/strict';
import { ECDH, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { utf8 } from '#base/bytes';
import { generateKey, type HashName, hash, type KeyKind, publicKeyFromSpki } from '#base/crypto';
import { verifyEcdsaDigest, verifyEcdsaDigestAsync } from '#base/ecdsa-digest';
import { unwrap } from '#base/result';

const cases: readonly (readonly [KeyKind, HashName])[] = [
  ['p256', 'sha256'],
  ['p256', 'sha512'],
  ['p384', 'sha384'],
  ['p384', 'sha256'],
  ['p521', 'sha512'],
  ['p521', 'sha256'],
];

for (const [kind, algorithm] of cases) {
  test(`${kind} over a ${algorithm} digest agrees with the check over the message`, () => {
    const key = generateKey(kind);
    const other = generateKey(kind);
    for (let i = 0; i < 12; i++) {
      const message = randomBytes(i * 7);
      const digest = hash(algorithm, message);
      const signature = key.sign(message, algorithm);
      assert.equal(verifyEcdsaDigest(key.publicKey, digest, signature), true);
      assert.equal(verifyEcdsaDigest(other.publicKey, digest, signature), false);
      const flipped = new Uint8Array(digest);
      flipped[i] = (flipped[i] as number) ^ 1;
      assert.equal(verifyEcdsaDigest(key.publicKey, flipped, signature), false);
      const bent = new Uint8Array(signature);
      bent[bent.length - 1] = (bent[bent.length - 1] as number) ^ 1;
      assert.equal(verifyEcdsaDigest(key.publicKey, digest, bent), false);
    }
  });
}

test('an independent curve implementation agrees on digests nobody knows a message for', () => {
  for (const [curve, kind] of [
    [p256, 'p256'],
    [p384, 'p384'],
    [p521, 'p521'],
  ] as const) {
    const key = generateKey(kind);
    const jwk = key.publicKey.handle.export({ format: 'jwk' }) as { x: string; y: string };
    const point = Buffer.concat([
      Buffer.of(4),
      Buffer.from(jwk.x, 'base64url'),
      Buffer.from(jwk.y, 'base64url'),
    ]);
    const secret = curve.utils.randomSecretKey();
    const size = kind === 'p256' ? 32 : kind === 'p384' ? 48 : 64;
    for (let i = 0; i < 4; i++) {
      const digest = randomBytes(size);
      const signature = curve.sign(digest, secret, { prehash: false, lowS: false, format: 'der' });
      const expected = curve.verify(signature, digest, point, {
        prehash: false,
        lowS: false,
        format: 'der',
      });
      assert.equal(verifyEcdsaDigest(key.publicKey, digest, signature), expected);
    }
  }
});

test('a key given as a compressed point verifies like the same key in full', () => {
  const key = generateKey('p256');
  const point = ECDH.convertKey(
    key.publicKey.spki.subarray(-65),
    'prime256v1',
    undefined,
    undefined,
    'compressed',
  );
  const head = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');
  const compressed = unwrap(publicKeyFromSpki(Buffer.concat([head, point as Buffer])));
  const digest = hash('sha256', utf8('x'));
  assert.equal(verifyEcdsaDigest(compressed, digest, key.sign(utf8('x'))), true);
  assert.equal(verifyEcdsaDigest(compressed, digest, key.sign(utf8('y'))), false);
});

test('the first byte of a number may be any below the sign bit', () => {
  const key = generateKey('p256');
  const digest = hash('sha256', utf8('x'));
  const firstBytes = new Set<number>();
  // r is random and 0x7f its first byte once in 256 times: more rounds than any run needs.
  for (let i = 0; i < 20_000 && !firstBytes.has(0x7f); i++) {
    const signature = key.sign(utf8('x'));
    const first = signature[4] as number;
    if (signature[3] !== 32 || firstBytes.has(first)) continue;
    firstBytes.add(first);
    assert.equal(verifyEcdsaDigest(key.publicKey, digest, signature), true);
  }
  assert.ok(firstBytes.has(0x7f));
});

test('malformed signatures and keys of other kinds are refused, not thrown over', async () => {
  const key = generateKey('p256');
  const digest = hash('sha256', utf8('x'));
  const good = key.sign(utf8('x'));
  const zero = Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 1);
  const bad = [new Uint8Array(0), good.subarray(1), good.subarray(0, -1), Buffer.concat([good, good]), zero];
  for (const signature of bad) {
    assert.equal(verifyEcdsaDigest(key.publicKey, digest, signature), false);
    assert.equal(await verifyEcdsaDigestAsync(key.publicKey, digest, signature), false);
  }
  const ed = generateKey('ed25519');
  assert.equal(verifyEcdsaDigest(ed.publicKey, digest, ed.sign(digest)), false);
  assert.equal(await verifyEcdsaDigestAsync(ed.publicKey, digest, ed.sign(digest)), false);
});

test('the check beside the event loop says the same', async () => {
  const [key, other] = [generateKey('p256'), generateKey('p256')];
  const [digest, another] = [hash('sha256', utf8('x')), hash('sha256', utf8('y'))];
  const signature = key.sign(utf8('x'));
  assert.equal(await verifyEcdsaDigestAsync(key.publicKey, digest, signature), true);
  assert.equal(await verifyEcdsaDigestAsync(key.publicKey, another, signature), false);
  assert.equal(await verifyEcdsaDigestAsync(other.publicKey, digest, signature), false);
});
