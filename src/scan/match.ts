/** Packages × database → findings. */
import { isSystemPath, type Sbom, type SbomPackage } from '#formats/sbom';
import type { Advisory, AdvisoryDatabase, AffectedEntry, DatabaseInfo, FixState } from './database/index.ts';
import { isComprehensive, systemTypes } from './ecosystems.ts';
import {
  type Coverage,
  compareFindings,
  compareText,
  type Finding,
  idsOf,
  type ScanResult,
  type Suppressed,
  type SuppressedBy,
  type Undetermined,
} from './finding.ts';
import {
  boundsOf,
  type CpeMatching,
  distroFor,
  ecosystemOf,
  isByCpe,
  type Lookup,
  lookupsIn,
  type SourceEpochs,
  sourceEpochsOf,
} from './lookup.ts';
import { type AffectedResult, evaluate } from './range.ts';
import { isMalicious, severityRank } from './severity.ts';
import { CPE_ECOSYSTEM } from './sources/nvd.ts';
import type { BoundOptions } from './versions/bounds.ts';

export interface MatchOptions {
  /** Default `uncovered`. */
  readonly cpe?: CpeMatching;
}

/** Matches every package. Pure apart from reading the database. */
export function matchPackages(
  sbom: Sbom,
  database: AdvisoryDatabase,
  { cpe = 'uncovered' }: MatchOptions = {},
): ScanResult {
  const coverage = coverageOf(sbom, database.info, cpe);
  const scan = new Scan(sbom, database, cpe);
  for (const one of sbom.packages) scan.add(one);
  return {
    sbom: {
      subject: sbom.subject,
      ...(sbom.distro === undefined ? {} : { distro: sbom.distro }),
      tool: sbom.tool,
    },
    database: database.info,
    packages: sbom.packages.length,
    findings: scan.findings.sort(compareFindings),
    suppressed: scan.suppressed.sort((a, b) => compareFindings(a.finding, b.finding)),
    undetermined: scan.undetermined,
    coverage,
    unknowns: sbom.unknowns,
    licenses: [],
    notes: unversioned(scan.findings),
  };
}

/** Findings in packages whose version nobody knows. */
const unversioned = (findings: readonly Finding[]): string[] =>
  findings
    .filter(({ isVersionUnknown }) => isVersionUnknown === true)
    .map(({ id, package: { name }, isMalicious: isBad }) => {
      const why = isBad ? 'the package is malicious' : 'the advisory is about every version';
      return `${id} is reported of ${name}, whose version is not known: ${why}`;
    });

interface Hit {
  readonly entry: AffectedEntry;
  readonly advisory: Advisory;
  readonly lookup: Lookup;
  readonly fixed: readonly string[];
}

/** What the database says about one package. */
interface Answer {
  readonly findings: readonly Finding[];
  /** What it is known not to have. */
  readonly repaired: readonly AffectedEntry[];
}

/** Ids of problems that a distribution's data speaks of for one of its packages. */
interface Said {
  readonly reported: ReadonlySet<string>;
  readonly repaired: ReadonlySet<string>;
}

class Scan {
  readonly findings: Finding[] = [];
  readonly suppressed: Suppressed[] = [];
  readonly undetermined: Undetermined[] = [];
  readonly #sbom: Sbom;
  readonly #database: AdvisoryDatabase;
  readonly #cpe: CpeMatching;
  readonly #packages: ReadonlyMap<string, SbomPackage>;
  readonly #said = new Map<string, Said>();
  readonly #epochs: SourceEpochs;

  constructor(sbom: Sbom, database: AdvisoryDatabase, cpe: CpeMatching) {
    this.#sbom = sbom;
    this.#database = database;
    this.#cpe = cpe;
    this.#packages = new Map(sbom.packages.map((one) => [one.id, one]));
    this.#epochs = sourceEpochsOf(sbom.packages);
  }

