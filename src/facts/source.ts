/** Evidence and tags of images by their canonical names, read through the mirror map. */
import type { Digest } from '#base/brand';
import { unwrap } from '#base/result';
import { parseRepository } from '#formats/reference';
import type { ImageSource, Registry } from '#oci';
import type { ImageEvidenceSource } from './judge.ts';
import type { MirrorMap } from './mirror.ts';
import { type ReadAttachments, registryEvidence } from './registry-evidence.ts';

export interface MirroredRegistry extends ImageEvidenceSource {
  /** The digest a tag of a repository names now. WB-502 when it is not there. */
  resolve(name: { readonly repository: string; readonly tag: string }): Promise<Digest>;
}

export function mirroredRegistry(
  registry: Registry,
  mirror: MirrorMap,
  read?: ReadAttachments,
): MirroredRegistry {
  const place = (repository: string): ImageSource =>
    registry.repository(unwrap(parseRepository(mirror(repository))));
  return {
    ...registryEvidence((image) => [place(image.repository)], read),
    async resolve({ repository, tag }) {
      return (await place(repository).resolve({ tag })).digest;
    },
  };
}
