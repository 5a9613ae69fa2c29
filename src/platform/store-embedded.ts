/**
 * A `LogStore` in one directory:
 *
 *     staging.db    batches not yet in full tiles (SQLite, every commit synchronised)
 *     index.db      name → entry; derived, so the newest names may be lost
 *     tile/…        full tiles: written once, synchronised with their folder
 *     checkpoint    what readers see
 *     lock.db       the checkpoint lock, unless it is given a path of its own
 *
 * Whoever serves a log gives the lock a path of its own (`checkpoint-lock.ts`): a lock that went back with its data
 * cannot notice the loss.
 */
import { dirname, join } from 'node:path';
import { checkpointFile, lockTurns } from './checkpoint-file.ts';
import { INNER_LOCK, lockIn, takeLockOut } from './checkpoint-lock.ts';
import { makeFolderDurable } from './files.ts';
import { nameIndex } from './name-index.ts';
import { asDatabaseError, type Database, openDatabase, transaction } from './sqlite.ts';
import type { LogStore, StagedBatch, Staging } from './store.ts';
import { memoryLogStore } from './store-memory.ts';
import { tileFiles } from './tile-files.ts';

export interface EmbeddedStoreOptions {
  readonly directory: string;
  /** File of the checkpoint lock; default `lock.db` in the directory. */
  readonly lockFile?: string;
}

/** The embedded store of a folder, or a store in memory when there is no folder. */
export function openLogStore(directory: string | undefined, lockFile?: string): LogStore {
  if (directory === undefined) return memoryLogStore();
  return embeddedLogStore(lockFile === undefined ? { directory } : { directory, lockFile });
}

/** Throws WB-209 for a disk that does not give the files, WB-215 for data of a newer version. */
export function embeddedLogStore(options: EmbeddedStoreOptions): LogStore {
  const opened: Database[] = [];
  try {
    return openedStore(options, (path, mode, pageBytes) => {
      const database = openDatabase(path, { mode, ...(pageBytes === undefined ? {} : { pageBytes }) });
      opened.push(database);
      return database;
    });
  } catch (error) {
    // What was opened before the refusal leaves nothing beside the data.
    for (const database of opened) database.close();
    throw asDatabaseError(options.directory, error);
  }
}

type Opening = (path: string, mode: 'durable' | 'fast', pageBytes?: number) => Database;

function openedStore(options: EmbeddedStoreOptions, openOne: Opening): LogStore {
  const { directory } = options;
  makeFolderDurable(directory);
  // Asked first: nothing else is opened, or made, beside data of another version.
  const stagingDb = openOne(join(directory, 'staging.db'), 'durable', STAGING_PAGE_BYTES);
  const lockFile = options.lockFile ?? join(directory, INNER_LOCK);
  // A lock whose folder is gone after a power failure is a log that never opens again.
  makeFolderDurable(dirname(lockFile));
  takeLockOut(directory, lockFile);
  const lockDb = openOne(lockFile, 'durable');
  const indexDb = openOne(join(directory, 'index.db'), 'fast');
  const turns = lockTurns(lockFile);
  const [staging, names] = [stagingPart(stagingDb), nameIndex(indexDb)];
  return {
    lock: lockIn(lockDb, turns),
    lockPlace: lockFile,
    place: directory,
    ...staging,
    ...names,
    ...tileFiles(directory),
    ...checkpointFile(join(directory, 'checkpoint'), lockDb, turns),
    close: async () => {
      for (const part of [lockDb, staging, names]) part.close();
    },
  };
}

interface BatchRow {
  readonly from_size: number;
  readonly from_root: Uint8Array;
  readonly payload: Uint8Array;
}

/** Batches are hundreds of kilobytes: with larger pages they are written in fewer pieces. */
const STAGING_PAGE_BYTES = 16 * 1024;

/** 8 MiB of log, then what is left of it is written to the database. */
const STAGING_PRAGMAS = 'PRAGMA wal_autocheckpoint = 512';

/** What is to be forgotten goes with the next batch, in its transaction: a commit less for every batch. */
function stagingPart(database: Database): Staging & { close(): void } {
  database.exec(STAGING_PRAGMAS);
  database.exec(`CREATE TABLE IF NOT EXISTS staged (
    to_size INTEGER NOT NULL, root BLOB NOT NULL, from_size INTEGER NOT NULL, from_root BLOB NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (to_size, root))`);
  const insert = database.prepare('INSERT OR REPLACE INTO staged VALUES (?, ?, ?, ?, ?)');
  const select = database.prepare(
    'SELECT from_size, from_root, payload FROM staged WHERE to_size = ? AND root = ?',
  );
  const remove = database.prepare('DELETE FROM staged WHERE to_size <= ?');
  let forgotten: number | undefined;
  return {
    stage: async (batch) => {
      transaction(database, () => {
        if (forgotten !== undefined) remove.run(forgotten);
        insert.run(batch.to, batch.root, batch.from, batch.fromRoot, batch.payload);
      });
      forgotten = undefined;
    },
    staged: async (to, root): Promise<StagedBatch | undefined> => {
      if (forgotten !== undefined && to <= forgotten) return undefined;
      const row = select.get(to, root) as unknown as BatchRow | undefined;
      if (row === undefined) return undefined;
      return { from: row.from_size, fromRoot: row.from_root, to, root, payload: row.payload };
    },
    unstage: async (size) => {
      forgotten = Math.max(forgotten ?? 0, size);
    },
    close: () => {
      try {
        if (forgotten !== undefined) remove.run(forgotten);
      } catch {
        // What stays is applied once more, and forgotten, when the log is opened.
      }
      database.close();
    },
  };
}
