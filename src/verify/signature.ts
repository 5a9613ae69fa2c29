/** Does a signature verify with a key over bytes, or over bytes of which only the hash is known? */
import { type HashName, type PublicKey, verifyRsaDigest, verifySignature } from '#base/crypto';
import { verifyEcdsaDigest } from '#base/ecdsa-digest';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { verifyEd25519ph, verifyEd25519phDigest } from './ed25519ph.ts';
import type { Hashed } from './hashed.ts';
import { R } from './reasons.ts';

export interface SignatureScheme {
  readonly hash: HashName;
  /** `digest`: over the hash value; `pure`: Ed25519 over the bytes themselves. */
  readonly over: 'digest' | 'pure';
}

/**
 * Hashes a key of each kind is accepted with, the usual first. P-384 and P-521 keys with SHA-256 occur in old
 * bundles (PKIX_ECDSA_P384_SHA_256).
 */
const hashesOf = {
  p256: ['sha256'],
  p384: ['sha384', 'sha256'],
  p521: ['sha512', 'sha256'],
  rsa: ['sha256'],
} as const;

/** Finds the scheme under which the signature verifies. Fails with WB-340, or WB-304 when a digest lacks. */
export function verifyContentSignature(
  key: PublicKey,
  content: Hashed,
  signature: Uint8Array,
): Result<SignatureScheme> {
  if (key.kind === 'ed25519') return verifyEd25519(key, content, signature);
  const hashes = hashesOf[key.kind];
  for (const hash of hashes) {
    if (verifyUnder(key, hash, content, signature)) return ok({ hash, over: 'digest' });
  }
  // Without the usual digest the signature was not judged at all.
  return content.digest(hashes[0]) === undefined ? needsMore(hashes[0]) : invalid(key);
}

function verifyUnder(key: PublicKey, hash: HashName, content: Hashed, signature: Uint8Array): boolean {
  if (content.bytes !== undefined) return verifySignature(key, content.bytes, signature, hash);
  const digest = content.digest(hash);
  return digest !== undefined && verifyHashSignature(key, hash, digest, signature);
}

function verifyEd25519(key: PublicKey, content: Hashed, signature: Uint8Array): Result<SignatureScheme> {
  if (content.bytes !== undefined) {
    if (verifySignature(key, content.bytes, signature)) return ok({ hash: 'sha512', over: 'pure' });
    if (verifyEd25519ph(key, content.bytes, signature)) return ok({ hash: 'sha512', over: 'digest' });
    return invalid(key);
  }
  const digest = content.digest('sha512');
  if (digest === undefined) return needsMore('sha512');
  return verifyEd25519phDigest(key, digest, signature)
    ? ok({ hash: 'sha512', over: 'digest' })
    : invalid(key);
}

/**
 * Whether `signature` is over the hash value `digest`: ECDSA, RSA PKCS#1 v1.5, or Ed25519ph (SHA-512 only). For
 * those who never see the bytes, such as a log. False for a digest of the wrong length.
 */
export function verifyHashSignature(
  key: PublicKey,
  algorithm: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (digest.length !== { sha256: 32, sha384: 48, sha512: 64 }[algorithm]) return false;
  if (key.kind === 'rsa') return verifyRsaDigest(key, algorithm, digest, signature);
  if (key.kind === 'ed25519') return algorithm === 'sha512' && verifyEd25519phDigest(key, digest, signature);
  return verifyEcdsaDigest(key, digest, signature);
}

function invalid(key: PublicKey): Result<never> {
  const expected = `a signature that verifies with the signer's ${key.kind} key`;
  return err(reason(R.signature, { expected, actual: 'one that does not' }));
}

function needsMore(algorithm: string): Result<never> {
  const expected = `the artifact, or its ${algorithm} digest`;
  return err(reason(R.artifactForm, { expected, actual: 'another digest only' }));
}
