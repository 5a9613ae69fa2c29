/**
 * The one door to node:crypto: hashes, signatures, keys. Keys are parsed once into objects that keep their
 * SubjectPublicKeyInfo bytes beside the native handle.
 */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  hash as hashOneShot,
  type KeyObject,
  generateKeyPairSync as nodeGenerateKeyPair,
  scrypt as nodeScrypt,
  sign as nodeSign,
  verify as nodeVerify,
  privateEncrypt,
  publicDecrypt,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { Der, Pem } from './brand.ts';
import { equalBytes, toBase64 } from './bytes.ts';
import { curveOfSpki, isEd25519Spki, isNamedForm } from './curves.ts';
import { fail, reason } from './reason.ts';
import { R } from './reasons.ts';
import { err, ok, type Result } from './result.ts';

export type HashName = 'sha256' | 'sha384' | 'sha512';

/** One-shot hash. */
export function hash(algorithm: HashName, bytes: Uint8Array): Uint8Array {
  return hashOneShot(algorithm, bytes, 'buffer');
}
export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes);

/** SHA-256 with one character a byte: a third of the cost of an array that is thrown away at once. */
export const sha256Latin1 = (bytes: Uint8Array): string => hashOneShot('sha256', bytes, 'binary');

/** The id git gives an object: the hash of `<type> <length>\0<bytes>`. SHA-1 only because git's ids are. */
export function gitObjectId(
  format: 'sha1' | 'sha256',
  type: 'blob' | 'tree' | 'commit' | 'tag',
  bytes: Uint8Array,
): Uint8Array {
  return createHash(format).update(`${type} ${bytes.length}\0`).update(bytes).digest();
}

/** SHA-1, only to compare identifiers others have fixed (ESSCertID of RFC 2634); never for a signature. */
export const sha1Unsafe = (bytes: Uint8Array): Uint8Array => hashOneShot('sha1', bytes, 'buffer');

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The hash value; the hasher must not be used afterwards. */
  finish(): Uint8Array;
}

export function hasher(algorithm: HashName = 'sha256'): Hasher {
  const state = createHash(algorithm);
  return { update: (bytes) => void state.update(bytes), finish: () => state.digest() };
}

export type KeyKind = 'p256' | 'p384' | 'p521' | 'rsa' | 'ed25519';

export interface PublicKey {
  readonly kind: KeyKind;
  /** RSA modulus length in bits; 0 for other kinds. */
  readonly bits: number;
  /** DER SubjectPublicKeyInfo as given. */
  readonly spki: Der;
  readonly handle: KeyObject;
}

const curveNames: Record<string, KeyKind> = { prime256v1: 'p256', secp384r1: 'p384', secp521r1: 'p521' };

function kindOf(handle: KeyObject): KeyKind | undefined {
  if (handle.asymmetricKeyType === 'ec') return curveNames[handle.asymmetricKeyDetails?.namedCurve ?? ''];
  if (handle.asymmetricKeyType === 'rsa') return 'rsa';
  if (handle.asymmetricKeyType === 'ed25519') return 'ed25519';
  return undefined;
}

function wrapPublic(handle: KeyObject, spki: Uint8Array): Result<PublicKey> {
  const kind = kindOf(handle);
  const bits = handle.asymmetricKeyDetails?.modulusLength ?? 0;
  if (kind === undefined || (kind === 'rsa' && (bits < 2048 || bits > 8192))) {
    const actual = `${handle.asymmetricKeyType ?? 'unknown'} ${handle.asymmetricKeyDetails?.namedCurve ?? bits}`;
    return err(
      reason(R.publicKey, { expected: 'ECDSA P-256/384/521, RSA 2048–8192 bits or Ed25519', actual }),
    );
  }
  return ok({ kind, bits, spki: spki as Der, handle });
}

/**
 * Parses DER SubjectPublicKeyInfo: one key has one spelling for each form of its point. Bytes after the structure,
 * BER, the point at infinity, and what RFC 5480 §2 has receivers refuse are refused.
 */
