/** Embedded SQL: node:sqlite opened for durability (WAL, full synchronisation) or for speed (caches). */
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail } from '#base/reason';
import { asFileError, makeFoldersSync } from './files.ts';
import { R } from './reasons.ts';

export type { DatabaseSync as Database, StatementSync as SqlStatement } from 'node:sqlite';

export interface SqliteOptions {
  /** `durable`: a commit is on disk when it returns. `fast`: a crash may lose the last commits. */
  readonly mode?: 'durable' | 'fast';
  readonly readOnly?: boolean;
  /** Of the tables in it, kept as `user_version`; default 1. What an older version left there is 0. */
  readonly format?: number;
}

/** WB-209 for a database at `path` that the disk does not give; every other error as it is. */
export function asDatabaseError(path: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') return asFileError(error) ?? error;
  return fail(R.file, { expected: `access to ${path}`, actual: (error as Error).message }, error);
}

/** Throws WB-209, and WB-215 for a database of a newer version, which stays as it is. */
export function openDatabase(path: string, options: SqliteOptions = {}): DatabaseSync {
  try {
    return openedDatabase(path, options);
  } catch (error) {
    throw asDatabaseError(path, error);
  }
}

function openedDatabase(path: string, options: SqliteOptions): DatabaseSync {
  if (path !== ':memory:' && options.readOnly !== true) makeFoldersSync(dirname(path));
  const database = new DatabaseSync(path, { readOnly: options.readOnly ?? false });
  try {
    prepare(database, path, options);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepare(database: DatabaseSync, path: string, { mode, readOnly, format = 1 }: SqliteOptions): void {
  database.exec('PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;');
  // Asked before anything is written: not even the journal of a newer version's database is touched.
  const { user_version: found } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (found > format) {
    const expected = `data of format ${format} or older in ${path}`;
    throw fail(R.format, { expected, actual: `format ${found}` });
  }
  if (readOnly === true) return;
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
