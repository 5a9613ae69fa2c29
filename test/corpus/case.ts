/** The cases as data: read, joined with their rows, and checked for shape. docs/corpus.md says how to read one. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ReasonClass, reasonClasses } from '#base/reason';
import type { JsonValue } from '#formats/json';

export const stations = ['BND', 'CRT', 'SCT', 'TSP', 'LOG', 'ATT', 'IDN'] as const;
export type Station = (typeof stations)[number];

/** Rows of the specification, by station: every number from 1 has at least one case. */
export const rowCounts: Readonly<Record<Station, number>> = {
  BND: 20,
  CRT: 23,
  SCT: 11,
  TSP: 18,
  LOG: 24,
  ATT: 20,
  IDN: 18,
};

/** One named change: a recipe and its arguments. */
export type Step = readonly [recipe: string, ...args: JsonValue[]];

export interface Row {
  readonly situation: string;
  readonly severity: 'C' | 'H' | 'M' | 'L';
  readonly source: string;
}

interface Expectation {
  readonly verdict: 'accept' | 'reject' | 'indeterminate';
  /** Absent for accept. */
  readonly class?: ReasonClass;
  readonly codes?: readonly string[];
}

export interface Case extends Expectation {
  /** `CRT-12.2`: the second case of row CRT-12. */
  readonly id: string;
  readonly title: string;
  /** Name of an accepted base in bases.json. */
  readonly base: string;
  /** Steps over the base for both the twin and the attack: the surroundings of the case. */
  readonly setting: readonly Step[];
  /** What is changed: the only difference between the case and its accepted twin. */
  readonly mutation: readonly Step[];
  /** Requirements the verdict must say were given up. */
  readonly degraded?: readonly string[];
  /** Codes of what an accepting verdict must have set aside. */
  readonly notes?: readonly string[];
  /** Where an image is judged, not one bundle: the question there is another one. */
  readonly image?: Expectation;
  /** The room that decides, where that is not the verifier. */
  readonly room?: string;
  readonly needs: readonly string[];
  readonly remark?: string;
  readonly station: Station;
  readonly row: string;
  readonly severity: Row['severity'];
  readonly source: string;
}

interface CaseFile {
  readonly rows: Readonly<Record<string, Row>>;
  readonly cases: readonly (Omit<Case, 'setting' | 'needs' | 'station' | 'row' | 'severity' | 'source'> & {
    readonly setting?: readonly Step[];
    readonly needs?: readonly string[];
  })[];
}

const fileOf = (name: string): string => fileURLToPath(new URL(`cases/${name}.json`, import.meta.url));
const read = (name: string): unknown => JSON.parse(readFileSync(fileOf(name), 'utf8'));

/** Accepted bases: name → steps over the empty draft. */
export const bases = read('bases') as Readonly<Record<string, readonly Step[]>>;

/** Where a directory of sigstore-conformance finds its like here: a case, the twin of one, or a base. */
export type Likeness = { readonly case: string } | { readonly twin: string } | { readonly base: string };

export const conformance = read('conformance') as Readonly<Record<string, Likeness>>;

export function readCases(): Case[] {
  return stations.flatMap((station) => {
    const file = read(station) as CaseFile;
    return file.cases.map((item): Case => {
      const row = item.id.split('.')[0] ?? '';
      const described = file.rows[row];
      if (described === undefined) throw new Error(`${item.id} belongs to no row`);
      const { severity, source } = described;
      return { setting: [], needs: [], ...item, station, row, severity, source };
    });
  });
}

export function readRows(): ReadonlyMap<string, Row> {
  return new Map(stations.flatMap((station) => Object.entries((read(station) as CaseFile).rows)));
}

/** What is wrong with the data itself; nothing when all is well. */
export function faultsOf(cases: readonly Case[]): string[] {
  const faults: string[] = [];
  const ids = new Set<string>();
  for (const item of cases) {
    if (ids.has(item.id)) faults.push(`${item.id} is there twice`);
    ids.add(item.id);
    if (!Object.hasOwn(bases, item.base) && item.room === undefined)
      faults.push(`${item.id}: no base ${item.base}`);
    for (const wanted of [item, item.image]) {
      if (wanted === undefined) continue;
      if ((wanted.verdict === 'accept') !== (wanted.class === undefined)) {
        faults.push(`${item.id}: a class exactly where it is not accepted`);
      }
      if (wanted.class !== undefined && !Object.hasOwn(reasonClasses, wanted.class)) {
        faults.push(`${item.id}: unknown class ${wanted.class}`);
      }
      if (wanted.class === 'internal') faults.push(`${item.id}: internal is never a verdict`);
    }
  }
  const rows = new Set(cases.map(({ row }) => row));
  for (const station of stations) {
    for (let number = 1; number <= rowCounts[station]; number++) {
      const row = `${station}-${String(number).padStart(2, '0')}`;
      if (!rows.has(row)) faults.push(`${row} has no case`);
    }
  }
  return faults;
}
