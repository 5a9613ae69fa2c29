/** From what a user writes to a source: a reference, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`. */

import { unwrap } from '#base/result';
import { parseFileSource } from '#formats/image-source';
import { parseReference, parseRepository, type Reference, referenceText } from '#formats/reference';
import { openDockerArchive } from './docker-archive.ts';
import { LayoutSource, openLayout, requireLayout } from './layout.ts';
import { tarFiles } from './layout-files.ts';
import type { Registry } from './registry.ts';
import type { Repository } from './repository.ts';
import type { ImageSource, Selector } from './source.ts';

export interface OpenedImage {
  readonly source: ImageSource;
  readonly selector: Selector;
  /** The canonical name, for messages and for statements. */
  readonly name: string;
  /** When it lies in a registry. */
  readonly reference?: Reference;
}

/** Opens an image for reading. Nothing is fetched from a registry yet. */
export async function openImage(registry: Registry, text: string): Promise<OpenedImage> {
  const file = parseFileSource(text);
  if (file === undefined) {
    const reference = unwrap(parseReference(text));
    const source = registry.repository(reference);
    return { source, selector: reference, name: referenceText(reference), reference };
  }
  const { kind, path, tag, digest } = file;
  const selector = digest !== undefined ? { digest } : tag !== undefined ? { tag } : {};
  if (kind === 'oci') return { source: await openLayout(path), selector, name: text };
  if (kind === 'docker-archive') return { source: await openDockerArchive(path), selector, name: text };
  const source = new LayoutSource(await tarFiles(path));
  await requireLayout(source);
  return { source, selector, name: text };
}

/** Where signatures of an image are read and written: its repository, and the one of COSIGN_REPOSITORY. */
export function attachmentPlaces(
  registry: Registry,
  image: Pick<Reference, 'registry' | 'repository'>,
  cosignRepository?: string,
): { readonly read: readonly Repository[]; readonly write: Repository } {
  const own = registry.repository(image);
  if (cosignRepository === undefined || cosignRepository === '') return { read: [own], write: own };
  const other = registry.repository(unwrap(parseRepository(cosignRepository)));
  return other === own ? { read: [own], write: own } : { read: [own, other], write: other };
}
