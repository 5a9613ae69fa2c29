/** Cases nobody meets by chance, whose verdict follows from how they are built; the numbers are fixed. */
import assert from 'node:assert/strict';
import { createECDH, createPublicKey, ECDH, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import type { Der } from '#base/brand';
import { concat, utf8 } from '#base/bytes';
import {
  generateKey,
  lazyPublicKey,
  type PublicKey,
  publicKeyFromSpki,
  sha256,
  verifySignature,
} from '#base/crypto';
import {
  type CurveKind,
  coordinates,
  curveOfSpki,
  curves,
  inverse,
  isNamedForm,
  mod,
  toBytes,
  toNumber,
} from '#base/curves';
import { verifyEcdsaDigest, verifyEcdsaDigestAsync } from '#base/ecdsa-digest';

const points = { p256: p256.Point, p384: p384.Point, p521: p521.Point } as const;
const kinds = Object.keys(curves) as CurveKind[];
const z0 = toNumber(sha256(new Uint8Array(0)));

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
const octet = (...values: number[]): Uint8Array => Uint8Array.from(values);

function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const { length } = concat(...parts);
  if (length < 0x80) return concat(octet(tag, length), ...parts);
  return length < 0x100
    ? concat(octet(tag, 0x81, length), ...parts)
    : concat(octet(tag, 0x82, length >> 8, length & 0xff), ...parts);
}

/** The content of a positive INTEGER. */
function content(value: bigint): Uint8Array {
  const hex = value.toString(16);
  const bytes = bytesOf(hex.length % 2 === 1 ? `0${hex}` : hex);
  return (bytes[0] as number) >= 0x80 ? concat(octet(0), bytes) : bytes;
}
const integer = (value: bigint): Uint8Array => tlv(2, content(value));
const signatureOf = (r: bigint, s: bigint): Uint8Array => tlv(0x30, integer(r), integer(s));

/** A digest of the length of the order whose leading bits are `z`. */
function digestOf(kind: CurveKind, z: bigint): Uint8Array {
  const { bits, bytes } = curves[kind];
  return toBytes(z << BigInt(8 * bytes - bits), bytes);
}

function timesG(kind: CurveKind, k: bigint): Uint8Array {
  const ecdh = createECDH(curves[kind].openssl);
  ecdh.setPrivateKey(toBytes(k, curves[kind].bytes));
  return ecdh.getPublicKey();
}

const keyOf = (kind: CurveKind, point: Uint8Array): PublicKey =>
  lazyPublicKey(concat(curves[kind].spkiHead.subarray(0, -1), point) as Der, kind, 0);

