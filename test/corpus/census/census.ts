/**
 * The rows about servers and repositories, each with what shows it. They are behaviours of running parts, not bundles
 * made by one change, so their proofs are tests and soaks, and this table says which.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { soaks } from '../../soak/soaks.ts';
import { tufCases } from '../../tuf/cases.ts';
import { type TestNames, testNames } from './names.ts';

export const serverClasses = ['LGS', 'CA', 'TSA', 'RGS', 'TUF'] as const;
export type ServerClass = (typeof serverClasses)[number];

/** A test by file and name; `case`: the row of its table, for a name with placeholders. */
export interface ShownByTest {
  readonly file: string;
  readonly test: string;
  readonly case?: string;
}

export type ShownBy =
  | ShownByTest
  /** A drill of `npm run soak`. */
  | { readonly soak: string }
  /** A case of the TUF client, as `npm run conformance -- tuf` names it. */
  | { readonly tuf: string };

export interface ServerRow {
  readonly situation: string;
  readonly severity: 'C' | 'H' | 'M' | 'L';
  readonly shownBy: readonly ShownBy[];
  /** Where what happens differs from what the row asks, and why. */
  readonly remark?: string;
}

const fileOf = (name: ServerClass): string => fileURLToPath(new URL(`${name}.json`, import.meta.url));

/** Rows by id, `LGS-01`, in the order of their files. */
export function serverRows(): ReadonlyMap<string, ServerRow> {
  return new Map(
    serverClasses.flatMap((name) =>
      Object.entries(JSON.parse(readFileSync(fileOf(name), 'utf8')) as Record<string, ServerRow>),
    ),
  );
}

export const classOf = (id: string): string => id.slice(0, id.indexOf('-'));

/** What is wrong with the table: rows nothing shows, tests, cases and soaks that are not there. */
export function unshown(rows: ReadonlyMap<string, ServerRow>): string[] {
  const cases = new Set(tufCases.map(({ group, name }) => `${group}: ${name}`));
  const files = new Map<string, TestNames>();
  const faultOf = (by: ShownBy): string | undefined => {
    if ('soak' in by) return Object.hasOwn(soaks, by.soak) ? undefined : `no soak ${by.soak}`;
    if ('tuf' in by) return cases.has(by.tuf) ? undefined : `no case of the TUF client: ${by.tuf}`;
    if (!by.file.endsWith('.test.ts') || !existsSync(by.file)) return `no file of tests ${by.file}`;
    const names = files.get(by.file) ?? testNames(by.file);
    files.set(by.file, names);
    if (!names.tests.has(by.test)) return `${by.file} has no test "${by.test}"`;
    if (by.case !== undefined && !names.texts.has(by.case)) return `${by.file} has no case "${by.case}"`;
    return undefined;
  };
  return [...rows].flatMap(([id, { shownBy }]) => {
    if (shownBy.length === 0) return [`${id} is shown by nothing`];
    return shownBy.flatMap((by) => {
      const fault = faultOf(by);
      return fault === undefined ? [] : [`${id}: ${fault}`];
    });
  });
}
