/**
 * Keys that sign content: bytes, or the hash of bytes that lie elsewhere. A key in memory, a program and a
 * service look alike from here.
 */
import { p256, p384, p521 } from '@noble/curves/nist.js';
import {
  defaultHash,
  type HashName,
  hash,
  type PrivateKey,
  type PublicKey,
  privateScalar,
  signRsaDigest,
} from '#base/crypto';
import { fail } from '#base/reason';
import { signEd25519phDigest } from '#verify';
import { R } from './reasons.ts';

/** What is to be signed. Without `bytes` only the hash is known. */
export interface Signable {
  readonly bytes?: Uint8Array;
  /** Throws WB-820 when it can neither be computed nor was given. */
  digest(algorithm: HashName): Uint8Array;
}

/**
 * Contract: signs with the default hash of the key's kind. ECDSA signatures are DER, RSA is PKCS#1 v1.5.
 * Ed25519 signs the SHA-512 (RFC 8032 Ed25519ph) unless `pure` is asked for, which needs the bytes.
 */
export interface ContentKey {
  readonly publicKey: PublicKey;
  sign(content: Signable, options?: { readonly pure?: boolean }): Promise<Uint8Array>;
}

export function signableBytes(bytes: Uint8Array): Signable {
  return { bytes, digest: (algorithm) => hash(algorithm, bytes) };
}

export function signableDigest(known: HashName, value: Uint8Array): Signable {
  return {
    digest: (algorithm) => {
      if (algorithm === known) return value;
      throw fail(R.digestKind, { expected: `the ${algorithm} digest of the content`, actual: known });
    },
  };
}

/** A private key at hand. */
export function contentKey(key: PrivateKey): ContentKey {
  const { publicKey } = key;
  const algorithm = defaultHash(publicKey.kind);
  return {
    publicKey,
    sign: async (content, { pure = false } = {}) => {
      const { bytes } = content;
      if (publicKey.kind === 'ed25519' && !pure) {
        return signEd25519phDigest(content.digest('sha512'), privateScalar(key));
      }
      // OpenSSL hides what it computes with; the curve arithmetic below is for hashes only.
      if (bytes !== undefined) return key.sign(bytes);
      return signDigest(key, algorithm, content.digest(algorithm));
    },
  };
}

const curves = { p256, p384, p521 };

function signDigest(key: PrivateKey, algorithm: HashName, digest: Uint8Array): Uint8Array {
  const { kind } = key.publicKey;
  if (kind === 'rsa') return signRsaDigest(key, algorithm, digest);
  if (kind === 'ed25519') {
    throw fail(R.digestKind, {
      expected: 'the content itself for a pure Ed25519 signature',
      actual: 'a digest',
    });
  }
  // With fresh entropy: a log takes the same content again only under another signature.
  return curves[kind].sign(digest, privateScalar(key), {
    prehash: false,
    format: 'der',
    lowS: false,
    extraEntropy: true,
  });
}
