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
import { makeFolderDurable, makeFolders, readFileIfThere, syncFolder, writeFileDurable } from './files.ts';
import { nameIndex } from './name-index.ts';
import { asDatabaseError, type Database, openDatabase } from './sqlite.ts';
import type { LogStore, StagedBatch, Staging } from './store.ts';
import { memoryLogStore } from './store-memory.ts';

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
    return openedStore(options, (path, mode) => {
      const database = openDatabase(path, { mode });
      opened.push(database);
      return database;
    });
  } catch (error) {
    // What was opened before the refusal leaves nothing beside the data.
    for (const database of opened) database.close();
    throw asDatabaseError(options.directory, error);
  }
}

type Opening = (path: string, mode: 'durable' | 'fast') => Database;

function openedStore(options: EmbeddedStoreOptions, openOne: Opening): LogStore {
  const { directory } = options;
  makeFolderDurable(directory);
  // Asked first: nothing else is opened, or made, beside data of another version.
  const staging = openOne(join(directory, 'staging.db'), 'durable');
  const lockFile = options.lockFile ?? join(directory, INNER_LOCK);
  // A lock whose folder is gone after a power failure is a log that never opens again.
  makeFolderDurable(dirname(lockFile));
  takeLockOut(directory, lockFile);
  const lockDb = openOne(lockFile, 'durable');
  const names = nameIndex(openOne(join(directory, 'index.db'), 'fast'));
  const turns = lockTurns(lockFile);
  const durable = durableFolders(directory);
  return {
    lock: lockIn(lockDb, turns),
    lockPlace: lockFile,
    place: directory,
    ...stagingPart(staging),
    ...names,
    writeTile: async (path, bytes) => {
      const file = join(directory, path);
      await durable(dirname(file));
      await writeFileDurable(file, bytes);
    },
    readTile: (path) => readFileIfThere(join(directory, path)),
    ...checkpointFile(join(directory, 'checkpoint'), lockDb, turns),
    close: async () => {
      for (const part of [lockDb, staging, names]) part.close();
    },
  };
}

/**
 * Makes the folders of tiles, each durably before anything in it counts. A folder that is there is no proof: the
 * process that made it may have been ended before it was synchronised.
 */
function durableFolders(directory: string): (folder: string) => Promise<void> {
  const known = new Map<string, Promise<void>>();
  const make = async (folder: string): Promise<void> => {
    const parent = dirname(folder);
    if (parent !== directory) await ensure(parent);
    await makeFolders(folder);
    await syncFolder(parent);
  };
  const ensure = (folder: string): Promise<void> => {
    const under = known.get(folder) ?? make(folder);
    known.set(folder, under);
    return under.catch((error: unknown) => {
      known.delete(folder);
      throw error;
    });
  };
  return ensure;
}

interface BatchRow {
  readonly from_size: number;
  readonly from_root: Uint8Array;
  readonly payload: Uint8Array;
}

function stagingPart(database: Database): Staging {
  database.exec(`CREATE TABLE IF NOT EXISTS staged (
    to_size INTEGER NOT NULL, root BLOB NOT NULL, from_size INTEGER NOT NULL, from_root BLOB NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (to_size, root))`);
  const insert = database.prepare('INSERT OR REPLACE INTO staged VALUES (?, ?, ?, ?, ?)');
  const select = database.prepare(
    'SELECT from_size, from_root, payload FROM staged WHERE to_size = ? AND root = ?',
  );
  const remove = database.prepare('DELETE FROM staged WHERE to_size <= ?');
  return {
    stage: async (batch) => {
      insert.run(batch.to, batch.root, batch.from, batch.fromRoot, batch.payload);
    },
    staged: async (to, root): Promise<StagedBatch | undefined> => {
      const row = select.get(to, root) as unknown as BatchRow | undefined;
      if (row === undefined) return undefined;
      return { from: row.from_size, fromRoot: row.from_root, to, root, payload: row.payload };
    },
    unstage: async (size) => {
      remove.run(size);
    },
  };
}
