/** What a witness saw of each log, and when. Check and store are one step, on disk before the answer. */
import { existsSync } from 'node:fs';
import { asDatabaseError, openDatabase, transaction } from '#platform/sqlite';

export interface Seen {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface WitnessStore {
  seen(origin: string): Seen | undefined;
  /** Seconds since the epoch of the newest cosignature, over all logs; 0 before the first. */
  newestTime(): number;
  /**
   * Stores `next` and the time of its cosignature if the stored size is `previous` (0: nothing or size 0); false when
   * it is another.
   */
  advance(origin: string, previous: number, next: Seen, seconds: number): boolean;
  close(): void;
}

/** Whether a file is such a store. Throws WB-209 for one that is damaged, WB-215 for one of a newer version. */
export function hasWitnessStore(file: string): boolean {
  if (!existsSync(file)) return false;
  const database = openDatabase(file, { readOnly: true });
  try {
    const tables =
      "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name IN ('seen', 'newest')";
    return (database.prepare(tables).get() as { n: number }).n === 2;
  } catch (error) {
    throw asDatabaseError(file, error);
  } finally {
    database.close();
  }
}

export function openWitnessStore(file: string | undefined): WitnessStore {
  const database = openDatabase(file ?? ':memory:', { mode: 'durable' });
  database.exec(`
    CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS newest (id INTEGER PRIMARY KEY CHECK (id = 1), seconds INTEGER NOT NULL);
    INSERT OR IGNORE INTO newest VALUES (1, 0)`);
  const select = database.prepare('SELECT size, root FROM seen WHERE origin = ?');
  const insert = database.prepare('INSERT OR IGNORE INTO seen VALUES (?, ?, ?)');
  const update = database.prepare('UPDATE seen SET size = ?, root = ? WHERE origin = ? AND size = ?');
  const newest = database.prepare('SELECT seconds FROM newest WHERE id = 1');
  const tell = database.prepare('UPDATE newest SET seconds = max(seconds, ?) WHERE id = 1');
  return {
    seen: (origin) => select.get(origin) as Seen | undefined,
    newestTime: () => (newest.get() as { seconds: number }).seconds,
    advance: (origin, previous, { size, root }, seconds) =>
      transaction(database, () => {
        const isFirst = previous === 0 && insert.run(origin, size, root).changes === 1;
        if (!isFirst && update.run(size, root, origin, previous).changes !== 1) return false;
        tell.run(seconds);
        return true;
      }),
    close: () => database.close(),
  };
}
