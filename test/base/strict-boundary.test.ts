/** Text, digests and keys from outside at the borders of what is accepted. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import {
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  toBase64,
  tryBase64,
  utf8,
  utf8Text,
} from '#base/bytes';
import {
  generateKey,
  generateMlDsa44,
  holderOf,
  lazyPublicKey,
  mlDsa44,
  type PublicKey,
  publicKeyFromPem,
  publicKeyFromPkcs1,
  publicKeyFromSpki,
  publicKeyPem,
  sha256,
  signRsaDigest,
  verifyMlDsa44,
  verifyRsaDigest,
  verifySignature,
  verifySignatureAsync,
} from '#base/crypto';
import { parseDigest } from '#base/digest';
import { attempt, type Result, unwrap } from '#base/result';
import { der } from '#formats/der';

function said(body: () => unknown): string {
  const read = attempt(body);
  return read.ok ? 'ok' : read.error.code;
}
const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

test('bytes that are no UTF-8 are refused, a written U+FFFD is not (WB-101)', () => {
  for (const bad of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xef, 0xbf, 0xbd, 0x80]]) {
    assert.equal(
      said(() => utf8Text(Uint8Array.from(bad))),
      'WB-101',
      bad.join(' '),
    );
  }
  assert.equal(utf8Text(utf8('a\ufffdb')), 'a\ufffdb');
  assert.equal(utf8Text(utf8('\ufeffé')), '\ufeffé');
});

test('bytes are equal when lengths and all bytes are', () => {
  assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
  assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
  assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)), false);
  assert.equal(equalBytes(new Uint8Array(), new Uint8Array()), true);
  assert.equal(equalBytes(Uint8Array.of(1), Uint8Array.of(2)), false);
});

test('hex is pairs of lower-case digits from end to end (WB-102)', () => {
  assert.deepEqual([...fromHex('00ff1a')], [0, 255, 26]);
  assert.deepEqual([...fromHex('')], []);
  for (const bad of ['0', '0FFF', '0g', 'g0', ' 00', '00 ', '00\n', 'xx00', '00xx', '000']) {
    assert.equal(
      said(() => fromHex(bad)),
      'WB-102',
      bad,
    );
  }
});

test('base64 is canonical, whatever its length (WB-103)', () => {
  for (const length of [0, 1, 2, 3, 4, 60, 61, 62, 63, 64, 65, 66]) {
    const bytes = new Uint8Array(length).fill(0xa5);
    const text = toBase64(bytes);
    assert.deepEqual(fromBase64(text), bytes);
    const altered = [`${text}=`, `${text}\n`, ` ${text}`, `${text}A`, text.slice(0, -1), `-${text.slice(1)}`];
    for (const bad of altered) {
      if (bad === '') continue;
      assert.equal(
        said(() => fromBase64(bad)),
        'WB-103',
        bad,
      );
      assert.equal(tryBase64(bad), undefined, bad);
    }
  }
  for (const bad of ['=', '====', 'A===', 'AB==', 'AAB=', 'A=A=', '=AAA', 'AAA\u0080', 'é===', '\u0100AAA']) {
    assert.equal(
      said(() => fromBase64(bad)),
      'WB-103',
      bad,
    );
  }
  for (const [text, bytes] of [
    ['AAAA', [0, 0, 0]],
    ['AA==', [0]],
    ['/w==', [255]],
    ['AAA=', [0, 0]],
    ['//8=', [255, 255]],
    ['+/+/', [251, 255, 191]],
  ] as const) {
    assert.deepEqual([...fromBase64(text)], bytes);
  }
});

test('base64url has its own alphabet and no padding (WB-103)', () => {
  assert.deepEqual([...fromBase64Url('-_8')], [251, 255]);
  assert.deepEqual([...fromBase64Url('')], []);
  for (const bad of ['-_8=', '+/8', '-_9', '-_ 8', 'A', '-_8\n']) {
    assert.equal(
      said(() => fromBase64Url(bad)),
      'WB-103',
      bad,
    );
  }
});

test('a digest is an algorithm and its number of lower-case digits, nothing around it (WB-104)', () => {
  const forms = { sha256: 64, sha384: 96, sha512: 128 };
  for (const [name, digits] of Object.entries(forms)) {
    const good = `${name}:${'a'.repeat(digits)}`;
    assert.equal(codeOf(parseDigest(good)), 'ok');
    const altered = [`x${good}`, `${good}a`, good.slice(0, -1), good.toUpperCase(), `${good}\n`, ` ${good}`];
    const code = codeOf(parseDigest(''));
    assert.match(code, /^WB-10\d$/);
    for (const bad of altered) assert.equal(codeOf(parseDigest(bad)), code, bad);
  }
  assert.notEqual(codeOf(parseDigest(`sha1:${'a'.repeat(40)}`)), 'ok');
});

const spkiOf = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ format: 'der', type: 'spki' }));
/** A key with a modulus of this many bits: nobody has to know its factors to read it. */
const rsaKey = (bits: number): Uint8Array => der.seq(der.int(2n ** BigInt(bits) - 1n), der.int(65_537));
const rsaSpki = (bits: number): Uint8Array =>
  der.seq(der.seq(der.oid('1.2.840.113549.1.1.1'), der.nul()), der.bits(rsaKey(bits)));

