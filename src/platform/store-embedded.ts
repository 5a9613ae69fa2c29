/**
 * A `LogStore` in one directory:
 *
 *     staging.db    batches not yet in full tiles (SQLite, every commit synchronised)
 *     index.db      name → entry; derived, so its last commits may be lost
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
import { asDatabaseError, type Database, openDatabase, transaction } from './sqlite.ts';
import type { LogStore, NameIndex, StagedBatch, Staging } from './store.ts';
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
  const index = openOne(join(directory, 'index.db'), 'fast');
  const turns = lockTurns(lockFile);
  const durable = durableFolders(directory);
  return {
    lock: lockIn(lockDb, turns),
    lockPlace: lockFile,
    place: directory,
    ...stagingPart(staging),
    ...indexPart(index),
    writeTile: async (path, bytes) => {
      const file = join(directory, path);
      await durable(dirname(file));
      await writeFileDurable(file, bytes);
    },
    readTile: (path) => readFileIfThere(join(directory, path)),
    ...checkpointFile(join(directory, 'checkpoint'), lockDb, turns),
    close: async () => {
      for (const database of [lockDb, staging, index]) database.close();
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

/** An index of its own for a store that keeps none: derived, so a lost file is made again from the tiles. */
export function openNameIndex(path: string | undefined): NameIndex & { close(): void } {
  const database = openDatabase(path ?? ':memory:', { mode: 'fast' });
  return { ...indexPart(database), close: () => database.close() };
}

/** Entries at once from which sorting their names costs less than it saves: more than a log that serves has. */
const SORTED_FROM = 4096;

/**
 * Names are hashes: each falls on another page. Fewer, larger checkpoints write a page once for several names, and a
 * larger cache finds it in memory: half the time an entry takes here. 4,000 pages are 16 MiB of log, the cache 8 MiB.
 */
const INDEX_PRAGMAS = 'PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8192';

function indexPart(database: Database): NameIndex {
  database.exec(INDEX_PRAGMAS);
  database.exec(`
    CREATE TABLE IF NOT EXISTS names (name BLOB PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS extent (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL);
    INSERT OR IGNORE INTO extent (id, size) VALUES (1, 0)`);
  const insert = database.prepare('INSERT OR IGNORE INTO names (name, entry) VALUES (?, ?)');
  const grow = database.prepare('UPDATE extent SET size = max(size, ?) WHERE id = 1');
  const extent = database.prepare('SELECT size FROM extent WHERE id = 1');
  const select = database.prepare('SELECT entry FROM names WHERE name = ?');
  return {
    indexed: async () => (extent.get() as { size: number }).size,
    index: async (from, rows) =>
      transaction(database, () => {
        const names = rows.flatMap((row, i) => row.map((name) => ({ name, entry: from + i })));
        // In order each page is met once; the first holder of a name stays the first.
        if (rows.length >= SORTED_FROM) names.sort((a, b) => Buffer.compare(a.name, b.name));
        for (const { name, entry } of names) insert.run(name, entry);
        grow.run(from + rows.length);
      }),
    find: async (name) => (select.get(name) as { entry: number } | undefined)?.entry,
  };
}
