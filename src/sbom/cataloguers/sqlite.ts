/** Rows of a SQLite database out of an image: it is data, nothing that it wrote runs. */
import { DatabaseSync } from 'node:sqlite';
import type { ImageFiles } from '../types.ts';
import type { Problem } from './common.ts';

export interface SqliteTable {
  readonly table: string;
  /** The statement that made it, with single quotes only and without a space at its ends. */
  readonly plain: RegExp;
  readonly columns: string;
  readonly orderBy?: string;
}

/** Throws with the reason for a damaged database, and for one in which the name is no plain table. */
export function* sqliteRows(bytes: Uint8Array, of: SqliteTable): Generator<Record<string, unknown>> {
  const copy = Uint8Array.from(bytes);
  // A database left in WAL mode cannot be opened from memory; what was checkpointed is in the file itself, and
  // whether there is more `committedFrames` tells.
  if (copy[18] === 2 && copy[19] === 2) copy.fill(1, 18, 20);
  const database = new DatabaseSync(':memory:');
  try {
    database.deserialize(copy);
    requirePlain(database, of);
    const order = of.orderBy === undefined ? '' : ` ORDER BY ${of.orderBy}`;
    yield* database.prepare(`SELECT ${of.columns} FROM ${of.table}${order}`).iterate();
  } finally {
    database.close();
  }
}

/** A view, a virtual table or a computed column would run what the image wrote. */
function requirePlain(database: DatabaseSync, { table, plain }: SqliteTable): void {
  const asked = database.prepare('SELECT type, sql FROM sqlite_schema WHERE lower(name) = ?');
  const [only, ...others] = asked.iterate(table.toLowerCase()).take(2).toArray();
  const sql = typeof only?.['sql'] === 'string' ? only['sql'] : '';
  const isPlain =
    only?.['type'] === 'table' && others.length === 0 && plain.test(sql.replace(/"/g, "'").trim());
  if (!isPlain) throw new Error(`a SQLite database without the plain table ${table}`);
}

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** What the name of a database has behind it in the name of its write-ahead log. */
export const WAL_ENDING = '-wal';

/**
 * How many pages of a write-ahead log SQLite would read in place of those of the database: up to the last commit,
 * each with the salts of the log and its place in the running checksum (sqlite.org/fileformat2.html, section 4).
 * 0 for an empty log, and for one that is none.
 */
export function committedFrames(log: Uint8Array): number {
  if (log.length < WAL_HEADER_BYTES) return 0;
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const magic = view.getUint32(0);
  if (magic >>> 1 !== 0x377f0682 >>> 1) return 0;
  const sum = walSum(view, (magic & 1) === 0);
  const isStated = (at: number): boolean =>
    view.getUint32(at) === sum.first() && view.getUint32(at + 4) === sum.second();
  sum.add(0, 24);
  const pageBytes = view.getUint32(8);
  if (!isStated(24) || pageBytes < 512 || pageBytes > 65_536) return 0;
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  let committed = 0;
  for (let i = 0; WAL_HEADER_BYTES + (i + 1) * frameBytes <= log.length; i++) {
    const at = WAL_HEADER_BYTES + i * frameBytes;
    const isOfLog = view.getBigUint64(at + 8) === view.getBigUint64(16);
    sum.add(at, 8);
    sum.add(at + FRAME_HEADER_BYTES, pageBytes);
    if (!isOfLog || !isStated(at + 16)) break;
    // The size of the database after a commit; 0 in frames that are none.
    if (view.getUint32(at + 4) !== 0) committed = i + 1;
  }
  return committed;
}

/** Says of a log beside its database that it was not read; SQLite itself drops one without a database. */
export function* unreadLog(image: ImageFiles, path: string, frames: number): Generator<Problem> {
  if (frames === 0 || image.find(path.slice(0, -WAL_ENDING.length)) === undefined) return;
  const problem = `${frames} pages committed to a write-ahead log, which was not read: the last changes are missing`;
  yield { problem };
}

interface WalSum {
  readonly add: (at: number, length: number) => void;
  readonly first: () => number;
  readonly second: () => number;
}

function walSum(view: DataView, isLittle: boolean): WalSum {
  let [first, second] = [0, 0];
  const add = (at: number, length: number): void => {
    for (let i = at; i < at + length; i += 8) {
      first = (first + view.getUint32(i, isLittle) + second) >>> 0;
      second = (second + view.getUint32(i + 4, isLittle) + first) >>> 0;
    }
  };
  return { add, first: () => first, second: () => second };
}
