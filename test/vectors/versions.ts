/**
 * Version orders against `vectors/versions`: every row of the text files in both directions, and the comparisons,
 * constraints and epoch rules transcribed from Grype's tables. `unknown` rows are one tool's guesses: counted apart.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { boundOrderOf, type MissingEpoch, orderOf } from '#scan';

export interface VectorCount {
  readonly name: string;
  readonly rows: number;
  readonly failures: readonly string[];
}

const ecosystems: Readonly<Record<string, string>> = {
  alpine: 'Alpine',
  cran: 'CRAN',
  debian: 'Debian',
  hackage: 'Hackage',
  maven: 'Maven',
  nuget: 'NuGet',
  packagist: 'Packagist',
  pub: 'Pub',
  pypi: 'PyPI',
  redhat: 'AlmaLinux',
  rubygems: 'RubyGems',
  semver: 'npm',
};

const formats: Readonly<Record<string, string>> = {
  apk: 'Alpine',
  bitnami: 'Bitnami',
  deb: 'Debian',
  gem: 'RubyGems',
  go: 'Go',
  jvm: 'JVM',
  kb: 'an ecosystem without an order',
  maven: 'Maven',
  pacman: 'Arch Linux',
  pep440: 'PyPI',
  portage: 'Gentoo',
  rpm: 'AlmaLinux',
  semver: 'npm',
};

interface ComparisonRow {
  readonly format: string;
  readonly a: string;
  readonly b: string;
  readonly cmp: number;
}

interface ConstraintRow {
  readonly format: string;
  readonly version: string;
  readonly constraint: string;
  readonly satisfied: boolean;
  readonly error?: boolean;
}

interface EpochRow {
  readonly format: string;
  readonly version: string;
  readonly other: string;
  readonly strategy: string;
  readonly cmp: number;
}

type Compare = (a: string, b: string) => number | undefined;

const sign = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.sign(value) + 0;

/** All suites; undefined when the data is not there. */
export function versionVectors(shared: string): readonly VectorCount[] | undefined {
  const folder = join(shared, 'vectors/versions');
  if (!existsSync(folder)) return undefined;
  const json = <T>(name: string): readonly T[] =>
    JSON.parse(readFileSync(join(folder, name), 'utf8')) as readonly T[];
  return [
    ...Object.entries(ecosystems).map(([name, ecosystem]) => orderedRows(folder, name, ecosystem)),
    ...counted('comparisons', json<ComparisonRow>('comparisons.json'), comparisonHolds),
    ...counted('constraints', json<ConstraintRow>('constraints.json'), constraintHolds),
    ...counted('epochs', json<EpochRow>('missing-epoch.json'), epochHolds),
  ];
}

function orderedRows(folder: string, name: string, ecosystem: string): VectorCount {
  const compare = orderOf(ecosystem);
  const failures: string[] = [];
  let rows = 0;
  for (const file of [`${name}-versions.txt`, `${name}-versions-generated.txt`]) {
    const path = join(folder, file);
    if (!existsSync(path)) continue;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const match = /^(?!#|\/\/)(\S+)\s+([<=>])\s+(\S+)/.exec(line.trim());
      if (match === null) continue;
      rows++;
      const [, a = '', op, b = ''] = match;
      const expected = op === '<' ? -1 : op === '>' ? 1 : 0;
      const isRight = sign(compare(a, b)) === expected && sign(compare(b, a)) === 0 - expected;
      if (!isRight) failures.push(`${line} (got ${compare(a, b)}, ${compare(b, a)})`);
    }
  }
  return { name: `versions/${name}`, rows, failures };
}

/** One count a format, so that each reads as a line. */
function counted<T extends { readonly format: string }>(
  name: string,
  rows: readonly T[],
  holds: (row: T, ecosystem: string) => boolean,
): VectorCount[] {
  const groups = Map.groupBy(
    rows.filter((row) => row.format !== 'unknown'),
    (row) => row.format,
  );
  return [...groups].map(([format, group]) => {
    const ecosystem = formats[format] ?? format;
    const failures = group.filter((row) => !holds(row, ecosystem)).map((row) => JSON.stringify(row));
    return { name: `versions/${name}/${format}`, rows: group.length, failures };
  });
}

/** Grype's rpm compares epochs only where both sides name one. */
const comparer = (format: string, ecosystem: string): Compare =>
  boundOrderOf(ecosystem, format === 'rpm' ? { missingEpoch: 'ignore' } : {});

const comparisonHolds = ({ format, a, b, cmp }: ComparisonRow, ecosystem: string): boolean =>
  sign(comparer(format, ecosystem)(a, b)) === cmp;

function constraintHolds(row: ConstraintRow, ecosystem: string): boolean {
  const { format, version, constraint } = row;
  // The number of an update is no order: nothing to compare with is an error there, and "always" elsewhere.
  if (constraint.trim() === '') return format === 'kb' ? row.error === true : row.satisfied;
  return (
    satisfies(version, constraint, comparer(format, ecosystem)) === (row.error !== true && row.satisfied)
  );
}

function satisfies(version: string, constraint: string, compare: Compare): boolean {
  return constraint.split('||').some((all) =>
    all.split(',').every((one) => {
      const match = /^\s*([<>]?=?)\s*["']?(.*?)["']?\s*$/.exec(one);
      const difference = compare(version, match?.[2] ?? '');
      if (difference === undefined) return false;
      const operator = match?.[1] ?? '';
      if (operator === '<') return difference < 0;
      if (operator === '<=') return difference <= 0;
      if (operator === '>') return difference > 0;
      return operator === '>=' ? difference >= 0 : difference === 0;
    }),
  );
}

function epochHolds({ format, version, other, strategy, cmp }: EpochRow, ecosystem: string): boolean {
  const given = strategy === '' ? (format === 'rpm' ? 'ignore' : 'zero') : strategy;
  const order = boundOrderOf(ecosystem, { missingEpoch: given as MissingEpoch });
  return sign(order(version, other)) === cmp;
}