for (const kind of kinds) {
  const curve = curves[kind];
  const { n, p, bits, bytes } = curve;
  const q = (0x1234_5678_9abc_def0n ** 9n % (n - 1n)) + 1n;
  const k = (0xfedc_ba98_7654_3210n ** 9n % (n - 1n)) + 1n;
  const key = keyOf(kind, timesG(kind, q));
  const negated = keyOf(kind, timesG(kind, n - q));
  const xOf = (factor: bigint): bigint => mod(coordinates(timesG(kind, mod(factor, n))).x, n);
  const r = xOf(k);
  const sOf = (z: bigint, secret = q): bigint => mod((z + r * secret) * inverse(k, n), n);
  const check = (z: bigint, s = sOf(z), by = key): boolean =>
    verifyEcdsaDigest(by, digestOf(kind, mod(z, n)), signatureOf(r, s));

  test(`${kind}: numbers at the ends of their ranges verify, and the point of other sign does not`, () => {
    for (const z of [0n, 1n, n - 1n, n, n + 1n, (1n << BigInt(bits)) - 1n]) {
      const digest = digestOf(kind, z);
      const signature = signatureOf(r, sOf(z));
      assert.equal(verifyEcdsaDigest(key, digest, signature), true);
      // Without a share of G the point is only turned over, and x tells nothing: so says the standard.
      assert.equal(verifyEcdsaDigest(negated, digest, signature), z % n === 0n);
      assert.equal(verifyEcdsaDigest(key, concat(digest, octet(0xff, 1)), signature), true);
      assert.equal(verifyEcdsaDigest(key, concat(octet(0), digest), signature), z === 0n);
    }
    assert.equal(verifyEcdsaDigest(key, new Uint8Array(0), signatureOf(r, sOf(0n))), true);
    for (const secret of [1n, 2n, n - 1n, n - 2n, k, n - k]) {
      const own = keyOf(kind, timesG(kind, secret));
      assert.equal(check(7n, sOf(7n, secret), own), true);
      assert.equal(check(8n, sOf(7n, secret), own), false);
    }
  });

  test(`${kind}: moves by nothing and by one, equal summands, sums at infinity`, () => {
    for (const d of [0n, 1n, -1n, 2n]) {
      assert.equal(check(z0 + d * r), true);
      assert.equal(check(z0 + d * r, sOf(1n)), false);
    }
    // u1·G = u2·Q, and its opposite: infinity, whatever s is.
    assert.equal(check(r * q), true);
    for (const s of [1n, k, n - 1n]) assert.equal(check(-r * q, s), false);
    // The moved key would be 2Q or infinity: only who knows the secret gets there, and is refused.
    assert.equal(check(z0 + r * q), false);
    assert.equal(check(z0 - r * q), false);
  });

  test(`${kind}: r stands for points of x = r and x = r + n, both in their ranges`, () => {
    // The first points with x ≥ n; the key is made to fit the signature.
    let found = 0;
    for (let small = 1n; found < 2; small++) {
      const point = lift(kind, n + small);
      if (point === undefined) continue;
      found++;
      const [s, z] = [k, q];
      const made = point.multiply(mod(s * inverse(small, n), n));
      const fitting = made.add(points[kind].BASE.multiply(mod(-z * inverse(small, n), n)));
      const own = keyOf(kind, fitting.toBytes(false));
      const digest = digestOf(kind, z);
      assert.equal(verifyEcdsaDigest(own, digest, signatureOf(small, s)), true);
      assert.equal(verifyEcdsaDigest(own, digest, signatureOf(small, n - s)), true);
      assert.equal(verifyEcdsaDigest(own, digest, signatureOf(small + n, s)), false);
      assert.equal(verifyEcdsaDigest(own, digestOf(kind, z + 1n), signatureOf(small, s)), false);
    }
    const digest = digestOf(kind, 5n);
    const s = sOf(5n);
    assert.equal(verifyEcdsaDigest(key, digest, signatureOf(r, n - s)), true);
    for (const other of [0n, n, r + n, n - r, p, r + p, 1n]) {
      assert.equal(verifyEcdsaDigest(key, digest, signatureOf(other, s)), false);
    }
    for (const other of [0n, n, s + n, 2n * n - s, 1n]) {
      assert.equal(verifyEcdsaDigest(key, digest, signatureOf(r, other)), false);
    }
  });

  test(`${kind}: keys at the ends of the field, whose secret nobody knows`, () => {
    const xs = [...Array(10).keys()].flatMap((i) => [BigInt(i), p - 1n - BigInt(i)]);
    const known = xs.map((x) => lift(kind, x)).filter((point) => point !== undefined);
    assert.ok(known.length > 3);
    for (const point of known.slice(0, 4)) {
      const both = [point, point.negate()].map((one) => keyOf(kind, one.toBytes(false)));
      const rx = mod(points[kind].BASE.multiply(q).add(point.multiply(k)).toAffine().x, n);
      const s = mod(rx * inverse(k, n), n);
      const digest = digestOf(kind, mod(q * s, n));
      const verdicts = both.map((one) => verifyEcdsaDigest(one, digest, signatureOf(rx, s)));
      assert.deepEqual(verdicts, [true, false]);
    }
  });

  test(`${kind}: a signature has one reading`, () => {
    const digest = digestOf(kind, 5n);
    const [R, S] = [content(r), content(sOf(5n))];
    const body = concat(tlv(2, R), tlv(2, S));
    const zero = octet(0);
    const bad = [
      tlv(0x30, tlv(2, zero, R), tlv(2, S)),
      tlv(0x30, tlv(2, R), tlv(2, zero, S)),
      tlv(0x30, body, zero),
      concat(tlv(0x30, body), zero),
      tlv(0x31, body),
      tlv(0x30, tlv(0x22, tlv(2, R)), tlv(2, S)),
      tlv(0x30, concat(octet(2, 0x81, R.length), R), tlv(2, S)),
      tlv(0x30, tlv(2, R), concat(octet(2, 0x81, S.length), S)),
      concat(octet(0x30, 0x82, 0, body.length), body),
      concat(octet(0x30, 0x80), body, zero, zero),
      tlv(0x30, tlv(2, R)),
      tlv(0x30, tlv(2), tlv(2, S)),
      tlv(0x30, body, tlv(2, S)),
    ];
    if (body.length < 0x80) bad.push(concat(octet(0x30, 0x81, body.length), body));
    assert.equal(verifyEcdsaDigest(key, digest, tlv(0x30, body)), true);
    for (const one of bad) assert.equal(verifyEcdsaDigest(key, digest, one), false);
  });

  test(`${kind}: two readings of r would be a forgery for any digest`, () => {
    // Valid for a digest nobody chose; no secret is needed.
    const [u1, u2] = [k, q];
    const rx = mod(coordinates(timesG(kind, mod(u1 + u2 * q, n))).x, n);
    const s = mod(rx * inverse(u2, n), n);
    const z = mod(u1 * s, n);
    assert.equal(verifyEcdsaDigest(key, digestOf(kind, z), signatureOf(rx, s)), true);
    // Moved by `first`, it would be valid for the wanted digest.
    const wanted = 99n;
    const first = mod(rx * (wanted - z0) * inverse(z - z0, n), n);
    const [one, two, last] = [integer(first), integer(rx), integer(s)];
    const inner = tlv(0x30, two, last);
    const forged = [
      signatureOf(first, s),
      tlv(0x30, one, two, last),
      tlv(0x30, two, one, last),
      concat(tlv(0x30, one, last), inner),
      concat(octet(0x30, 0x82), one, inner),
      concat(octet(0x30, 0x82, 2, bytes), toBytes(first, bytes), inner),
      concat(octet(0x30, 0x80), one, two, last, octet(0, 0)),
    ];
    for (const signature of forged) {
      assert.equal(verifyEcdsaDigest(key, digestOf(kind, wanted), signature), false);
    }
  });

  test(`${kind}: what OpenSSL reads but is not DER, or not a form of RFC 5480, is no key (WB-105)`, () => {
    const point = timesG(kind, q);
    const { x, y } = coordinates(point);
    const short = ECDH.convertKey(point, curve.openssl, undefined, undefined, 'compressed') as Buffer;
    const algorithm = concat(...nameOf(kind));
    const spki = (given: Uint8Array, unused = 0): Uint8Array =>
      tlv(0x30, tlv(0x30, algorithm), tlv(3, octet(unused), given));
    const usual = spki(point);
    const compressed = spki(short);
    const body = usual.subarray(usual[1] === 0x81 ? 3 : 2);
    const endless = concat(octet(0x30, 0x80), body, octet(0, 0));
    const sign = Number(y & 1n);
    const padding = usual.length - compressed.length;
    const explicit = (generator: Uint8Array): Uint8Array => explicitSpki(kind, generator, point);
    const bad: Readonly<Record<string, Uint8Array>> = {
      hybrid: spki(concat(octet(6 + sign), point.subarray(1))),
      'hybrid of other sign': spki(concat(octet(7 - sign), point.subarray(1))),
      infinity: spki(octet(0)),
      'no point': spki(new Uint8Array(0)),
      'form 5': spki(concat(octet(5), point.subarray(1))),
      'half a point': spki(point.subarray(0, -1)),
      'more than a point': spki(concat(point, octet(0))),
      'unused bits': spki(timesG(kind, sign === 0 ? q : n - q), 1),
      'x of another point': spki(concat(octet(4), toBytes(x ^ 1n, bytes), toBytes(y, bytes))),
      'numbers of the curve': explicit(timesG(kind, 1n)),
      'another generator': explicit(point),
      'long outer length': concat(octet(0x30, 0x82, 0, body.length), body),
      'long inner length': tlv(
        0x30,
        concat(octet(0x30, 0x81, algorithm.length), algorithm),
        tlv(3, octet(0), point),
      ),
      'length of the usual form': tlv(
        0x30,
        tlv(0x30, algorithm),
        concat(octet(3, 0x80 | padding), new Uint8Array(padding - 1), octet(short.length + 1, 0), short),
      ),
      'string in parts': tlv(0x30, tlv(0x30, algorithm), tlv(0x23, tlv(3, octet(0), point))),
      'no end': endless,
      // The bytes after the unknown length read as a length reach to the end of these.
      'bytes behind no end': concat(
        endless,
        new Uint8Array(4 + 256 * (endless[2] as number) + (endless[3] as number) - endless.length),
      ),
      'another curve': tlv(
        0x30,
        tlv(0x30, ...nameOf(kind === 'p384' ? 'p256' : 'p384')),
        tlv(3, octet(0), point),
      ),
      'no curve': tlv(0x30, tlv(0x30, nameOf(kind)[0]), tlv(3, octet(0), point)),
      'more behind the point': tlv(0x30, tlv(0x30, algorithm), tlv(3, octet(0), point), octet(5, 0)),
    };
    for (const [what, one] of Object.entries(bad)) {
      const read = publicKeyFromSpki(one);
      assert.equal(read.ok ? undefined : read.error.code, 'WB-105', what);
      assert.equal(curveOfSpki(one), undefined, what);
    }
    // Some of them are keys to OpenSSL.
    for (const what of [
      'hybrid',
      'infinity',
      'unused bits',
      'numbers of the curve',
      'string in parts',
      'bytes behind no end',
    ]) {
      const native = createPublicKey({
        key: Buffer.from(bad[what] as Uint8Array),
        format: 'der',
        type: 'spki',
      });
      assert.equal(native.asymmetricKeyDetails?.namedCurve, curve.openssl, what);
    }
    for (const one of [usual, compressed]) {
      const read = publicKeyFromSpki(one);
      assert.ok(read.ok && check(5n, sOf(5n), read.value));
    }
  });

  test(`${kind}: under the point at infinity a signature made with no key verifies nothing`, async () => {
    const message = utf8('never signed');
    const spki = tlv(0x30, tlv(0x30, ...nameOf(kind)), tlv(3, octet(0, 0))) as Der;
    const signature = signatureOf(r, mod(toNumber(sha256(message)) * inverse(k, n), n));
    const read = publicKeyFromSpki(spki);
    assert.equal(read.ok, false);
    // What it is kept from: OpenSSL takes that signature.
    const infinity = lazyPublicKey(spki, kind, 0);
    assert.equal(verifySignature(infinity, message, signature, 'sha256'), true);
    assert.equal(verifyEcdsaDigest(infinity, sha256(message), signature), false);
    assert.equal(await verifyEcdsaDigestAsync(infinity, sha256(message), signature), false);
  });
}