export function publicKeyFromSpki(spki: Uint8Array): Result<PublicKey> {
  // The usual form of a key that is not RSA needs no native parser before it verifies something.
  const kind = isEd25519Spki(spki) ? 'ed25519' : curveOfSpki(spki);
  if (kind !== undefined) return ok(lazyPublicKey(spki as Der, kind, 0));
  try {
    const handle = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    // OpenSSL reads BER, says nothing about what follows it, and takes infinity: under that key everything verifies.
    // What it writes is DER; of infinity it writes nothing but throws.
    if (!equalBytes(handle.export({ format: 'der', type: 'spki' }), spki)) throw new Error('not DER');
    const read = wrapPublic(handle, spki);
    if (read.ok && !isNamedForm(read.value.kind, spki))
      throw new Error('a curve or point in a forbidden form');
    return read;
  } catch {
    return err(
      reason(R.publicKey, {
        expected: 'DER SubjectPublicKeyInfo',
        actual: `${spki.length} bytes that do not parse`,
      }),
    );
  }
}

/**
 * A key whose kind and length the caller has read from its SubjectPublicKeyInfo; the native handle is made at
 * first use. A point off the curve shows then: `verifySignature` says false, `handle` throws WB-105.
 */
export function lazyPublicKey(spki: Der, kind: KeyKind, bits: number): PublicKey {
  let made: KeyObject | undefined;
  return {
    kind,
    bits,
    spki,
    get handle(): KeyObject {
      made ??= importSpki(spki);
      return made;
    },
  };
}

/** The native handle alone, where kind and length are known already. PEM takes OpenSSL a third of DER's time. */
function importSpki(spki: Der): KeyObject {
  const text = toBase64(spki);
  let lines = '';
  for (let at = 0; at < text.length; at += 64) lines += `${text.slice(at, at + 64)}\n`;
  try {
    return createPublicKey(`-----BEGIN PUBLIC KEY-----\n${lines}-----END PUBLIC KEY-----\n`);
  } catch {
    const expected = 'DER SubjectPublicKeyInfo';
    throw fail(R.publicKey, { expected, actual: `${spki.length} bytes that do not parse` });
  }
}

/** Parses a DER PKCS#1 RSAPublicKey; SubjectPublicKeyInfo is accepted too. The result carries the latter. */
export function publicKeyFromPkcs1(der: Uint8Array): Result<PublicKey> {
  try {
    const handle = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'pkcs1' });
    return wrapPublic(handle, new Uint8Array(handle.export({ format: 'der', type: 'spki' })));
  } catch {
    return publicKeyFromSpki(der);
  }
}

/** Parses a `PUBLIC KEY` PEM (or an RSA/EC variant OpenSSL knows). */
export function publicKeyFromPem(pem: string): Result<PublicKey> {
  try {
    const handle = createPublicKey(pem);
    return wrapPublic(handle, handle.export({ format: 'der', type: 'spki' }));
  } catch {
    return err(
      reason(R.publicKey, { expected: 'a PEM public key', actual: 'text that does not parse as one' }),
    );
  }
}

export function publicKeyPem(key: PublicKey): Pem {
  return key.handle.export({ format: 'pem', type: 'spki' }) as Pem;
}

/** The hash a key signs with by default: P-256, RSA → SHA-256; P-384 → SHA-384; P-521 → SHA-512. */
export function defaultHash(kind: KeyKind): HashName {
  if (kind === 'p384') return 'sha384';
  return kind === 'p521' || kind === 'ed25519' ? 'sha512' : 'sha256';
}

/**
 * Checks a signature over `data`. ECDSA signatures are DER, RSA is PKCS#1 v1.5, Ed25519 is pure (its hash is
 * fixed and `algorithm` is ignored). Malformed signatures are false, never an exception.
 */
export function verifySignature(
  key: PublicKey,
  data: Uint8Array,
  signature: Uint8Array,
  algorithm: HashName = defaultHash(key.kind),
): boolean {
  try {
    return nodeVerify(key.kind === 'ed25519' ? null : algorithm, data, key.handle, signature);
  } catch {
    return false;
  }
}

const signElsewhere = promisify(nodeSign);
const verifyElsewhere = promisify(nodeVerify);

