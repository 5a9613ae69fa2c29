/**
 * Every record of a file of advisories asked for at its own bounds, right below and right above them, through the whole
 * matcher. What must come out is said by the places of all versions of a package in one sorted list, without the code
 * that evaluates ranges; and it is said of every record of that package, so that what is found wrongly counts too.
 */
import type { OsvAffected, OsvRange, OsvRecord } from '#formats/osv';
import type { Distro } from '#formats/sbom';
import { boundOrderOf, loadRecords, matchPackages, memoryDatabase } from '#scan';
import { one, sbomOf } from './records.ts';

/** purl type by ecosystem. */
const types: Readonly<Record<string, string>> = {
  Go: 'golang',
  'crates.io': 'cargo',
  npm: 'npm',
  PyPI: 'pypi',
  Packagist: 'composer',
  Bitnami: 'bitnami',
  AlmaLinux: 'rpm',
};

export interface Boundaries {
  readonly records: number;
  readonly packages: number;
  /** Versions asked for. */
  readonly points: number;
  /** Pairs of a version and a record of its package: affected and found, neither, and the two ways to be wrong. */
  right: number;
  negatives: number;
  wrong: number;
  missed: number;
  undetermined: number;
  /** Records left out: a part of theirs ends before it begins. */
  contradictory: number;
  readonly examples: string[];
}

/** Of so many packages one is asked for; every record of the file is in the database. */
export async function boundariesOf(file: string, share = 1): Promise<Boundaries> {
  const { records } = await loadRecords([file]);
  const names = new Map<string, number>();
  const asked = new Map<string, Map<string, Entry[]>>();
  for (const record of records) {
    for (const affected of record.affected) {
      const number = names.get(affected.name) ?? names.size;
      names.set(affected.name, number);
      if (number % share !== 0) continue;
      const byName = asked.get(affected.ecosystem) ?? new Map<string, Entry[]>();
      asked.set(affected.ecosystem, byName);
      byName.set(affected.name, [...(byName.get(affected.name) ?? []), { record, affected }]);
    }
  }
  const database = memoryDatabase(records, 0);
  const counts = {
    ...{ records: records.length, packages: 0, points: 0 },
    ...{ right: 0, negatives: 0, wrong: 0, missed: 0, undetermined: 0, contradictory: 0 },
    examples: [] as string[],
  };
  for (const [ecosystem, byName] of asked) {
    const [family = '', release] = ecosystem.split(':');
    const type = types[family] as string;
    const distro: Distro = { id: family.toLowerCase(), versionId: release ?? '', idLike: [] };
    for (const [name, entries] of byName) {
      const points = pointsOf(ecosystem, entries);
      const packages = points.map((version) => one(type, name, version));
      const result = matchPackages(sbomOf(packages, release === undefined ? {} : { distro }), database);
      const found = new Map<string, Set<string>>();
      const open = new Set(result.undetermined.map(({ id, package: pack }) => `${id} ${pack.version}`));
      for (const { package: pack, advisories } of result.findings) {
        const ids = found.get(pack.version) ?? new Set();
        found.set(pack.version, ids);
        for (const id of advisories) ids.add(id);
      }
      counts.packages++;
      counts.points += points.length;
      counts.undetermined += result.undetermined.length;
      compare({ ecosystem, name, entries, points, found, open }, counts);
    }
  }
  database.close();
  return counts;
}

interface Entry {
  readonly record: OsvRecord;
  readonly affected: OsvAffected;
}

const rangesOf = ({ affected }: Entry): readonly OsvRange[] =>
  affected.ranges.filter(({ type }) => type !== 'GIT');
const boundsOf = (range: OsvRange): string[] => range.events.flatMap((event) => Object.values(event));

function pointsOf(ecosystem: string, entries: readonly Entry[]): string[] {
  const bounds = new Set(
    entries.flatMap((entry) => rangesOf(entry).flatMap(boundsOf)).filter((bound) => bound !== '0'),
  );
  const near = [...bounds].flatMap((bound) => [bound, ...neighbours(ecosystem, bound)]);
  const listed = entries.flatMap(({ affected }) => affected.versions.slice(0, 3));
  const all = [...new Set([...near, ...listed])];
  return all.length === 0 ? ['1.0.0'] : all;
}

