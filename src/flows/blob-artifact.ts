/** The file a signature is about: its bytes while they are few, its digest in any case. */
import type { Digest } from '#base/brand';
import { concat } from '#base/bytes';
import { type HashName, hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';

/** Up to here bytes are kept: some signatures (pure Ed25519) can only be checked over them. */
const KEPT_BYTES = 64 * 1024 * 1024;

export interface BlobArtifact {
  readonly artifact: Uint8Array | Digest;
  readonly digest: Digest;
}

/** Reads a stream once. `algorithm` is the one that will be needed when the bytes are too many to keep. */
export async function artifactFrom(
  chunks: AsyncIterable<Uint8Array>,
  algorithm: HashName,
  keptBytes = KEPT_BYTES,
): Promise<BlobArtifact> {
  const hash = hasher(algorithm);
  let kept: Uint8Array[] | undefined = [];
  let length = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    length += chunk.length;
    if (length > keptBytes) kept = undefined;
    kept?.push(chunk);
  }
  const digest = digestFromBytes(algorithm, hash.finish());
  if (kept === undefined) return { artifact: digest, digest };
  const [only] = kept;
  return { artifact: kept.length === 1 && only !== undefined ? only : concat(...kept), digest };
}
