/** What reports need beside the result, and what they share. */
import type { Reason } from '#base/reason';
import type { Sbom } from '#formats/sbom';
import type { Finding, ScanResult } from '../finding.ts';
import { severities } from '../severity.ts';

export const SCAN_SCHEMA = 'waybill.dev/scan/v1';

export interface ReportOptions {
  /** Milliseconds: start and end of the scan. */
  readonly startedMs: number;
  readonly finishedMs: number;
  /** Of waybill. */
  readonly version: string;
  /** What was scanned, for reports that list every package. */
  readonly sbom?: Sbom;
  /** What the gate said, when there was one. */
  readonly gate?: { readonly failOn?: string; readonly reasons: readonly Reason[] };
  /** Show what was taken off the list as well. */
  readonly showSuppressed?: boolean;
}

export function countBySeverity(findings: readonly Finding[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const severity of [...severities].reverse()) {
    counts[severity] = findings.filter((one) => one.rating.severity === severity).length;
  }
  return counts;
}

/**
 * Text from images and databases may carry terminal escapes, turns of direction and what XML cannot hold; they are
 * shown, not obeyed.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g,
    '\ufffd',
  );

/** What keeps "nothing found" from meaning "nothing wrong", a line each. */
export function gapLines(result: ScanResult): string[] {
  const { coverage, unknowns, undetermined, suppressed, licenses, endOfLife, notes } = result;
  const uncovered = coverage.filter((one) => one.advisories === 0);
  const counted = (count: number, text: string): string[] => (count === 0 ? [] : [`${count} ${text}`]);
  return [
    ...uncovered.map((one) => `no advisories for ${one.ecosystem}: ${one.packages} packages not judged`),
    ...counted(unknowns.length, 'parts of the image could not be read'),
    ...counted(undetermined.length, 'versions could not be compared'),
    ...counted(suppressed.length, 'findings taken off the list'),
    ...counted(licenses.length, 'packages under licences that are not accepted'),
    ...(endOfLife === undefined ? [] : [`${endOfLife.distro} is repaired by nobody since ${endOfLife.date}`]),
    ...(result.database.isSampleOnly ? ['the database is only the sample, not for decisions'] : []),
    ...notes,
  ].map(printable);
}

/** Empty columns mean nothing where the database was built without what fills them. */
export function missingFeeds({ epss, knownExploited }: ScanResult['database']): string {
  const missing = [epss === 0 ? 'EPSS scores' : [], knownExploited === 0 ? 'KEV entries' : []].flat();
  return missing.length === 0 ? '' : `without ${missing.join(' and ')}`;
}

/** `fixed in 1.2.3`, or what is known instead. */
export function fixText({ fixed, state }: Finding): string {
  if (fixed.length > 0) return fixed.join(', ');
  if (state === 'wont-fix') return 'will not be fixed';
  return state === 'unknown' ? 'unknown' : 'none known';
}
