/** Packages × database → findings, and everything that keeps "nothing found" from meaning "nothing wrong". */
import type { Sbom, SbomPackage, Unknown } from '#formats/sbom';
import type { AdvisoryDatabase, AffectedEntry, DatabaseInfo } from './database.ts';
import { ecosystemOf, type Lookup, lookupsFor } from './lookup.ts';
import { evaluate } from './range.ts';
import { isMalicious, type Rating, severityRank } from './severity.ts';

export interface Finding {
  /** The malicious-package or CVE id where there is one, else the advisory's own. */
  readonly id: string;
  /** Every other id of the same problem, sorted. */
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly rating: Rating;
  readonly package: SbomPackage;
  readonly ecosystem: string;
  /** The source package the advisory is about, where it is another. */
  readonly source?: string;
  /** Empty: no fix is known. */
  readonly fixed: readonly string[];
  readonly isMalicious: boolean;
  readonly isSample: boolean;
  readonly published?: string;
}

export interface Suppressed {
  readonly finding: Finding;
  readonly reason: string;
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
}

export interface ScanResult {
  readonly sbom: Pick<Sbom, 'subject' | 'distro' | 'tool'>;
  readonly database: DatabaseInfo;
  readonly packages: number;
  /** Worst first. */
  readonly findings: readonly Finding[];
  readonly suppressed: readonly Suppressed[];
  readonly undetermined: readonly Undetermined[];
  readonly coverage: readonly Coverage[];
  readonly unknowns: readonly Unknown[];
}

/** Matches every package. Pure apart from reading the database. */
export function matchPackages(sbom: Sbom, database: AdvisoryDatabase): ScanResult {
  const coverage = coverageOf(sbom, database.info);
  const covered = new Set(coverage.filter((one) => one.advisories > 0).map((one) => one.ecosystem));
  const owners = new Map(sbom.packages.map((one) => [one.id, one]));
  const findings: Finding[] = [];
  const suppressed: Suppressed[] = [];
  const undetermined: Undetermined[] = [];
  for (const one of sbom.packages) {
    const matched = matchPackage(one, sbom, database, undetermined);
    const owner = one.ownedBy === undefined ? undefined : owners.get(one.ownedBy);
    // The distribution repairs its own copies under its own version numbers: its word counts where it has one.
    const isSpokenFor = owner !== undefined && covered.has(ecosystemOf(owner, sbom.distro));
    for (const finding of matched) {
      if (isSpokenFor && !finding.isMalicious) {
        suppressed.push({ finding, reason: `part of ${owner.name}, which the distribution looks after` });
      } else findings.push(finding);
    }
  }
  return {
    sbom: {
      subject: sbom.subject,
      ...(sbom.distro === undefined ? {} : { distro: sbom.distro }),
      tool: sbom.tool,
    },
    database: database.info,
    packages: sbom.packages.length,
    findings: findings.sort(compareFindings),
    suppressed,
    undetermined,
    coverage,
    unknowns: sbom.unknowns,
  };
}

interface Hit {
  readonly entry: AffectedEntry;
  readonly lookup: Lookup;
  readonly fixed: readonly string[];
}

function matchPackage(
  one: SbomPackage,
  sbom: Sbom,
  database: AdvisoryDatabase,
  undetermined: Undetermined[],
): Finding[] {
  const hits: Hit[] = [];
  for (const lookup of lookupsFor(one, sbom.distro)) {
    for (const entry of database.find(lookup.ecosystem, lookup.name)) {
      const result = evaluate(lookup.version, lookup.ecosystem, entry.ranges, entry.versions);
      if (result.affected === 'yes') hits.push({ entry, lookup, fixed: result.fixed });
      if (result.affected === 'undetermined') {
        const reason = `version ${JSON.stringify(lookup.version)} cannot be compared as ${lookup.ecosystem}`;
        undetermined.push({ id: entry.advisory.id, package: one, reason });
      }
    }
  }
  return groupByAlias(hits).map((group) => findingOf(one, group));
}

/** Advisories that share an id are about one problem. */
function groupByAlias(hits: readonly Hit[]): Hit[][] {
  const groups: { ids: Set<string>; hits: Hit[] }[] = [];
  for (const hit of hits) {
    const ids = new Set([hit.entry.advisory.id, ...hit.entry.advisory.aliases]);
    const joined = groups.filter((group) => [...ids].some((id) => group.ids.has(id)));
    const merged = { ids, hits: [hit] };
    for (const group of joined) {
      for (const id of group.ids) merged.ids.add(id);
      merged.hits.unshift(...group.hits);
      groups.splice(groups.indexOf(group), 1);
    }
    groups.push(merged);
  }
  return groups.map((group) => group.hits);
}

/** MAL- before CVE- before everything else; then by text. */
function idRank(id: string): number {
  if (id.startsWith('MAL-')) return 0;
  return /^CVE-\d{4}-\d+$/.test(id) ? 1 : 2;
}

function findingOf(one: SbomPackage, hits: readonly Hit[]): Finding {
  const ids = new Set(hits.flatMap(({ entry }) => [entry.advisory.id, ...entry.advisory.aliases]));
  const own = new Set(hits.map(({ entry }) => entry.advisory.id));
  const sorted = [...ids].sort(
    (a, b) => idRank(a) - idRank(b) || Number(own.has(b)) - Number(own.has(a)) || (a < b ? -1 : 1),
  );
  const worst = hits.reduce((a, b) =>
    severityRank(b.entry.rating.severity) > severityRank(a.entry.rating.severity) ? b : a,
  );
  const first = hits[0] as Hit;
  const fixed = new Set(hits.flatMap((hit) => hit.fixed));
  const { published } = first.entry.advisory;
  return {
    id: sorted[0] as string,
    aliases: sorted.slice(1).sort(),
    summary: hits.map(({ entry }) => entry.advisory.summary).find((text) => text !== '') ?? '',
    rating: worst.entry.rating,
    package: one,
    ecosystem: first.lookup.ecosystem,
    ...(first.lookup.isSource && first.lookup.name !== one.name ? { source: first.lookup.name } : {}),
    fixed: [...fixed],
    isMalicious: isMalicious({ id: sorted[0] as string, aliases: sorted }),
    isSample: hits.every(({ entry }) => entry.advisory.isSample),
    ...(published === undefined ? {} : { published }),
  };
}

function compareFindings(a: Finding, b: Finding): number {
  return (
    severityRank(b.rating.severity) - severityRank(a.rating.severity) ||
    (b.rating.score ?? 0) - (a.rating.score ?? 0) ||
    compareText(a.package.name, b.package.name) ||
    compareText(a.package.version, b.package.version) ||
    compareText(a.id, b.id) ||
    compareText(a.package.id, b.package.id)
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function coverageOf(sbom: Sbom, info: DatabaseInfo): Coverage[] {
  const packages = new Map<string, number>();
  for (const one of sbom.packages) {
    const ecosystem = ecosystemOf(one, sbom.distro);
    packages.set(ecosystem, (packages.get(ecosystem) ?? 0) + 1);
  }
  return [...packages]
    .sort(([a], [b]) => compareText(a, b))
    .map(([ecosystem, count]) => ({
      ecosystem,
      packages: count,
      advisories: (info.ecosystems.get(ecosystem) ?? 0) + (info.ecosystems.get(`${ecosystem}:LTS`) ?? 0),
    }));
}
