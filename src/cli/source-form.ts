/** What kind of thing a source names, told by its words alone. */

/** `stored`: an image in a layout, an archive or the store of an engine; `document`: an SBOM or an attestation. */
export type SourceForm = 'registry' | 'stored' | 'folder' | 'document';

export function sourceForm(source: string): SourceForm {
  if (source.startsWith('sbom:')) return 'document';
  if (source.startsWith('dir:')) return 'folder';
  return /^(?:oci|oci-archive|docker-archive|docker|podman|containerd):/.test(source) ? 'stored' : 'registry';
}
