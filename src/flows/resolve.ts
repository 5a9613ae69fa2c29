/** The first step of every use case: a name becomes a digest, once. */
import type { Digest, PinnedRef } from '#base/brand';
import type { Descriptor } from '#formats/oci';
import { type DigestReference, pinnedText } from '#formats/reference';
import { type ImageSource, type OpenedImage, openImage, type Registry, tryResolve } from '#oci';

export interface ResolvedImage {
  readonly source: ImageSource;
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  /** The canonical name as the user wrote it, with its tag. */
  readonly name: string;
  /** `registry/repository@digest`, when it lies in a registry. */
  readonly pinned?: PinnedRef;
  readonly reference?: DigestReference;
  /** A tag beside the digest names something else now: the digest counts, the user should know. */
  readonly tagMovedTo?: Digest;
}

/** Resolves a reference, `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`. Absent: WB-502. */
export async function resolveImage(registry: Registry, text: string): Promise<ResolvedImage> {
  const opened = await openImage(registry, text);
  const descriptor = await opened.source.resolve(opened.selector);
  const { digest } = descriptor;
  const tagged = await taggedNow(opened);
  return {
    source: opened.source,
    digest,
    descriptor,
    name: opened.name,
    ...(opened.reference === undefined
      ? {}
      : { reference: { ...opened.reference, digest }, pinned: pinnedText(opened.reference, digest) }),
    ...(tagged === undefined || tagged.digest === digest ? {} : { tagMovedTo: tagged.digest }),
  };
}

/** What the tag of `name:tag@digest` holds; undefined when only one of them was given. */
async function taggedNow({ source, selector }: OpenedImage): Promise<Descriptor | undefined> {
  if (selector.digest === undefined || selector.tag === undefined) return undefined;
  return tryResolve(source, { tag: selector.tag });
}
