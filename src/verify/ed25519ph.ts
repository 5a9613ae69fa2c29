/**
 * Ed25519ph (RFC 8032 §5.1), which node:crypto does not have; done with @noble/curves. Malformed input is false,
 * never an exception.
 */

import { type EdDSA, eddsa, edwards } from '@noble/curves/abstract/edwards.js';
import { concat, utf8 } from '#base/bytes';
import { hash, type PublicKey } from '#base/crypto';

/** RFC 8032 §2: dom2 with flag 1 and an empty context. */
const domain = utf8('SigEd25519 no Ed25519 collisions');
const sha512 = (bytes: Uint8Array): Uint8Array => hash('sha512', bytes);

/** RFC 8032 §5.1: p, the order of the base point, the cofactor, the coefficients, the base point. */
const edwards25519 = {
  p: 2n ** 255n - 19n,
  n: 2n ** 252n + 27742317777372353535851937790883648493n,
  h: 8n,
  a: 2n ** 255n - 20n,
  d: 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n,
  Gx: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  Gy: 0x6666666666666666666666666666666666666666666666666666666666666658n,
};

let made: EdDSA | undefined;

/** Ed25519ph with the prehash already done. Made at first use: few signatures need it, every start would pay. */
function scheme(): EdDSA {
  made ??= eddsa(edwards(edwards25519), sha512, {
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
  return made;
}

/** Signs the SHA-512 of a message with the 32-byte seed of a key. */
export function signEd25519phDigest(digest: Uint8Array, seed: Uint8Array): Uint8Array {
  return scheme().sign(digest, seed);
}

export function verifyEd25519phDigest(key: PublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  if (key.kind !== 'ed25519' || digest.length !== 64 || signature.length !== 64) return false;
  try {
    return scheme().verify(signature, digest, key.spki.subarray(-32));
  } catch {
    return false;
  }
}

export function verifyEd25519ph(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verifyEd25519phDigest(key, sha512(bytes), signature);
}
