/** Why a problem is, or is not, found in something: every comparison that was made for it. */
import type { Sbom, SbomPackage } from '#formats/sbom';
import type { AdvisoryDatabase, AffectedEntry } from './database/index.ts';
import { type Finding, idsOf, type ScanResult, type Suppressed, type Undetermined } from './finding.ts';
import { type CpeMatching, lookupsIn, sourceEpochsOf } from './lookup.ts';
import { compared, concerns } from './match.ts';
import type { Affected } from './range.ts';

export interface Comparison {
  readonly advisory: string;
  readonly package: SbomPackage;
  /** What was asked of the database. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
  readonly ranges: string;
  readonly affected: Affected;
  /** Why the entry says nothing about this package, where it does not. */
  readonly besides?: string;
}

/** `>= 1.0.0, < 2.0.0 || 3.0.0`: what an entry says, for people. */
export function rangesText({ ranges, versions }: Pick<AffectedEntry, 'ranges' | 'versions'>): string {
  const texts = ranges.map(({ events }) =>
    events
      .map((event) => {
        if ('introduced' in event) return event.introduced === '0' ? 'all' : `>= ${event.introduced}`;
        if ('fixed' in event) return `< ${event.fixed}`;
        return 'lastAffected' in event ? `<= ${event.lastAffected}` : `below ${event.limit}`;
      })
      .join(', '),
  );
  const listed =
    versions.length > 8
      ? `${versions.slice(0, 8).join(' ')} and ${versions.length - 8} more`
      : versions.join(' ');
  return [...texts, ...(listed === '' ? [] : [listed])].join(' || ');
}

/** Everything compared for advisories of this id, in the order of packages. */
export function explainIn(
  sbom: Sbom,
  database: AdvisoryDatabase,
  id: string,
  cpe: CpeMatching = 'uncovered',
): readonly Comparison[] {
  const meant = new Set(database.explain(id).map(({ advisory }) => advisory.id));
  const epochs = sourceEpochsOf(sbom.packages);
  const found: Comparison[] = [];
  for (const one of sbom.packages) {
    for (const lookup of lookupsIn(one, sbom.distro, database.info.ecosystems, cpe, epochs)) {
      const { ecosystem, name, version } = lookup;
      for (const entry of database.find(ecosystem, name)) {
        if (!meant.has(entry.advisory.id)) continue;
        const isMeant = concerns(entry, lookup, one);
        const { affected } = compared(entry, lookup);
        found.push({
          advisory: entry.advisory.id,
          package: one,
          ecosystem,
          name,
          version,
          ranges: rangesText(entry),
          affected: isMeant ? affected : 'no',
          ...(isMeant ? {} : { besides: 'another module or architecture' }),
        });
      }
    }
  }
  return found;
}

/** `suppressed`: found, and taken off the list. */
export type Verdict = 'affected' | 'suppressed' | 'undetermined' | 'not-affected';

/** What a scan says of one package about one problem, and why. */
export interface Explanation {
  readonly package: SbomPackage;
  /** The first of these that holds: a finding stands, one was taken off, a version could not be compared. */
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  readonly suppressed: readonly Suppressed[];
  readonly undetermined: readonly Undetermined[];
  readonly comparisons: readonly Comparison[];
}

/**
 * Every package that was compared for an id, with what the scan of it decided: nothing is judged a second time, so
 * that the two cannot disagree. `result` is the scan of `sbom` with `database` and the same `cpe`.
 */
export function explainScan(
  { sbom, result }: { readonly sbom: Sbom; readonly result: ScanResult },
  database: AdvisoryDatabase,
  id: string,
  cpe: CpeMatching = 'uncovered',
): readonly Explanation[] {
  const comparisons = explainIn(sbom, database, id, cpe);
  const meant = new Set([id, ...database.explain(id).map(({ advisory }) => advisory.id)]);
  const isMeant = (one: Finding): boolean =>
    [...idsOf(one), ...one.related].includes(id) || one.advisories.some((advisory) => meant.has(advisory));
  const findings = result.findings.filter(isMeant);
  const suppressed = result.suppressed.filter(({ finding }) => isMeant(finding));
  const undetermined = result.undetermined.filter((one) => meant.has(one.id));
  return sbom.packages.flatMap((one): Explanation[] => {
    const ofPackage = (other: { readonly package: SbomPackage }): boolean => other.package === one;
    const made = {
      findings: findings.filter(ofPackage),
      suppressed: suppressed.filter(({ finding }) => ofPackage(finding)),
      undetermined: undetermined.filter(ofPackage),
      comparisons: comparisons.filter(ofPackage),
    };
    if (Object.values(made).every((list) => list.length === 0)) return [];
    return [{ package: one, verdict: verdictOf(made), ...made }];
  });
}

function verdictOf(made: Omit<Explanation, 'package' | 'verdict'>): Verdict {
  if (made.findings.length > 0) return 'affected';
  if (made.suppressed.length > 0) return 'suppressed';
  return made.undetermined.length > 0 ? 'undetermined' : 'not-affected';
}