  add(one: SbomPackage): void {
    for (const finding of this.#ask(one, this.undetermined).findings) {
      const why = isKernelHeader(finding) ? kernelHeaders : this.#spokenFor(one, finding);
      if (why === undefined) this.findings.push(finding);
      else this.suppressed.push({ finding, ...why });
    }
  }

  /**
   * The distribution repairs its own copies under its own version numbers: its word counts where its data has one about
   * this problem in the package that brought the files, and where only its packages put files. A list of files is
   * written by whoever made the image: that it names a package takes nothing off.
   */
  #spokenFor(one: SbomPackage, finding: Finding): { by: SuppressedBy; reason: string } | undefined {
    const owner = one.ownedBy === undefined ? undefined : this.#packages.get(one.ownedBy);
    const distro = owner === undefined ? undefined : distroFor(owner, this.#sbom.distro);
    if (owner === undefined || distro === undefined || finding.isMalicious) return undefined;
    if (!one.locations.every(({ path }) => isSystemPath(path))) return undefined;
    const said = this.#saidOf(owner);
    const repaired = idsOf(finding).find((id) => said.repaired.has(id));
    const reported = idsOf(finding).find((id) => said.reported.has(id));
    if (reported !== undefined && isComprehensive(distro)) {
      return { by: 'distribution', reason: `part of ${owner.name}, of which ${reported} is reported` };
    }
    if (repaired === undefined || reported !== undefined) return undefined;
    return { by: 'distribution', reason: `${owner.name} of the distribution does not have ${repaired}` };
  }

  #saidOf(owner: SbomPackage): Said {
    const known = this.#said.get(owner.id);
    if (known !== undefined) return known;
    const { findings, repaired } = this.#ask(owner, []);
    const said = {
      reported: new Set(findings.flatMap((one) => [...idsOf(one), ...one.related])),
      repaired: new Set(
        repaired.flatMap(({ advisory: { id, aliases, related } }) => [id, ...aliases, ...related]),
      ),
    };
    this.#said.set(owner.id, said);
    return said;
  }

  #ask(one: SbomPackage, undetermined: Undetermined[]): Answer {
    const hits: Hit[] = [];
    const repaired: AffectedEntry[] = [];
    const { distro } = this.#sbom;
    for (const lookup of lookupsIn(one, distro, this.#database.info.ecosystems, this.#cpe, this.#epochs)) {
      for (const entry of this.#database.find(lookup.ecosystem, lookup.name)) {
        if (!concerns(entry, lookup, one)) continue;
        const result = compared(entry, lookup);
        if (result.affected === 'yes') {
          if (lookup.cpe === undefined || !isIn(repaired, entry)) {
            hits.push({ entry, advisory: entry.advisory, lookup, fixed: result.fixed });
          }
        } else if (result.affected === 'no') {
          // That a guessed product is repaired says nothing about the package.
          if (lookup.cpe === undefined) repaired.push(entry);
        } else if (lookup.cpe === undefined && !(lookup.isEpochUnknown === true && isIn(repaired, entry))) {
          undetermined.push({ id: entry.advisory.id, package: one, reason: doubtOf(lookup) });
        }
      }
    }
    return { findings: groupByAlias(hits).map((group) => findingOf(one, group)), repaired };
  }
}

/** Whether an entry is about the version that was looked up. */
export function compared(entry: AffectedEntry, lookup: Lookup): AffectedResult {
  const { order = lookup.ecosystem, version } = lookup;
  const ask = (bounds: BoundOptions): AffectedResult =>
    evaluate(version, order, entry.ranges, entry.versions, bounds);
  const result = ask(boundsOf(lookup));
  if (version === '' && result.affected === 'undetermined' && isMalicious(entry.advisory)) {
    return { affected: 'yes', fixed: [] };
  }
  const isOpen = lookup.isEpochUnknown === true && result.affected === 'no';
  return isOpen && ask({ missingEpoch: 'zero' }).affected === 'yes'
    ? { affected: 'undetermined', fixed: [] }
    : result;
}

