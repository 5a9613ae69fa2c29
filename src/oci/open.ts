/** From what a user writes to a source: a reference, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`. */

import { parseDigest } from '#base/digest';
import { unwrap } from '#base/result';
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

const form = /^(oci|oci-archive|docker-archive):(.+)$/;

/** Opens an image for reading. Nothing is fetched from a registry yet. */
export async function openImage(registry: Registry, text: string): Promise<OpenedImage> {
  const match = form.exec(text);
  if (match === null) {
    const reference = unwrap(parseReference(text));
    const source = registry.repository(reference);
    return { source, selector: reference, name: referenceText(reference), reference };
  }
  const [, kind, rest = ''] = match;
  const { path, selector } = splitPath(rest);
  if (kind === 'oci') return { source: await openLayout(path), selector, name: text };
  if (kind === 'docker-archive') return { source: await openDockerArchive(path), selector, name: text };
  const source = new LayoutSource(await tarFiles(path));
  await requireLayout(source);
  return { source, selector, name: text };
}

/** `PATH[:tag][@digest]`; a colon inside a folder name belongs to the path. */
function splitPath(text: string): { readonly path: string; readonly selector: Selector } {
  const at = text.lastIndexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (digest?.ok === true) return { path: text.slice(0, at), selector: { digest: digest.value } };
  const match = /^(.+):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/.exec(text);
  const [, path, tag] = match ?? [];
  return path === undefined || tag === undefined ? { path: text, selector: {} } : { path, selector: { tag } };
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
