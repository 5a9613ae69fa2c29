/**
 * ECDSA over a digest whose message is not at hand: what transparency logs have to check. Native code only
 * verifies over messages, so the check is moved to a message of our own: with z the digest, z0 the hash of a
 * fixed message and (r, s) the signature, the point that decides is (zG + rQ)/s, and
 *
 *     (zG + rQ)/s = (z0·G + rQ')/s   for   Q' = Q + ((z − z0)/r)·G.
 *
 * So the signature is valid for digest z under Q exactly when it is valid for the fixed message under Q'. The
 * multiplication and the verification are OpenSSL's; only one point addition is done here, on public values.
 * About a tenth of the time of the same check in JavaScript.
 */
import { createECDH, createPublicKey, verify as nodeVerify } from 'node:crypto';
import { concat, fromHex, toHex } from './bytes.ts';
import { ecPoint, type PublicKey, sha256 } from './crypto.ts';

interface Curve {
  readonly openssl: string;
  /** SubjectPublicKeyInfo up to and with the 04 of an uncompressed point. */
  readonly spkiHead: Uint8Array;
  readonly bytes: number;
  readonly bits: number;
  readonly p: bigint;
  readonly n: bigint;
}

const curves: Readonly<Record<'p256' | 'p384' | 'p521', Curve>> = {
  p256: {
    openssl: 'prime256v1',
    spkiHead: fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'),
    bytes: 32,
    bits: 256,
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  p384: {
    openssl: 'secp384r1',
    spkiHead: fromHex('3076301006072a8648ce3d020106052b8104002203620004'),
    bytes: 48,
    bits: 384,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  p521: {
    openssl: 'secp521r1',
    spkiHead: fromHex('30819b301006072a8648ce3d020106052b810400230381860004'),
    bytes: 66,
    bits: 521,
    p: 2n ** 521n - 1n,
    n: BigInt(`0x1${'f'.repeat(65)}a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
  },
};

const MESSAGE = new Uint8Array(0);
const z0 = BigInt(`0x${toHex(sha256(MESSAGE))}`);

/**
 * Checks a DER signature over a message of which only the digest is known. A digest longer than the curve's
 * order is cut (FIPS 186-5 §6.4.2). Malformed signatures and keys of other kinds are false.
 */
export function verifyEcdsaDigest(key: PublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  if (key.kind !== 'p256' && key.kind !== 'p384' && key.kind !== 'p521') return false;
  try {
    return verifyMoved(curves[key.kind], key, digest, signature);
  } catch {
    return false;
  }
}

function verifyMoved(curve: Curve, key: PublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  const { n, p } = curve;
  const r = firstInteger(signature);
  if (r === undefined || r === 0n || r >= n) return false;
  const excess = BigInt(Math.max(0, digest.length * 8 - curve.bits));
  const z = toNumber(digest) >> excess;
  const d = mod((z - z0) * inverse(r, n), n);
  const moved = () => addPoints(p, coordinates(pointOf(curve, key)), multiply(curve, d));
  const handle = d === 0n ? key.handle : importPoint(curve, moved());
  // The signature itself, strict DER and the range of s included, is OpenSSL's to judge.
  return nodeVerify('sha256', MESSAGE, handle, signature);
}

interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

/** The uncompressed point: the end of the usual SubjectPublicKeyInfo, else (compressed) what OpenSSL makes of it. */
function pointOf(curve: Curve, key: PublicKey): Uint8Array {
  const { spkiHead } = curve;
  const isUsual = key.spki.length === spkiHead.length + 2 * curve.bytes;
  return isUsual ? key.spki.subarray(spkiHead.length - 1) : ecPoint(key);
}

/** The coordinates of an uncompressed point. */
function coordinates(point: Uint8Array): Point {
  const split = (point.length + 1) / 2;
  return { x: toNumber(point.subarray(1, split)), y: toNumber(point.subarray(split)) };
}

/** d·G. */
function multiply(curve: Curve, d: bigint): Point {
  const ecdh = createECDH(curve.openssl);
  ecdh.setPrivateKey(toBytes(d, curve.bytes));
  return coordinates(ecdh.getPublicKey());
}

/**
 * Affine addition. Equal x means Q = ±d·G: nobody reaches that but the holder of the key, who could as well
 * sign properly; it is refused by throwing.
 */
function addPoints(p: bigint, a: Point, b: Point): Point {
  if (a.x === b.x) throw new Error('points with equal x');
  const slope = mod((b.y - a.y) * inverse(mod(b.x - a.x, p), p), p);
  const x = mod(slope * slope - a.x - b.x, p);
  return { x, y: mod(slope * (a.x - x) - a.y, p) };
}

function importPoint(curve: Curve, point: Point) {
  const key = concat(curve.spkiHead, toBytes(point.x, curve.bytes), toBytes(point.y, curve.bytes));
  return createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' });
}

/** The first INTEGER of a DER SEQUENCE; undefined when the bytes are not of that form. */
function firstInteger(der: Uint8Array): bigint | undefined {
  const at = der[1] === 0x81 ? 3 : 2;
  const length = der[at + 1];
  if (der[0] !== 0x30 || der[at] !== 0x02 || length === undefined || length === 0 || length > 0x7f) {
    return undefined;
  }
  const bytes = der.subarray(at + 2, at + 2 + length);
  return bytes.length === length && (bytes[0] as number) < 0x80 ? toNumber(bytes) : undefined;
}

function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** Inverse by the extended Euclidean algorithm. All values here are public: time may depend on them. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [mod(value, modulus), modulus];
  let [x, y] = [1n, 0n];
  while (a > 1n) {
    if (b === 0n) throw new Error('no inverse');
    const quotient = a / b;
    [a, b] = [b, a % b];
    [x, y] = [y, x - quotient * y];
  }
  return mod(x, modulus);
}

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes) || '0'}`);
const toBytes = (value: bigint, length: number): Uint8Array =>
  fromHex(value.toString(16).padStart(2 * length, '0'));