/** `verifySignature` on another thread: the event loop goes on meanwhile. Never rejects. */
export async function verifySignatureAsync(
  key: PublicKey,
  data: Uint8Array,
  signature: Uint8Array,
  algorithm: HashName = defaultHash(key.kind),
): Promise<boolean> {
  try {
    return await verifyElsewhere(key.kind === 'ed25519' ? null : algorithm, data, key.handle, signature);
  } catch {
    return false;
  }
}

/** DER DigestInfo up to the hash value (RFC 8017 §9.2, note 1). */
const digestInfoPrefix: Readonly<Record<HashName, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

/** Checks an RSA PKCS#1 v1.5 signature over a hash value. */
export function verifyRsaDigest(
  key: PublicKey,
  algorithm: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  // A leading zero left out is the same number, but no signature (RFC 8017 §8.2.2).
  if (key.kind !== 'rsa' || signature.length !== Math.ceil(key.bits / 8)) return false;
  try {
    const padding = constants.RSA_PKCS1_PADDING;
    const signed = publicDecrypt({ key: key.handle, padding }, signature);
    const wanted = Buffer.concat([Buffer.from(digestInfoPrefix[algorithm], 'hex'), digest]);
    return signed.equals(wanted);
  } catch {
    return false;
  }
}

/** The uncompressed point (0x04, x, y) of an EC key. */
export function ecPoint(key: PublicKey): Uint8Array {
  const { x, y } = key.handle.export({ format: 'jwk' });
  if (x === undefined || y === undefined) throw new Error(`${key.kind} keys have no point`);
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

/** Something that signs: a key in memory, a file, a device. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** Signs with the key's default hash unless told otherwise; the result is DER for ECDSA. */
  sign(data: Uint8Array, algorithm?: HashName): Uint8Array;
  /** The same on another thread, where the signer can. */
  signAsync?(data: Uint8Array, algorithm?: HashName): Promise<Uint8Array>;
}

/**
 * Something that signs where this process cannot look: a device, another process, a key service.
 *
 * Contract: what `sign` resolves with is a signature of `publicKey`; a holder whose key lies elsewhere has verified it.
 * Rejects with a reason of the environment when there is none, and nothing was signed then as far as the caller goes.
 */
export interface KeyHolder {
  readonly publicKey: PublicKey;
  /** As `Signer.sign`. */
  sign(data: Uint8Array, algorithm?: HashName): Promise<Uint8Array>;
}

/** Kinds whose signature takes no more of this thread than the way to another and back. */
const quickKinds: ReadonlySet<KeyKind> = new Set(['ed25519']);

/** A key at hand, as a holder. It signs on another thread where that is worth the way and the signer can. */
export function holderOf(signer: Signer): KeyHolder {
  const { publicKey } = signer;
  if (quickKinds.has(publicKey.kind) || signer.signAsync === undefined) {
    return { publicKey, sign: async (data, algorithm) => signer.sign(data, algorithm) };
  }
  const { signAsync } = signer;
  return { publicKey, sign: (data, algorithm) => signAsync(data, algorithm) };
}

export interface PrivateKey extends Signer {
  /** PKCS#8 PEM: the secret itself; encrypted (PBES2, AES-256-CBC) when a passphrase is given. */
  exportPem(passphrase?: string): Pem;
}

function wrapPrivate(handle: KeyObject): Result<PrivateKey> {
  const publicHandle = createPublicKey(handle);
  const wrapped = wrapPublic(publicHandle, publicHandle.export({ format: 'der', type: 'spki' }));
  if (!wrapped.ok) return wrapped;
  const publicKey = wrapped.value;
  return ok({
    publicKey,
    sign: (data, algorithm = defaultHash(publicKey.kind)) =>
      nodeSign(publicKey.kind === 'ed25519' ? null : algorithm, data, handle),
    signAsync: (data, algorithm = defaultHash(publicKey.kind)) =>
      signElsewhere(publicKey.kind === 'ed25519' ? null : algorithm, data, handle),
    exportPem: (passphrase) =>
      handle.export({
        format: 'pem',
        type: 'pkcs8',
        ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
      }) as Pem,
  });
}