test('a form is named by its length and the first byte of its point', () => {
  for (const kind of kinds) {
    const { spkiHead, bytes } = curves[kind];
    const whole = spkiHead.length + 2 * bytes;
    const form = (length: number, first: number): Uint8Array =>
      new Uint8Array(length).fill(first, spkiHead.length - 1, spkiHead.length);
    assert.equal(isNamedForm(kind, form(whole, 4)), true);
    assert.equal(isNamedForm(kind, form(whole, 6)), false);
    assert.equal(isNamedForm(kind, form(whole - 1, 0)), true);
    assert.equal(isNamedForm(kind, form(whole + 1, 4)), false);
  }
  assert.equal(isNamedForm('rsa', new Uint8Array(300)), true);
});

test('a curve that is none of the three is told by name (WB-105)', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const read = publicKeyFromSpki(publicKey.export({ format: 'der', type: 'spki' }));
  assert.ok(!read.ok && read.error.code === 'WB-105');
  assert.match(read.error.actual, /secp256k1/);
});

test('what the caller does to its bytes after the call changes no verdict', async () => {
  const key = generateKey('p256');
  const message = utf8('x');
  const [digest, other] = [sha256(message), sha256(utf8('y'))];
  const good = new Uint8Array(key.sign(message));
  const bad = new Uint8Array(key.sign(utf8('z')));
  const verdicts = [
    verifyEcdsaDigestAsync(key.publicKey, digest, good),
    verifyEcdsaDigestAsync(key.publicKey, other, bad),
  ];
  bad.set(key.sign(utf8('y')).subarray(0, bad.length));
  good.fill(0);
  digest.fill(0);
  assert.deepEqual(await Promise.all(verdicts), [true, false]);
});