function doubtOf({ version, ecosystem, name, isEpochUnknown }: Lookup): string {
  if (version === '') return 'its version is not known';
  if (isEpochUnknown === true) return `the epoch of its source ${name} ${version} is not known`;
  return `version ${JSON.stringify(version)} cannot be compared as ${ecosystem}`;
}

/** What the package's own ecosystem says it does not have is not asked of a guess. Direct lookups come first. */
function isIn(repaired: readonly AffectedEntry[], { advisory }: AffectedEntry): boolean {
  const ids = new Set([advisory.id, ...advisory.aliases]);
  return repaired.some((one) => [one.advisory.id, ...one.advisory.aliases].some((id) => ids.has(id)));
}

/** Whether an entry is about this build: modules of rpm have streams, and some notices are for architectures. */
export function concerns(entry: AffectedEntry, lookup: Lookup, one: SbomPackage): boolean {
  const { architectures } = entry;
  const isElsewhere =
    architectures !== undefined &&
    one.architecture !== undefined &&
    !['noarch', 'all', 'any', ...architectures].includes(one.architecture);
  if (isElsewhere) return false;
  if (one.type !== 'rpm') return true;
  const isModular = lookup.module !== undefined || lookup.version.includes('module');
  if (entry.module !== undefined) {
    return lookup.module === undefined ? isModular : lookup.module === entry.module;
  }
  const fixes = entry.ranges.flatMap(({ events }) => events.flatMap((e) => ('fixed' in e ? [e.fixed] : [])));
  return fixes.length === 0 || fixes.some((fixed) => fixed.includes('module')) === isModular;
}

const kernelHeaders = {
  by: 'kernel-headers',
  reason: 'headers of the kernel; the kernel itself is another package',
} as const;

/** Headers are built from the kernel's source and have its version, but none of its code runs. */
function isKernelHeader({ package: one, source }: Finding): boolean {
  if (source === undefined || !/^(?:linux|kernel)\b/.test(source)) return false;
  return /^(?:linux-libc-dev|kernel-headers|linux(?:-.*)?-headers(?:-.*)?)$/.test(one.name);
}

interface Group {
  /** Groups come in this order. */
  readonly number: number;
  readonly ids: Set<string>;
  readonly hits: Hit[];
}

/** Advisories that share an id are about one problem. */
function groupByAlias(hits: readonly Hit[]): Hit[][] {
  if (hits.length < 2) return hits.map((hit) => [hit]);
  const groups = new Set<Group>();
  const groupOf = new Map<string, Group>();
  for (const [number, hit] of hits.entries()) {
    const ids = new Set([hit.advisory.id, ...hit.advisory.aliases]);
    const joined = new Set<Group>();
    for (const id of ids) {
      const group = groupOf.get(id);
      if (group !== undefined) joined.add(group);
    }
    const merged = { number, ids, hits: [hit] };
    for (const group of [...joined].sort((a, b) => a.number - b.number)) {
      for (const id of group.ids) ids.add(id);
      merged.hits.unshift(...group.hits);
      groups.delete(group);
    }
    for (const id of ids) groupOf.set(id, merged);
    groups.add(merged);
  }
  return [...groups].map((group) => group.hits);
}

/** MAL- before CVE- before everything else; then by text. */
function idRank(id: string): number {
  if (id.startsWith('MAL-')) return 0;
  return /^CVE-\d{4}-\d+$/.test(id) ? 1 : 2;
}

/** What all of them list, each once, in a list of its own. */
function collected<T>(all: readonly T[], listOf: (one: T) => readonly string[]): string[] {
  const [only] = all;
  const list = all.length === 1 ? listOf(only as T) : all.flatMap(listOf);
  return list.length < 2 ? [...list] : [...new Set(list)];
}

