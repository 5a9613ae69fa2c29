/** An SBOM by the name of its file: any format that is known, also inside an attestation. */
import { basename } from 'node:path';
import { unwrap } from '#base/result';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { sbomFileBytes } from './sbom-bytes.ts';

/** Gets what the reader should know about a document. */
export type Tell = (note: string) => void;

/** Throws WB-192 and the codes of JSON for what is none, WB-980 for an attestation of something else. */
export async function readSbomFile(path: string, tell: Tell): Promise<Sbom> {
  const bytes = await sbomFileBytes(path);
  const document = parseSbom(bytes);
  if (document.ok) return document.value;
  // Readers of signed documents are loaded only where there may be one.
  const { attestationNotes, parseSbomFile } = await import('./sbom-attestation.ts');
  const file = unwrap(parseSbomFile(bytes));
  for (const note of attestationNotes(basename(path), file)) tell(note);
  return file.sbom;
}
