/**
 * Ed25519ph (RFC 8032 §5.1), which node:crypto does not have; done with @noble/curves. Malformed input is false,
 * never an exception.
 */

import { eddsa } from '@noble/curves/abstract/edwards.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { concat, utf8 } from '#base/bytes';
import { hash, type PublicKey } from '#base/crypto';

/** RFC 8032 §2: dom2 with flag 1 and an empty context. */
const domain = utf8('SigEd25519 no Ed25519 collisions');
const sha512 = (bytes: Uint8Array): Uint8Array => hash('sha512', bytes);

/** Ed25519ph with the prehash already done: what is signed is the SHA-512 of the message. */
export const ed25519phOfDigest = eddsa(ed25519.Point, sha512, {
  domain: (data: Uint8Array, context: Uint8Array) =>
    concat(domain, Uint8Array.of(1, context.length), context, data),
  prehash: (digest: Uint8Array) => digest,
  // RFC 8032 §5.1.5: how a signer makes its scalar.
  adjustScalarBytes: (bytes: Uint8Array) => {
    bytes[0] = (bytes[0] as number) & 248;
    bytes[31] = ((bytes[31] as number) & 127) | 64;
    return bytes;
  },
  zip215: false,
});

export function verifyEd25519phDigest(key: PublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  if (key.kind !== 'ed25519' || digest.length !== 64 || signature.length !== 64) return false;
  try {
    return ed25519phOfDigest.verify(signature, digest, key.spki.subarray(-32));
  } catch {
    return false;
  }
}

export function verifyEd25519ph(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verifyEd25519phDigest(key, sha512(bytes), signature);
}