/** Of sorted ids the first of the best kind; an id of an advisory that matched before an alias. */
function shownId(sorted: readonly string[], own: ReadonlySet<string>): string {
  let best = '';
  let bestRank = Number.POSITIVE_INFINITY;
  for (const id of sorted) {
    const rank = 2 * idRank(id) + (own.has(id) ? 0 : 1);
    if (rank >= bestRank) continue;
    best = id;
    bestRank = rank;
  }
  return best;
}

function findingOf(one: SbomPackage, hits: readonly Hit[]): Finding {
  const advisories =
    hits.length === 1
      ? hits.map(({ advisory }) => advisory)
      : [...new Map(hits.map(({ advisory }) => [advisory.id, advisory])).values()];
  const own = new Set(advisories.map(({ id }) => id));
  const sorted = collected(advisories, ({ id, aliases }) => [id, ...aliases]).sort(compareText);
  const id = shownId(sorted, own);
  const worst = hits.reduce((a, b) =>
    severityRank(b.entry.rating.severity) > severityRank(a.entry.rating.severity) ? b : a,
  );
  const first = hits[0] as Hit;
  const fixed = collected(hits, (hit) => hit.fixed);
  const { published } = first.advisory;
  const epss = advisories.find((advisory) => advisory.epss !== undefined)?.epss;
  const exploited = advisories.find((advisory) => advisory.knownExploited !== undefined)?.knownExploited;
  const related = collected(advisories, (advisory) => advisory.related);
  return {
    id,
    aliases: sorted.filter((other) => other !== id),
    related: related.filter((other) => !sorted.includes(other)).sort(),
    advisories: [...own].sort(),
    summary: advisories.map(({ summary }) => summary).find((text) => text !== '') ?? '',
    rating: worst.entry.rating,
    package: one,
    ecosystem: first.lookup.ecosystem,
    ...(first.lookup.isSource && first.lookup.name !== one.name ? { source: first.lookup.name } : {}),
    fixed,
    state: stateOf(hits, fixed),
    isMalicious: isMalicious({ id, aliases: sorted }),
    ...(first.lookup.version === '' ? { isVersionUnknown: true } : {}),
    isSample: advisories.every(({ isSample }) => isSample),
    ...(published === undefined ? {} : { published }),
    cwes: collected(advisories, ({ cwes }) => cwes).sort(),
    references: collected(advisories, ({ references }) => references),
    ...(epss === undefined ? {} : { epss }),
    ...(exploited === undefined ? {} : { knownExploited: exploited }),
    ...(hits.every((hit) => hit.lookup.cpe !== undefined) ? { cpe: first.lookup.cpe as string } : {}),
  };
}

function stateOf(hits: readonly Hit[], fixed: readonly string[]): FixState {
  if (fixed.length > 0) return 'fixed';
  const stated = hits.flatMap(({ entry }) => entry.state ?? []);
  return stated.find((state) => state === 'wont-fix') ?? stated[0] ?? 'not-fixed';
}

function coverageOf({ packages: list, distro }: Sbom, info: DatabaseInfo, cpe: CpeMatching): Coverage[] {
  const packages = new Map<string, number>();
  const guessed = new Set<string>();
  const systems = new Set<string>();
  for (const one of list) {
    const ecosystem = ecosystemOf(one, distro);
    packages.set(ecosystem, (packages.get(ecosystem) ?? 0) + 1);
    if (systemTypes.has(one.type)) systems.add(ecosystem);
    const isCovered = info.ecosystems.has(ecosystem);
    if (!isCovered && isByCpe(one, distro, info.ecosystems, cpe)) guessed.add(ecosystem);
  }
  return [...packages]
    .sort(([a], [b]) => compareText(a, b))
    .map(([ecosystem, count]) => ({
      ecosystem,
      packages: count,
      advisories: info.ecosystems.get(guessed.has(ecosystem) ? CPE_ECOSYSTEM : ecosystem) ?? 0,
      ...(systems.has(ecosystem) ? { isSystem: true } : {}),
      ...(guessed.has(ecosystem) ? { isByCpe: true } : {}),
    }));
}
