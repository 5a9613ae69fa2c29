/**
 * The NIST curves (SP 800-186 §3.2.1): their numbers, points as SubjectPublicKeyInfo holds them, and arithmetic on
 * public values alone: none of it takes constant time.
 */
import { fromHex, toHex } from './bytes.ts';

export type CurveKind = 'p256' | 'p384' | 'p521';

/** y² = x³ − 3x + b over the field of `p`; the points are a group of the prime order `n`. */
export interface Curve {
  readonly openssl: string;
  /** SubjectPublicKeyInfo up to and with the 04 of an uncompressed point. */
  readonly spkiHead: Uint8Array;
  /** Of one coordinate. */
  readonly bytes: number;
  readonly bits: number;
  readonly p: bigint;
  readonly n: bigint;
  readonly b: bigint;
}

export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

export const curves: Readonly<Record<CurveKind, Curve>> = {
  p256: {
    openssl: 'prime256v1',
    spkiHead: fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'),
    bytes: 32,
    bits: 256,
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  p384: {
    openssl: 'secp384r1',
    spkiHead: fromHex('3076301006072a8648ce3d020106052b8104002203620004'),
    bytes: 48,
    bits: 384,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  p521: {
    openssl: 'secp521r1',
    spkiHead: fromHex('30819b301006072a8648ce3d020106052b810400230381860004'),
    bytes: 66,
    bits: 521,
    p: 2n ** 521n - 1n,
    n: BigInt(`0x1${'f'.repeat(65)}a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
};

const kinds = Object.keys(curves) as CurveKind[];

/**
 * The curve of a SubjectPublicKeyInfo in the usual form: named curve, uncompressed point, the point on that curve.
 * Undefined for every other form, and for what is no key.
 */
export function curveOfSpki(spki: Uint8Array): CurveKind | undefined {
  const kind = kinds.find((one) => spki.length === curves[one].spkiHead.length + 2 * curves[one].bytes);
  if (kind === undefined) return undefined;
  const curve = curves[kind];
  const { spkiHead } = curve;
  if (Buffer.compare(spki.subarray(0, spkiHead.length), spkiHead) !== 0) return undefined;
  return isOnCurve(curve, coordinates(spki.subarray(spkiHead.length - 1))) ? kind : undefined;
}

/**
 * Whether a SubjectPublicKeyInfo that is DER names its curve and has no hybrid point (RFC 5480 §2.1.1, §2.2): numbers
 * of a curve make it longer, and a point that is not whole is compressed. True for kinds that are no curve.
 */
export function isNamedForm(kind: string, spki: Uint8Array): boolean {
  if (!(kind in curves)) return true;
  const { spkiHead, bytes } = curves[kind as CurveKind];
  const whole = spkiHead.length + 2 * bytes;
  return spki.length < whole || (spki.length === whole && spki[spkiHead.length - 1] === 4);
}

/** Of Ed25519 there is one form, and its 32 bytes may be any (RFC 8410 §4). */
const ed25519Head = fromHex('302a300506032b6570032100');

export const isEd25519Spki = (spki: Uint8Array): boolean =>
  spki.length === ed25519Head.length + 32 &&
  Buffer.compare(spki.subarray(0, ed25519Head.length), ed25519Head) === 0;

/** Whether both coordinates are of the field and fulfil the curve's equation. */
export function isOnCurve({ p, b }: Curve, { x, y }: Point): boolean {
  return x < p && y < p && (y * y - (x * x - 3n) * x - b) % p === 0n;
}

/** The coordinates of an uncompressed point. */
export function coordinates(point: Uint8Array): Point {
  const split = (point.length + 1) / 2;
  return { x: toNumber(point.subarray(1, split)), y: toNumber(point.subarray(split)) };
}

export function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** Bits of both numbers a step of `inverse` looks at; the products of its factors stay exact in doubles. */
const LEADING_BITS = 50;

/**
 * The inverse by Lehmer's form of the extended Euclidean algorithm (Knuth, TAOCP 4.5.2, algorithm L): the quotients
 * come from leading bits in doubles, and long numbers are touched once for about fifteen of them. The modulus is
 * prime. Throws when there is no inverse.
 */
export function inverse(value: bigint, modulus: bigint): bigint {
  // a ≡ x·value and b ≡ y·value.
  let [a, b] = [modulus, mod(value, modulus)];
  let [x, y] = [0n, 1n];
  while (b !== 0n) {
    const [p, q, r, s] = leadingSteps(a, b);
    if (q === 0) {
      const quotient = a / b;
      [a, b] = [b, a - quotient * b];
      [x, y] = [y, x - quotient * y];
    } else {
      const [bp, bq, br, bs] = [BigInt(p), BigInt(q), BigInt(r), BigInt(s)];
      [a, b] = [bp * a + bq * b, br * a + bs * b];
      [x, y] = [bp * x + bq * y, br * x + bs * y];
    }
  }
  if (a !== 1n) throw new Error('no inverse');
  return mod(x, modulus);
}

/**
 * The steps of Euclid's algorithm that the leading bits of a ≥ b decide, as factors: a becomes p·a + q·b, b becomes
 * r·a + s·b. `q` is 0 when they decide none.
 */
function leadingSteps(a: bigint, b: bigint): readonly [p: number, q: number, r: number, s: number] {
  const shift = BigInt(Math.max(0, Math.floor(Math.log2(Number(a))) - LEADING_BITS));
  let [high, low] = [Number(a >> shift), Number(b >> shift)];
  let [p, q, r, s] = [1, 0, 0, 1];
  for (;;) {
    // The two differ as well where one divides by zero.
    const quotient = Math.floor((high + p) / (low + r));
    if (quotient !== Math.floor((high + q) / (low + s))) break;
    [p, r] = [r, p - quotient * r];
    [q, s] = [s, q - quotient * s];
    [high, low] = [low, high - quotient * low];
  }
  return [p, q, r, s];
}

export const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes) || '0'}`);
export const toBytes = (value: bigint, length: number): Uint8Array =>
  fromHex(value.toString(16).padStart(2 * length, '0'));
