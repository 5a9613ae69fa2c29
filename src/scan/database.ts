/**
 * The advisory database: one SQLite file, written once, read by (ecosystem, name). Records keep what matching and
 * reports need; the identity of its content is a digest over all records, independent of source order.
 */
import { existsSync } from 'node:fs';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { hasher } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { fail, WaybillError } from '#base/reason';
import type { JsonObject } from '#formats/json';
import type { OsvRange, OsvRecord } from '#formats/osv';
import { type Database, openDatabase, transaction } from '#platform/sqlite';
import { R } from './reasons.ts';
import { type Rating, rate } from './severity.ts';

const SCHEMA_VERSION = 1;
const APPLICATION_ID = 0x77_62_61_64; // 'wbad'

export interface DatabaseInfo {
  readonly schemaVersion: number;
  /** Milliseconds. */
  readonly builtMs: number;
  /** Newest `modified` of its records, RFC 3339. */
  readonly newest?: string;
  readonly records: number;
  /** Of these, records of the sample that comes with waybill. */
  readonly sampleRecords: number;
  /** Not one record is from elsewhere. */
  readonly isSampleOnly: boolean;
  /** Affected entries by ecosystem with release, sorted. */
  readonly ecosystems: ReadonlyMap<string, number>;
  /** Over the content: equal records give an equal digest. */
  readonly digest: Digest;
}

export interface Advisory {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly published?: string;
  readonly modified?: string;
  readonly isSample: boolean;
}

/** What one advisory says about one package. */
export interface AffectedEntry {
  readonly advisory: Advisory;
  readonly ecosystem: string;
  readonly name: string;
  readonly ranges: readonly OsvRange[];
  readonly versions: readonly string[];
  readonly rating: Rating;
}

export interface AdvisoryDatabase {
  readonly info: DatabaseInfo;
  /** Entries for a package, in the order of their ids. */
  find(ecosystem: string, name: string): readonly AffectedEntry[];
  close(): void;
}

const tables = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE advisory (id INTEGER PRIMARY KEY, data TEXT NOT NULL);
  CREATE TABLE affected (
    ecosystem TEXT NOT NULL, name TEXT NOT NULL, advisory INTEGER NOT NULL, part INTEGER NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (ecosystem, name, advisory, part)
  ) WITHOUT ROWID;
`;

export const SAMPLE_SOURCE = 'waybill sample';

const isSample = (record: OsvRecord): boolean => record.databaseSpecific['source'] === SAMPLE_SOURCE;

/** Names as the ecosystem compares them. */
export function normaliseName(ecosystem: string, name: string): string {
  if (ecosystem === 'PyPI') return name.toLowerCase().replace(/[-_.]+/g, '-');
  return ecosystem === 'Packagist' || ecosystem === 'NuGet' ? name.toLowerCase() : name;
}

/** Fills an empty database. Withdrawn records must be gone already; of equal ids the last given counts. */
export function writeDatabase(
  database: Database,
  records: readonly OsvRecord[],
  builtMs: number,
): DatabaseInfo {
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; ${tables}`);
  const sorted = [...new Map(records.map((record) => [record.id, record])).values()].sort((a, b) =>
    a.id < b.id ? -1 : 1,
  );
  const ecosystems = new Map<string, number>();
  const content = hasher('sha256');
  transaction(database, () => {
    const addAdvisory = database.prepare('INSERT INTO advisory VALUES (?, ?)');
    const addAffected = database.prepare('INSERT INTO affected VALUES (?, ?, ?, ?, ?)');
    sorted.forEach((record, index) => {
      const data = JSON.stringify(advisoryOf(record));
      addAdvisory.run(index, data);
      content.update(utf8(`${data}\n`));
      record.affected.forEach((affected, part) => {
        const { ecosystem } = affected;
        const name = normaliseName(ecosystem, affected.name);
        const ranges = affected.ranges.filter((range) => range.type !== 'GIT');
        const rating = rate(record, affected);
        const row = JSON.stringify({ ranges, versions: affected.versions, rating });
        addAffected.run(ecosystem, name, index, part, row);
        content.update(utf8(`${JSON.stringify([ecosystem, name])}${row}\n`));
        ecosystems.set(ecosystem, (ecosystems.get(ecosystem) ?? 0) + 1);
      });
    });
    const sampleRecords = sorted.filter(isSample).length;
    const newest =
      sorted
        .map((record) => record.modified ?? '')
        .sort()
        .at(-1) ?? '';
    const meta = {
      schemaVersion: SCHEMA_VERSION,
      builtMs,
      ...(newest === '' ? {} : { newest }),
      records: sorted.length,
      sampleRecords,
      ecosystems: Object.fromEntries([...ecosystems].sort(([a], [b]) => (a < b ? -1 : 1))),
      digest: digestFromBytes('sha256', content.finish()),
    };
    database.prepare('INSERT INTO meta VALUES (?, ?)').run('info', JSON.stringify(meta));
  });
  return readInfo(database, 'the new database');
}

