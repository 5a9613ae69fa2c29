/** PublicKeyDetails of sigstore_common.proto: names that say key kind, encoding and hash at once. */
import type { HashName, KeyKind, PublicKey } from '#base/crypto';

export interface KeyDetails {
  readonly kind: KeyKind;
  /** RSA modulus bits; absent when any supported length is meant. */
  readonly bits?: number;
  readonly hash: HashName;
  /** Ed25519 over the SHA-512 of the message (RFC 8032 §5.1, prehash variant). */
  readonly prehashed?: true;
  /** The key bytes are a PKCS#1 RSAPublicKey or a SubjectPublicKeyInfo with that algorithm. */
  readonly pkcs1?: true;
}

/** What waybill supports. Not listed: PSS, LMS, ML-DSA, HMAC. */
export const keyDetails = {
  PKIX_ECDSA_P256_SHA_256: { kind: 'p256', hash: 'sha256' },
  PKIX_ECDSA_P384_SHA_384: { kind: 'p384', hash: 'sha384' },
  PKIX_ECDSA_P384_SHA_256: { kind: 'p384', hash: 'sha256' },
  PKIX_ECDSA_P521_SHA_512: { kind: 'p521', hash: 'sha512' },
  PKIX_ECDSA_P521_SHA_256: { kind: 'p521', hash: 'sha256' },
  PKIX_ED25519: { kind: 'ed25519', hash: 'sha512' },
  PKIX_ED25519_PH: { kind: 'ed25519', hash: 'sha512', prehashed: true },
  PKIX_RSA_PKCS1V5: { kind: 'rsa', hash: 'sha256' },
  PKIX_RSA_PKCS1V15_2048_SHA256: { kind: 'rsa', bits: 2048, hash: 'sha256' },
  PKIX_RSA_PKCS1V15_3072_SHA256: { kind: 'rsa', bits: 3072, hash: 'sha256' },
  PKIX_RSA_PKCS1V15_4096_SHA256: { kind: 'rsa', bits: 4096, hash: 'sha256' },
  PKCS1_RSA_PKCS1V5: { kind: 'rsa', hash: 'sha256', pkcs1: true },
} as const satisfies Readonly<Record<string, KeyDetails>>;

export type KeyDetailsName = keyof typeof keyDetails;

export function keyDetailsByName(name: string): KeyDetails | undefined {
  return Object.hasOwn(keyDetails, name) ? keyDetails[name as KeyDetailsName] : undefined;
}

/** Whether a key is of the kind its details announce. */
export function keyFits(details: KeyDetails, key: PublicKey): boolean {
  return details.kind === key.kind && (details.bits === undefined || details.bits === key.bits);
}

/** The name for a key signing with its default hash; undefined for RSA lengths the list does not name. */
export function keyDetailsFor(key: PublicKey, prehashed = false): KeyDetailsName | undefined {
  switch (key.kind) {
    case 'p256':
      return 'PKIX_ECDSA_P256_SHA_256';
    case 'p384':
      return 'PKIX_ECDSA_P384_SHA_384';
    case 'p521':
      return 'PKIX_ECDSA_P521_SHA_512';
    case 'ed25519':
      return prehashed ? 'PKIX_ED25519_PH' : 'PKIX_ED25519';
    case 'rsa': {
      const name = `PKIX_RSA_PKCS1V15_${key.bits}_SHA256`;
      return Object.hasOwn(keyDetails, name) ? (name as KeyDetailsName) : undefined;
    }
  }
}
