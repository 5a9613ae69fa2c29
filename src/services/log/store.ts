/**
 * Beside the log: the search index, key → entries, and payloads of statements. The index is derived from the log by reading it in order, so it may be lost; what it
 * covers is a number, and a search first reads on to the newest published entry. Payloads are kept as Rekor v1 keeps
 * them: for whoever asks, under the digest that the entry signs, and no promise hangs on them.
 */
import { openDatabase, transaction } from '#platform/sqlite';

export interface SearchStore {
  /** Entries [0, n) are indexed. */
  covered(): number;
  /** Adds the keys of entries from `covered()` on. */
  add(keysOfEntries: readonly (readonly Uint8Array[])[]): void;
  /** Entries with this key, in the order of the log, at most `max`. */
  find(key: Uint8Array, max: number): number[];
  /** Forgets everything but payloads. */
  clear(): void;
  /** Keeps a payload under its digest, `sha256:<hex>`; one that is there stays. False where there is no room for it. */
  keepPayload(digest: string, payload: Uint8Array): boolean;
  /** Bytes of all payloads. */
  payloadBytes(): number;
  payload(digest: string): Uint8Array | undefined;
  close(): void;
}

/** `path` undefined: in memory. `payloadBytesMax` is of all payloads together. */
export function openSearchStore(
  path: string | undefined,
  payloadBytesMax = Number.POSITIVE_INFINITY,
): SearchStore {
  const database = openDatabase(path ?? ':memory:', { mode: 'fast' });
  database.exec(`
    CREATE TABLE IF NOT EXISTS keys (key BLOB, entry INTEGER, PRIMARY KEY (key, entry)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS payloads (digest TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS extent (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL);
    INSERT OR IGNORE INTO extent (id, size) VALUES (1, 0)`);
  const extent = database.prepare('SELECT size FROM extent WHERE id = 1');
  const grow = database.prepare('UPDATE extent SET size = ? WHERE id = 1');
  const insert = database.prepare('INSERT OR IGNORE INTO keys (key, entry) VALUES (?, ?)');
  const select = database.prepare('SELECT entry FROM keys WHERE key = ? ORDER BY entry LIMIT ?');
  const keep = database.prepare('INSERT OR IGNORE INTO payloads (digest, payload) VALUES (?, ?)');
  const kept = database.prepare('SELECT payload FROM payloads WHERE digest = ?');
  const sum = database.prepare('SELECT coalesce(sum(length(payload)), 0) AS bytes FROM payloads');
  let payloadBytes = (sum.get() as { bytes: number }).bytes;
  const covered = (): number => (extent.get() as { size: number }).size;
  return {
    covered,
    add: (keysOfEntries) =>
      transaction(database, () => {
        const from = covered();
        keysOfEntries.forEach((keys, i) => {
          for (const key of keys) insert.run(key, from + i);
        });
        grow.run(from + keysOfEntries.length);
      }),
    find: (key, max) => select.all(key, max).map((row) => (row as { entry: number }).entry),
    clear: () =>
      transaction(database, () => {
        database.exec('DELETE FROM keys');
        grow.run(0);
      }),
    keepPayload: (digest, payload) => {
      if (kept.get(digest) !== undefined) return true;
      if (payloadBytes + payload.length > payloadBytesMax) return false;
      keep.run(digest, payload);
      payloadBytes += payload.length;
      return true;
    },
    payloadBytes: () => payloadBytes,
    payload: (digest) => (kept.get(digest) as { payload: Uint8Array } | undefined)?.payload,
    close: () => database.close(),
  };
}
