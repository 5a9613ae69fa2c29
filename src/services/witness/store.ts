/** What a witness saw of each log. Check and store are one step, on disk before the answer. */
import { openDatabase } from '#platform/sqlite';

export interface Seen {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface WitnessStore {
  seen(origin: string): Seen | undefined;
  /** Stores `next` if the stored size is `previous` (0: nothing or size 0); false when it is another. */
  advance(origin: string, previous: number, next: Seen): boolean;
  close(): void;
}

export function openWitnessStore(file: string | undefined): WitnessStore {
  const database = openDatabase(file ?? ':memory:', { mode: 'durable' });
  database.exec(
    'CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL)',
  );
  const select = database.prepare('SELECT size, root FROM seen WHERE origin = ?');
  const insert = database.prepare('INSERT OR IGNORE INTO seen VALUES (?, ?, ?)');
  const update = database.prepare('UPDATE seen SET size = ?, root = ? WHERE origin = ? AND size = ?');
  return {
    seen: (origin) => select.get(origin) as Seen | undefined,
    advance: (origin, previous, { size, root }) => {
      if (previous === 0 && insert.run(origin, size, root).changes === 1) return true;
      return update.run(size, root, origin, previous).changes === 1;
    },
    close: () => database.close(),
  };
}
