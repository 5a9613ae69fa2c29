/** Why a problem is, or is not, found in something: every comparison that was made for it. */
import type { Sbom, SbomPackage } from '#formats/sbom';
import type { AdvisoryDatabase, AffectedEntry } from './database/index.ts';
import { lookupsIn } from './lookup.ts';
import { boundsFor, concerns } from './match.ts';
import { type Affected, evaluate } from './range.ts';

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
export function explainIn(sbom: Sbom, database: AdvisoryDatabase, id: string): readonly Comparison[] {
  const meant = new Set(database.explain(id).map(({ advisory }) => advisory.id));
  const bounds = boundsFor(sbom);
  const found: Comparison[] = [];
  for (const one of sbom.packages) {
    for (const lookup of lookupsIn(one, sbom.distro, database.info.ecosystems, 'uncovered')) {
      const { ecosystem, name, version, order = ecosystem } = lookup;
      for (const entry of database.find(ecosystem, name)) {
        if (!meant.has(entry.advisory.id)) continue;
        const isMeant = concerns(entry, lookup, one);
        const { affected } = evaluate(version, order, entry.ranges, entry.versions, bounds);
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
