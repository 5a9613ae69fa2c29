/** Embedded SQL: node:sqlite opened for durability (WAL, full synchronisation) or for speed (caches). */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export type { DatabaseSync as Database, StatementSync as SqlStatement } from 'node:sqlite';

export interface SqliteOptions {
  /** `durable`: a commit is on disk when it returns. `fast`: a crash may lose the last commits. */
  readonly mode?: 'durable' | 'fast';
  readonly readOnly?: boolean;
}

/** WB-209 for a database at `path` that the disk does not give; every other error as it is. */
export function asDatabaseError(path: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') return error;
  return fail(R.file, { expected: `access to ${path}`, actual: (error as Error).message }, error);
}

/** Throws WB-209. */
export function openDatabase(path: string, options: SqliteOptions = {}): DatabaseSync {
  try {
    return openedDatabase(path, options);
  } catch (error) {
    throw asDatabaseError(path, error);
  }
}

function openedDatabase(path: string, options: SqliteOptions): DatabaseSync {
  if (path !== ':memory:' && options.readOnly !== true) mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path, { readOnly: options.readOnly ?? false });
  if (options.readOnly !== true) {
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = ${options.mode === 'fast' ? 'NORMAL' : 'FULL'}`);
  }
  database.exec('PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;');
  return database;
}

/** Runs `body` in one transaction; a throw rolls it back. */
export function transaction<T>(database: DatabaseSync, body: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const value = body();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