test('keys are of the five kinds, RSA between 2048 and 8192 bits (WB-105)', () => {
  for (const kind of ['p256', 'p384', 'p521', 'ed25519'] as const) {
    const { publicKey } = generateKey(kind);
    assert.equal(unwrap(publicKeyFromSpki(publicKey.spki)).kind, kind);
    assert.equal(unwrap(publicKeyFromPem(publicKeyPem(publicKey))).kind, kind);
  }
  for (const bits of [2048, 2049, 8192]) {
    const key = unwrap(publicKeyFromSpki(rsaSpki(bits)));
    assert.deepEqual([key.kind, key.bits], ['rsa', bits]);
    assert.equal(unwrap(publicKeyFromPkcs1(rsaKey(bits))).bits, bits);
  }
  for (const bits of [1024, 2047, 8193]) {
    assert.equal(codeOf(publicKeyFromSpki(rsaSpki(bits))), 'WB-105', `${bits}`);
    assert.equal(codeOf(publicKeyFromPkcs1(rsaKey(bits))), 'WB-105', `${bits}`);
  }
  const strangers = [
    generateKeyPairSync('ed448').publicKey,
    generateKeyPairSync('x25519').publicKey,
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey,
    generateKeyPairSync('ml-dsa-44').publicKey,
  ];
  for (const key of strangers) {
    assert.equal(codeOf(publicKeyFromSpki(spkiOf(key))), 'WB-105', key.asymmetricKeyType);
    assert.equal(codeOf(publicKeyFromPem(key.export({ format: 'pem', type: 'spki' }) as string)), 'WB-105');
  }
  assert.equal(codeOf(publicKeyFromSpki(Uint8Array.of(0x30, 0))), 'WB-105');
  assert.equal(codeOf(publicKeyFromPem('no key')), 'WB-105');
  assert.equal(codeOf(publicKeyFromPkcs1(Uint8Array.of(0x30, 0))), 'WB-105');
});

test('a key that is made later verifies as one made at once; one that is none verifies nothing', () => {
  const signer = generateKey('p256');
  const data = utf8('data');
  const { spki, kind, bits } = signer.publicKey;
  const lazy = lazyPublicKey(spki, kind, bits);
  assert.equal(verifySignature(lazy, data, signer.sign(data)), true);
  assert.equal(verifySignature(lazy, utf8('other'), signer.sign(data)), false);
  assert.equal(verifySignature(lazy, data, new Uint8Array()), false);
  const broken = Uint8Array.from(spki);
  broken[broken.length - 1] = (broken.at(-1) as number) ^ 1;
  const none = lazyPublicKey(broken as typeof spki, kind, bits);
  assert.equal(verifySignature(none, data, signer.sign(data)), false);
});