/** Parses a private key: PKCS#8, SEC1 or PKCS#1 PEM, unencrypted or with OpenSSL's own encryption. */
export function privateKeyFromPem(pem: string, passphrase?: string): Result<PrivateKey> {
  try {
    return wrapPrivate(createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase }));
  } catch {
    return err(
      reason(R.privateKey, { expected: 'a PEM private key', actual: 'text that does not parse as one' }),
    );
  }
}

/** An RSA PKCS#1 v1.5 signature over a hash value. */
export function signRsaDigest(key: PrivateKey, algorithm: HashName, digest: Uint8Array): Uint8Array {
  const padding = constants.RSA_PKCS1_PADDING;
  const wanted = Buffer.concat([Buffer.from(digestInfoPrefix[algorithm], 'hex'), digest]);
  return privateEncrypt({ key: key.exportPem(), padding }, wanted);
}

/** The secret of an ECDSA key (its scalar) or an Ed25519 key (its seed), for signatures over hash values. */
export function privateScalar(key: PrivateKey): Uint8Array {
  const { d } = createPrivateKey(key.exportPem()).export({ format: 'jwk' });
  if (d === undefined) throw new Error(`${key.publicKey.kind} keys have no scalar`);
  return Buffer.from(d, 'base64url');
}

/** A fresh key pair. `bits` is for RSA. */
export function generateKey(kind: KeyKind, bits = 3072): PrivateKey {
  const wrapped = wrapPrivate(generateHandle(kind, bits));
  if (!wrapped.ok) throw new Error(`generated key was refused: ${wrapped.error.actual}`);
  return wrapped.value;
}

function generateHandle(kind: KeyKind, bits: number): KeyObject {
  if (kind === 'rsa') return nodeGenerateKeyPair('rsa', { modulusLength: bits }).privateKey;
  if (kind === 'ed25519') return nodeGenerateKeyPair('ed25519').privateKey;
  const namedCurve = { p256: 'P-256', p384: 'P-384', p521: 'P-521' }[kind];
  return nodeGenerateKeyPair('ec', { namedCurve }).privateKey;
}

export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** Key derivation (RFC 7914). The caller has bounded the cost: memory is about 128 · N · r bytes. */
export function scryptKey(
  password: string,
  salt: Uint8Array,
  cost: ScryptCost,
  length: number,
): Promise<Uint8Array> {
  const maxmem = 128 * cost.N * cost.r + 16 * 1024 * 1024;
  return new Promise((resolve, reject) => {
    nodeScrypt(password, salt, length, { ...cost, maxmem }, (error, key) => {
      if (error === null) resolve(new Uint8Array(key));
      else reject(error);
    });
  });
}

/** Bytes of an ML-DSA-44 public key and signature (FIPS 204). */
export const mlDsa44 = { publicKeyBytes: 1312, signatureBytes: 2420 } as const;

/** SubjectPublicKeyInfo of an ML-DSA-44 key, before its bytes (RFC 9881). */
const mlDsa44Head = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');

/**
 * Checks an ML-DSA-44 signature (pure, empty context) with a raw public key. Only logs and witnesses use these keys;
 * no certificate or key file here carries one, so they are no `KeyKind`. Malformed input is false.
 */
export function verifyMlDsa44(key: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== mlDsa44.publicKeyBytes || signature.length !== mlDsa44.signatureBytes) return false;
  try {
    const handle = createPublicKey({ key: Buffer.concat([mlDsa44Head, key]), format: 'der', type: 'spki' });
    return handle.asymmetricKeyType === 'ml-dsa-44' && nodeVerify(null, data, handle, signature);
  } catch {
    return false;
  }
}

/** A fresh ML-DSA-44 key: its raw public bytes, and what signs. */
export function generateMlDsa44(): { readonly publicKey: Uint8Array; sign(data: Uint8Array): Uint8Array } {
  const { publicKey, privateKey } = nodeGenerateKeyPair('ml-dsa-44');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(spki.subarray(mlDsa44Head.length)),
    sign: (data) => nodeSign(null, data, privateKey),
  };
}
