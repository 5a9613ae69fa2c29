/** What is known of a scanned document beside what was found, for whoever does not see the table. */
import type { ScanResult } from '#scan';
import type { CliContext } from './context.ts';
import { plainText } from './render/plain.ts';

const SHOWN_MAX = 10;

/** Nothing that a document leaves unsaid may end as "nothing found" alone: other tools' forms have no place for it. */
export function tellNotes(
  { notes, unknowns }: Pick<ScanResult, 'notes' | 'unknowns'>,
  { stderr }: Pick<CliContext, 'stderr'>,
): void {
  for (const note of notes) stderr(plainText(`note: ${note}`));
  const gaps = unknowns.filter(({ wantedBy }) => wantedBy === 'sbom');
  for (const { reason } of gaps.slice(0, SHOWN_MAX)) stderr(plainText(`warning: in the SBOM: ${reason}`));
  if (gaps.length > SHOWN_MAX) stderr(`warning: in the SBOM: ${gaps.length - SHOWN_MAX} more such packages`);
}
