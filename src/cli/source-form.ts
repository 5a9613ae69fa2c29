/** What kind of thing a source names, told by its words alone. */
import { isEngineSource, isFileSource } from '#formats/image-source';

/** `stored`: an image in a layout, an archive or the store of an engine; `document`: an SBOM or an attestation. */
export type SourceForm = 'registry' | 'stored' | 'folder' | 'document';

export function sourceForm(source: string): SourceForm {
  if (source.startsWith('sbom:')) return 'document';
  if (source.startsWith('dir:')) return 'folder';
  return isFileSource(source) || isEngineSource(source) ? 'stored' : 'registry';
}
