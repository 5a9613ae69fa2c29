/** What a scan finds, and everything that keeps "nothing found" from meaning "nothing wrong". */
import type { Sbom, SbomPackage, Unknown } from '#formats/sbom';
import type { DatabaseInfo, Epss, FixState, KnownExploited } from './database/index.ts';
import type { EndOfLife } from './rules/end-of-life.ts';
import type { LicenseFinding } from './rules/licenses.ts';
import { type Rating, severityRank } from './severity.ts';

export interface Finding {
  /** The malicious-package or CVE id where there is one, else the advisory's own. */
  readonly id: string;
  /** Every other id of the same problem, sorted. */
  readonly aliases: readonly string[];
  /** Ids of problems the advisory speaks of, where it is a notice about several; sorted. */
  readonly related: readonly string[];
  /** Ids of the advisories that matched, sorted. */
  readonly advisories: readonly string[];
  readonly summary: string;
  readonly rating: Rating;
  readonly package: SbomPackage;
  readonly ecosystem: string;
  /** The source package the advisory is about, where it is another. */
  readonly source?: string;
  /** Empty: no fix is known. */
  readonly fixed: readonly string[];
  readonly state: FixState;
  readonly isMalicious: boolean;
  /** Nobody knows the version of the package: the advisory is about all of them, or the package is malicious. */
  readonly isVersionUnknown?: boolean;
  readonly isSample: boolean;
  readonly published?: string;
  readonly cwes: readonly string[];
  readonly references: readonly string[];
  readonly epss?: Epss;
  readonly knownExploited?: KnownExploited;
  /** Found only because the package is probably this product: less certain than a record about the package. */
  readonly cpe?: string;
}

/** Who took a finding off the list. */
export type SuppressedBy =
  | 'distribution'
  | 'kernel-headers'
  | 'vex'
  | 'ignore-rule'
  | 'baseline'
  | 'fix-state'
  | 'severity'
  | 'package-kind';

export interface Suppressed {
  readonly finding: Finding;
  readonly by: SuppressedBy;
  readonly reason: string;
  /** The file that says so. */
  readonly file?: string;
  readonly owner?: string;
  /** YYYY-MM-DD. */
  readonly expires?: string;
  /** VEX status and justification, for other formats. */
  readonly vex?: { readonly status: 'not_affected' | 'fixed'; readonly justification?: string };
}

export interface Undetermined {
  readonly id: string;
  readonly package: SbomPackage;
  readonly reason: string;
}

export interface Coverage {
  /** OSV ecosystem; in brackets what has none. */
  readonly ecosystem: string;
  readonly packages: number;
  /** Advisory entries of the database for it; 0 means that nothing could be found. */
  readonly advisories: number;
  /** Packages of the operating system are among them. */
  readonly isSystem?: boolean;
  /** There are none for it; its packages were looked up as products, and these are the entries about products. */
  readonly isByCpe?: boolean;
}

/** A file of decisions of which some are about nothing that was found. */
export interface UnusedRules {
  readonly file: string;
  readonly kind: 'vex' | 'ignore-rule' | 'baseline';
  /** How many of its statements, rules or findings that count. */
  readonly unused: number;
  /** How many it has that count. */
  readonly of: number;
}

export interface ScanResult {
  readonly sbom: Pick<Sbom, 'subject' | 'distro' | 'tool'>;
  readonly database: DatabaseInfo;
  /** How many. */
  readonly packages: number;
  /** Worst first. */
  readonly findings: readonly Finding[];
  readonly suppressed: readonly Suppressed[];
  readonly undetermined: readonly Undetermined[];
  readonly coverage: readonly Coverage[];
  readonly unknowns: readonly Unknown[];
  /** Packages whose licences the policy of the scan does not accept. */
  readonly licenses: readonly LicenseFinding[];
  /** The release of the operating system, when nobody repairs it for free any more. */
  readonly endOfLife?: EndOfLife;
  /** Files of decisions that are about nothing that was found, in whole or in part. */
  readonly unused?: readonly UnusedRules[];
  /** Said with every result: rules that ran out, documents that did not apply. */
  readonly notes: readonly string[];
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The one order of findings: worst first, then by text, independent of locale. */
export function compareFindings(a: Finding, b: Finding): number {
  return (
    severityRank(b.rating.severity) - severityRank(a.rating.severity) ||
    (b.rating.score ?? 0) - (a.rating.score ?? 0) ||
    compareText(a.package.name, b.package.name) ||
    compareText(a.package.version, b.package.version) ||
    compareText(a.id, b.id) ||
    compareText(a.package.id, b.package.id)
  );
}

/** Every id a finding goes by. */
export const idsOf = (one: Finding): readonly string[] => [one.id, ...one.aliases];