test('RSA keys without their NULL, and with bytes behind, are no keys (WB-105)', () => {
  const { spki } = generateKey('rsa', 2048).publicKey;
  assert.equal(publicKeyFromSpki(spki).ok, true);
  const oid = bytesOf('06092a864886f70d010101');
  const at = 4 + 2 + oid.length + 2;
  const bare = tlv(0x30, tlv(0x30, oid), spki.subarray(at));
  for (const one of [bare, concat(spki, octet(0))]) assert.equal(publicKeyFromSpki(one).ok, false);
});

function lift(kind: CurveKind, x: bigint): InstanceType<(typeof points)[CurveKind]> | undefined {
  try {
    return points[kind].fromBytes(concat(octet(2), toBytes(x, curves[kind].bytes)));
  } catch {
    return undefined;
  }
}

/** id-ecPublicKey and the name of the curve. */
function nameOf(kind: CurveKind): [Uint8Array, Uint8Array] {
  const name = { p256: '06082a8648ce3d030107', p384: '06052b81040022', p521: '06052b81040023' }[kind];
  return [bytesOf('06072a8648ce3d0201'), bytesOf(name)];
}

/** A key whose curve is told by its numbers (SEC 1, C.2). */
function explicitSpki(kind: CurveKind, generator: Uint8Array, point: Uint8Array): Uint8Array {
  const { p, b, n, bytes } = curves[kind];
  const numbers = tlv(
    0x30,
    integer(1n),
    tlv(0x30, bytesOf('06072a8648ce3d0101'), integer(p)),
    tlv(0x30, tlv(4, toBytes(p - 3n, bytes)), tlv(4, toBytes(b, bytes))),
    tlv(4, generator),
    integer(n),
    integer(1n),
  );
  return tlv(0x30, tlv(0x30, nameOf(kind)[0], numbers), tlv(3, octet(0), point));
}
