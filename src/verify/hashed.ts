/** Bytes, or what is known of them: their digest. Hashes are computed once each. */
import type { Digest } from '#base/brand';
import { type HashName, hash } from '#base/crypto';
import { digestAlgorithm, digestBytes } from '#base/digest';

export interface Hashed {
  /** Undefined when only a digest is known. */
  readonly bytes: Uint8Array | undefined;
  /** Undefined when it can neither be computed nor is the one that was given. */
  digest(algorithm: HashName): Uint8Array | undefined;
}

export function hashed(input: Uint8Array | Digest): Hashed {
  if (typeof input === 'string') {
    const known = digestAlgorithm(input);
    const value = digestBytes(input);
    return { bytes: undefined, digest: (algorithm) => (algorithm === known ? value : undefined) };
  }
  const computed = new Map<HashName, Uint8Array>();
  return {
    bytes: input,
    digest(algorithm) {
      let value = computed.get(algorithm);
      if (value === undefined) {
        value = hash(algorithm, input);
        computed.set(algorithm, value);
      }
      return value;
    },
  };
}
