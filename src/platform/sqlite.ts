/** Embedded SQL: node:sqlite opened for durability (WAL, full synchronisation) or for speed (caches). */
import { basename, dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { fail, WaybillError } from '#base/reason';
import { asFileError, makeFoldersSync } from './files.ts';
import { R } from './reasons.ts';

export type { DatabaseSync as Database, StatementSync as SqlStatement } from 'node:sqlite';

/** Of SQLite (sqlite.org/rescode.html): CORRUPT and NOTADB. */
const DAMAGED: ReadonlySet<number> = new Set([11, 26]);

/** Files that hold nothing of their own. */
const DERIVED = /^(?:(?:index|names|search)\.db|process\.lock)$/;

/** The kinds of calls that read or write pages. */
const CALLS = ['get', 'all', 'run'] as const;

/** A database whose damage is told with its path: SQLite's own errors name no file. */
class NamedDatabase extends DatabaseSync {
  readonly #path: string;

  constructor(path: string, options: { readonly readOnly: boolean }) {
    super(path, options);
    this.#path = path;
  }

  override exec(sql: string): void {
    this.#named(() => super.exec(sql));
  }

  override prepare(sql: string): StatementSync {
    const statement = this.#named(() => super.prepare(sql));
    for (const name of CALLS) {
      const call = statement[name].bind(statement) as unknown as (...values: SQLInputValue[]) => never;
      statement[name] = (...values: unknown[]) => this.#named(() => call(...(values as SQLInputValue[])));
    }
    return statement;
  }

  #named<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw asDamage(this.#path, error) ?? error;
    }
  }
}

/** WB-218 for an error that says so; undefined for every other. */
export function asDamage(path: string, error: unknown): WaybillError | undefined {
  const { code, errcode = 0, message } = error as NodeJS.ErrnoException & { errcode?: number };
  if (code !== 'ERR_SQLITE_ERROR' || !DAMAGED.has(errcode & 0xff)) return undefined;
  const again = `nothing is lost: stop what uses it, remove it with ${path}-wal and ${path}-shm, and start again`;
  const hint = DERIVED.test(basename(path)) ? { hint: again } : {};
  return fail(R.damaged, { expected: `${path} whole`, actual: message, ...hint }, error);
}

/** Whether an error says that a database is damaged: WB-218. */
export const isDamaged = (error: unknown): error is WaybillError =>
  error instanceof WaybillError && error.reason.code === R.damaged.code;

export interface SqliteOptions {
  /** `durable`: a commit is on disk when it returns. `fast`: a crash may lose the last commits. */
  readonly mode?: 'durable' | 'fast';
  readonly readOnly?: boolean;
  /** Of the tables in it, kept as `user_version`; default 1. What an older version left there is 0. */
  readonly format?: number;
  /** Of a database that is made: a power of two from 512 to 65,536; default 4096. */
  readonly pageBytes?: number;
}

/** WB-209 for a database at `path` that the disk does not give; every other error as it is. */
export function asDatabaseError(path: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') return asFileError(error) ?? error;
  return fail(R.file, { expected: `access to ${path}`, actual: (error as Error).message }, error);
}

/** Throws WB-209, WB-218 for a database that is damaged, here or when it is used, and WB-215 for a database of a newer version, which stays as it is. */
export function openDatabase(path: string, options: SqliteOptions = {}): DatabaseSync {
  try {
    return openedDatabase(path, options);
  } catch (error) {
    throw asDatabaseError(path, error);
  }
}

function openedDatabase(path: string, options: SqliteOptions): DatabaseSync {
  if (path !== ':memory:' && options.readOnly !== true) makeFoldersSync(dirname(path));
  const database = new NamedDatabase(path, { readOnly: options.readOnly ?? false });
  try {
    prepare(database, path, options);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepare(database: DatabaseSync, path: string, options: SqliteOptions): void {
  const { mode, readOnly, format = 1, pageBytes } = options;
  database.exec('PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;');
  // Asked before anything is written: not even the journal of a newer version's database is touched.
  const { user_version: found } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (found > format) {
    const expected = `data of format ${format} or older in ${path}`;
    throw fail(R.format, { expected, actual: `format ${found}` });
  }
  if (readOnly === true) return;
  if (pageBytes !== undefined) database.exec(`PRAGMA page_size = ${pageBytes}`);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(`PRAGMA synchronous = ${mode === 'fast' ? 'NORMAL' : 'FULL'}`);
  if (found < format && path !== ':memory:') database.exec(`PRAGMA user_version = ${format}`);
}

/** Runs `body` in one transaction; a throw rolls it back. */
export function transaction<T>(database: DatabaseSync, body: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const value = body();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    // SQLite itself rolls back what a failing disk breaks: the first error is the one to tell.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