function advisoryOf(record: OsvRecord): Advisory {
  const aliases = new Set([...record.aliases, ...record.upstream]);
  aliases.delete(record.id);
  return {
    id: record.id,
    aliases: [...aliases].sort(),
    summary: record.summary,
    ...(record.published === undefined ? {} : { published: record.published }),
    ...(record.modified === undefined ? {} : { modified: record.modified }),
    isSample: isSample(record),
  };
}

/** Opens a database file for reading. WB-870 for anything else. */
export function loadDatabase(path: string): AdvisoryDatabase {
  if (!existsSync(path)) throw unusable(path, 'no such file');
  let database: Database;
  try {
    database = openDatabase(path, { readOnly: true });
  } catch (error) {
    throw unusable(path, (error as Error).message, error);
  }
  try {
    return readerOf(database, path);
  } catch (error) {
    database.close();
    throw error instanceof WaybillError ? error : unusable(path, (error as Error).message, error);
  }
}

/** A database that lives only as long as the process: for the sample. */
export function memoryDatabase(records: readonly OsvRecord[], builtMs: number): AdvisoryDatabase {
  const database = openDatabase(':memory:');
  writeDatabase(database, records, builtMs);
  return readerOf(database, 'memory');
}

function unusable(path: string, actual: string, cause?: unknown): WaybillError {
  return fail(
    R.databaseFile,
    { expected: `${path} as a database of schema ${SCHEMA_VERSION}`, actual },
    cause,
  );
}

function readerOf(database: Database, path: string): AdvisoryDatabase {
  const info = readInfo(database, path);
  const select = database.prepare(
    `SELECT affected.data AS entry, advisory.data AS advisory FROM affected
     JOIN advisory ON advisory.id = affected.advisory
     WHERE affected.ecosystem = ? AND affected.name = ? ORDER BY affected.advisory, affected.part`,
  );
  const find = (ecosystem: string, name: string): readonly AffectedEntry[] => {
    const rows = select.all(ecosystem, normaliseName(ecosystem, name)) as {
      entry: string;
      advisory: string;
    }[];
    return rows.map((row) => ({
      ...(JSON.parse(row.entry) as Pick<AffectedEntry, 'ranges' | 'versions' | 'rating'>),
      advisory: JSON.parse(row.advisory) as Advisory,
      ecosystem,
      name,
    }));
  };
  return { info, find, close: () => database.close() };
}

function readInfo(database: Database, path: string): DatabaseInfo {
  const id = database.prepare('PRAGMA application_id').get() as { application_id: number };
  if (id.application_id !== APPLICATION_ID) throw unusable(path, 'another kind of file');
  const row = database.prepare("SELECT value FROM meta WHERE key = 'info'").get() as
    | { value: string }
    | undefined;
  const meta = JSON.parse(row?.value ?? '{}') as JsonObject;
  if (meta['schemaVersion'] !== SCHEMA_VERSION) {
    throw unusable(path, `schema ${JSON.stringify(meta['schemaVersion'] ?? null)}`);
  }
  const info = meta as unknown as Omit<DatabaseInfo, 'ecosystems' | 'isSampleOnly'>;
  return {
    ...info,
    isSampleOnly: info.sampleRecords === info.records,
    ecosystems: new Map(Object.entries(meta['ecosystems'] as Record<string, number>)),
  };
}