/** Versions right below and right above one, in the ways their ecosystem has. */
function neighbours(ecosystem: string, bound: string): string[] {
  const above = bound.replace(/\d+$/, (number) => String(BigInt(number) + 1n));
  switch (ecosystem.split(':')[0]) {
    case 'AlmaLinux':
      return [`${bound}~0`, `${bound}.1`];
    case 'PyPI':
      return /dev|post|\+/.test(bound) ? [] : [`${bound}.dev0`, `${bound}.post1`];
    case 'Packagist':
      return /^v?\d+(?:\.\d+){0,2}$/.test(bound) ? [`${bound}-dev`, above] : [];
    default:
      return /^v?\d+(?:\.\d+)*$/.test(bound) ? [`${bound}-0`, above] : [`${bound}.0`];
  }
}

interface Asked {
  readonly ecosystem: string;
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly points: readonly string[];
  readonly found: ReadonlyMap<string, ReadonlySet<string>>;
  /** `ID VERSION` of what could not be told. */
  readonly open: ReadonlySet<string>;
}

function compare({ ecosystem, name, entries, points, found, open }: Asked, counts: Boundaries): void {
  const placeOf = placesOf(ecosystem, [
    ...points,
    ...entries.flatMap((entry) => [...rangesOf(entry).flatMap(boundsOf), ...entry.affected.versions]),
  ]);
  const byRecord = Map.groupBy(entries, ({ record }) => record.id);
  for (const list of byRecord.values()) {
    if (list.some((entry) => isContradictory(entry, placeOf))) counts.contradictory++;
  }
  for (const version of points) {
    const ids = found.get(version);
    for (const [id, list] of byRecord) {
      if (open.has(`${id} ${version}`)) continue;
      if (list.some((entry) => isContradictory(entry, placeOf))) continue;
      const isMeant = list.some((entry) => isAffected(version, entry, placeOf));
      const isFound = ids?.has(id) === true;
      if (isMeant && isFound) counts.right++;
      else if (isMeant) counts.missed++;
      else if (isFound) counts.wrong++;
      else counts.negatives++;
      if (isMeant !== isFound && counts.examples.length < 10) {
        counts.examples.push(`${id} ${name} ${version} ${isFound ? 'is found' : 'is not found'}`);
      }
    }
  }
}

/** Places in the order of versions; equal ones share theirs. `0` is before all. */
function placesOf(ecosystem: string, versions: readonly string[]): (version: string) => number {
  const order = boundOrderOf(ecosystem);
  const sorted = [...new Set(versions.filter((version) => version !== '0'))].sort((a, b) => order(a, b) ?? 0);
  const places = new Map<string, number>([['0', 0]]);
  let place = 0;
  sorted.forEach((version, at) => {
    const before = sorted[at - 1];
    if (before === undefined || order(before, version) !== 0) place++;
    places.set(version, place);
  });
  return (version) => places.get(version) as number;
}

/** A part that ends before it begins: nothing says what is meant. */
function isContradictory(entry: Entry, placeOf: (version: string) => number): boolean {
  return rangesOf(entry).some(({ events }) =>
    events.some((event, i) => {
      const before = events[i - 1];
      if ('introduced' in event || before === undefined || !('introduced' in before)) return false;
      return Object.values(event).some((end: string) => placeOf(end) < placeOf(before.introduced));
    }),
  );
}

/** Packages of modules and others are built from different sources: entries are about one of the two. */
function isOfBuild(version: string, { affected }: Entry): boolean {
  if (!affected.ecosystem.startsWith('AlmaLinux')) return true;
  const isModular = affected.ranges.flatMap(boundsOf).some((bound) => bound.includes('module'));
  return isModular === version.includes('module');
}

function isAffected(version: string, entry: Entry, placeOf: (version: string) => number): boolean {
  if (!isOfBuild(version, entry)) return false;
  const at = placeOf(version);
  if (entry.affected.versions.some((listed) => placeOf(listed) === at)) return true;
  return rangesOf(entry).some(({ events }) => isInParts(at, events, placeOf));
}

/** The parts of a range as they are written: each begins, and ends with the next event that ends one. */
function isInParts(at: number, events: OsvRange['events'], placeOf: (version: string) => number): boolean {
  let start: number | undefined;
  for (const event of events) {
    if ('introduced' in event) start = placeOf(event.introduced);
    else if (start !== undefined) {
      const isBefore =
        'fixed' in event
          ? at < placeOf(event.fixed)
          : 'lastAffected' in event && at <= placeOf(event.lastAffected);
      if (at >= start && isBefore) return true;
      start = undefined;
    }
  }
  return start !== undefined && at >= start;
}