const rsa = generateKey('rsa', 2048);

test('an RSA signature over a hash value is of that value, by an RSA key', () => {
  const digest = sha256(utf8('data'));
  const signature = signRsaDigest(rsa, 'sha256', digest);
  assert.equal(verifyRsaDigest(rsa.publicKey, 'sha256', digest, signature), true);
  assert.equal(verifyRsaDigest(rsa.publicKey, 'sha256', sha256(utf8('other')), signature), false);
  assert.equal(verifyRsaDigest(rsa.publicKey, 'sha384', digest, signature), false);
  assert.equal(verifyRsaDigest(rsa.publicKey, 'sha256', digest, signature.subarray(1)), false);
  // The same number with one byte less is no signature.
  let [zeroDigest, withZero] = [digest, signature];
  for (let i = 0; withZero[0] !== 0; i++) {
    zeroDigest = sha256(utf8(`data ${i}`));
    withZero = signRsaDigest(rsa, 'sha256', zeroDigest);
  }
  assert.equal(verifyRsaDigest(rsa.publicKey, 'sha256', zeroDigest, withZero), true);
  assert.equal(verifyRsaDigest(rsa.publicKey, 'sha256', zeroDigest, withZero.subarray(1)), false);
  // What says it is another kind of key is not asked, whatever handle it holds.
  const disguised: PublicKey = { ...rsa.publicKey, kind: 'p256' };
  assert.equal(verifyRsaDigest(disguised, 'sha256', digest, signature), false);
});

test('on another thread keys of every kind sign and verify as they do on this one', async () => {
  const data = utf8('data');
  for (const key of [
    ...(['p256', 'p384', 'p521', 'ed25519'] as const).map((kind) => generateKey(kind)),
    rsa,
  ]) {
    const { publicKey } = key;
    const made = await holderOf(key).sign(data);
    assert.equal(verifySignature(publicKey, data, made), true, publicKey.kind);
    assert.equal(await verifySignatureAsync(publicKey, data, key.sign(data)), true, publicKey.kind);
    assert.equal(await verifySignatureAsync(publicKey, utf8('other'), made), false);
    assert.equal(await verifySignatureAsync(publicKey, data, made.subarray(1)), false);
    assert.equal(await verifySignatureAsync(publicKey, data, new Uint8Array()), false);
  }
  const { spki, kind, bits } = generateKey('p256').publicKey;
  const broken = Uint8Array.from(spki);
  broken[broken.length - 1] = (broken.at(-1) as number) ^ 1;
  const none = lazyPublicKey(broken as typeof spki, kind, bits);
  assert.equal(await verifySignatureAsync(none, data, new Uint8Array(70)), false);
  const synchronous = { publicKey: rsa.publicKey, sign: rsa.sign };
  assert.deepEqual(await holderOf(synchronous).sign(data), rsa.sign(data));
});

test('an ML-DSA-44 signature is of its message, key and signature of their exact lengths', () => {
  const signer = generateMlDsa44();
  const data = utf8('data');
  const signature = signer.sign(data);
  assert.equal(signature.length, mlDsa44.signatureBytes);
  assert.equal(verifyMlDsa44(signer.publicKey, data, signature), true);
  assert.equal(verifyMlDsa44(signer.publicKey, utf8('other'), signature), false);
  assert.equal(verifyMlDsa44(generateMlDsa44().publicKey, data, signature), false);
  assert.equal(verifyMlDsa44(signer.publicKey, data, signature.subarray(1)), false);
  assert.equal(verifyMlDsa44(signer.publicKey.subarray(1), data, signature), false);
});
