import assert from 'node:assert/strict';
import { ECDH } from 'node:crypto';
import { test } from 'node:test';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import type { Der } from '#base/brand';
import { concat, utf8 } from '#base/bytes';
import { generateKey, lazyPublicKey, publicKeyFromSpki, sha256 } from '#base/crypto';
import {
  type CurveKind,
  coordinates,
  curveOfSpki,
  curves,
  inverse,
  isOnCurve,
  mod,
  toBytes,
  toNumber,
} from '#base/curves';
import { verifyEcdsaDigest } from '#base/ecdsa-digest';

const others = { p256, p384, p521 } as const;
const kinds = Object.keys(curves) as CurveKind[];

test('the numbers of the curves are those of an independent implementation', () => {
  for (const kind of kinds) {
    const { p, n, b, bits, bytes } = curves[kind];
    const { Fn, Fp } = others[kind].Point;
    assert.deepEqual(
      { p, n, b, bits, bytes },
      { p: Fp.ORDER, n: Fn.ORDER, b: others[kind].Point.CURVE().b, bits: Fp.BITS, bytes: Fp.BYTES },
    );
  }
});

test('an inverse times its number is one; what shares a factor with the modulus has none', () => {
  for (const kind of kinds) {
    for (const modulus of [curves[kind].p, curves[kind].n]) {
      const values = fc
        .bigInt({ min: -modulus, max: 2n * modulus })
        .filter((value) => value % modulus !== 0n);
      fc.assert(
        fc.property(values, (value) => mod(inverse(value, modulus) * value, modulus) === 1n),
        { seed: 7, numRuns: 200 },
      );
      for (const value of [1n, 2n, modulus - 1n, modulus - 2n, modulus >> 1n, 1n << 50n, (1n << 51n) - 1n]) {
        assert.equal(mod(inverse(value, modulus) * value, modulus), 1n);
      }
      assert.throws(() => inverse(0n, modulus), /no inverse/);
      assert.throws(() => inverse(modulus, modulus), /no inverse/);
    }
  }
  assert.throws(() => inverse(6n, 9n), /no inverse/);
  assert.equal(inverse(5n, 9n), 2n);
});

test('the usual form of a key is known by curve; a point beside the curve or beyond the field is no key (WB-105)', () => {
  for (const kind of kinds) {
    const { spki } = generateKey(kind).publicKey;
    const { spkiHead, bytes, p } = curves[kind];
    assert.equal(curveOfSpki(spki), kind);
    const { x, y } = coordinates(spki.subarray(spkiHead.length - 1));
    const spkiOf = (px: bigint, py: bigint): Uint8Array =>
      concat(spkiHead, toBytes(px, bytes), toBytes(py, bytes));
    const otherTag = concat(Uint8Array.of(0x31), spki.subarray(1));
    const bad = [
      otherTag,
      spkiOf(x, y ^ 1n),
      spkiOf(x ^ 2n, y),
      spkiOf(0n, 0n),
      concat(spki, Uint8Array.of(0)),
    ];
    // The same point with a coordinate beyond the field; where it fits.
    if (x + p < 1n << BigInt(8 * bytes)) bad.push(spkiOf(x + p, y));
    if (y + p < 1n << BigInt(8 * bytes)) bad.push(spkiOf(x, y + p));
    for (const one of bad) {
      assert.equal(curveOfSpki(one), undefined);
      const read = publicKeyFromSpki(one);
      assert.equal(read.ok ? undefined : read.error.code, 'WB-105');
    }
  }
  // A length alone says nothing.
  assert.equal(curveOfSpki(new Uint8Array(91)), undefined);
});

test('both coordinates must be of the field, also where the equation holds', () => {
  const curve = curves.p521;
  const spki = generateKey('p521').publicKey.spki;
  const { x, y } = coordinates(spki.subarray(curve.spkiHead.length - 1));
  assert.equal(isOnCurve(curve, { x, y }), true);
  assert.equal(isOnCurve(curve, { x: x + curve.p, y }), false);
  assert.equal(isOnCurve(curve, { x, y: y + curve.p }), false);
  for (const { p, b, ...rest } of Object.values(curves)) {
    // The point over x = 0, where there is one; p is 3 modulo 4.
    const root = power(b, (p + 1n) / 4n, p);
    const isPoint = mod(root * root - b, p) === 0n;
    assert.equal(isOnCurve({ p, b, ...rest }, { x: 0n, y: root }), isPoint);
    assert.equal(isOnCurve({ p, b, ...rest }, { x: p, y: root }), false);
  }
});

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let rest = exponent, square = base; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}

test('a point beside the curve whose moved point the forger knows the secret of verifies nothing', () => {
  const { p, n, spkiHead, bytes } = curves.p256;
  const digest = sha256(utf8('never signed'));
  const z0 = toNumber(sha256(new Uint8Array(0)));
  const k = 0x1234567n;
  const r = mod(p256.Point.BASE.multiply(k).x, n);
  const d = mod((toNumber(digest) - z0) * inverse(r, n), n);
  const moved = p256.Point.BASE.multiply(d).toAffine();
  // Any slope through d·G leads to such a point: the sum of the two is −d·G.
  const slope = 5n;
  const x = mod(slope * slope - 2n * moved.x, p);
  const y = mod(moved.y + slope * (x - moved.x), p);
  const s = mod((z0 - r * d) * inverse(k, n), n);
  const signature = derSignature(r, s);
  const spki = concat(spkiHead, toBytes(x, bytes), toBytes(y, bytes)) as Der;
  assert.equal(isOnCurve(curves.p256, { x, y }), false);
  assert.equal(verifyEcdsaDigest(lazyPublicKey(spki, 'p256', 0), digest, signature), false);
  // It is a forgery: under the key it leads to, the signature is valid.
  const forged = p256.Point.BASE.multiply(n - d).toBytes(false);
  const key = publicKeyFromSpki(concat(spkiHead.subarray(0, -1), forged));
  assert.equal(key.ok && verifyEcdsaDigest(key.value, sha256(new Uint8Array(0)), signature), true);
});

test('a compressed point is read as the key it stands for', () => {
  const key = generateKey('p384').publicKey;
  const point = ECDH.convertKey(key.spki.subarray(-97), 'secp384r1', undefined, undefined, 'compressed');
  const head = Buffer.from('3046301006072a8648ce3d020106052b81040022033200', 'hex');
  const spki = Buffer.concat([head, point as Buffer]);
  assert.equal(curveOfSpki(spki), undefined);
  const read = publicKeyFromSpki(spki);
  assert.equal(read.ok && read.value.kind, 'p384');
});

/** A SEQUENCE of two positive INTEGERs. */
function derSignature(r: bigint, s: bigint): Uint8Array {
  const integer = (value: bigint): Uint8Array => {
    const hex = value.toString(16);
    const content = Buffer.from(hex.length % 2 === 1 ? `0${hex}` : hex, 'hex');
    const body = (content[0] as number) >= 0x80 ? concat(Uint8Array.of(0), content) : content;
    return concat(Uint8Array.of(2, body.length), body);
  };
  const body = concat(integer(r), integer(s));
  return concat(Uint8Array.of(0x30, body.length), body);
}
