/**
 * Names and their entries in SQLite, for the stores of one machine. Names are hashes: each falls on another page, and a
 * page that is written for one name alone costs more than all else an entry costs. So names wait in memory until
 * thousands have come, and are then written in their order, a part with every call. A crash loses what waits: it is
 * derived, and opening a log gives it back from tiles and staging.
 */
import { latin1 } from '#base/bytes';
import { type Database, openDatabase, transaction } from './sqlite.ts';
import type { NameIndex } from './store.ts';

const NAME_BYTES = 32;

/** Names that are written as one round, in order: some twenty to a page of a million names. */
const ROUND_NAMES = 8192;

/** Names written at once at least: fewer would cost more calls than pages. */
const PART_NAMES_MIN = 512;

/**
 * Fewer, larger checkpoints write a page once for several names, and a larger cache finds it in memory. 4,000 pages are
 * 16 MiB of log, the cache 8 MiB.
 */
const PRAGMAS = 'PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -8192';

const TABLES = `
  CREATE TABLE IF NOT EXISTS names (name BLOB PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS extent (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL);
  INSERT OR IGNORE INTO extent (id, size) VALUES (1, 0)`;

/** Names one after the other in one value, and their entries as JSON: a call for each costs as much as its row. */
const INSERT = `INSERT OR IGNORE INTO names (name, entry)
  SELECT substr(?1, ${NAME_BYTES} * key + 1, ${NAME_BYTES}), value FROM json_each(?2)`;

const FIND = `WITH RECURSIVE place (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM place WHERE i + 1 < ?2)
  SELECT i, entry FROM place CROSS JOIN names ON name = substr(?1, ${NAME_BYTES} * i + 1, ${NAME_BYTES})`;

/** Names that are being written, in their order. */
interface Round {
  readonly entries: ReadonlyMap<string, number>;
  readonly sorted: readonly string[];
  /** What the index covers when all are written. */
  readonly extent: number;
  written: number;
}

class NameTable {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepared>;
  /** Entries whose names are in the database, and in the database or here. */
  #written: number;
  #extent: number;
  /** Not in a round yet, one character a byte. */
  #waiting = new Map<string, number>();
  #round: Round | undefined;

  constructor(database: Database) {
    this.#database = database;
    database.exec(PRAGMAS);
    database.exec(TABLES);
    this.#statements = prepared(database);
    this.#written = (this.#statements.extent.get() as { size: number }).size;
    this.#extent = this.#written;
  }

  get extent(): number {
    return this.#extent;
  }

  index(from: number, names: readonly (readonly Uint8Array[])[]): void {
    let added = 0;
    // What the database covers is in it.
    for (let i = Math.max(0, this.#written - from); i < names.length; i++) {
      for (const name of names[i] as readonly Uint8Array[]) {
        this.#wait(name, from + i);
        added++;
      }
    }
    this.#extent = Math.max(this.#extent, from + names.length);
    while (this.#waiting.size >= ROUND_NAMES) {
      this.#writePart(Number.POSITIVE_INFINITY);
      this.#beginRound();
    }
    // Twice what came: a round is over long before the next one is full.
    this.#writePart(Math.max(PART_NAMES_MIN, 2 * added));
  }

  /** The first holder of a name stays it. */
  #wait(name: Uint8Array, entry: number): void {
    if (name.length !== NAME_BYTES) throw new Error(`a name of ${name.length} bytes`);
    const key = latin1(name);
    if (!this.#waiting.has(key) && this.#round?.entries.has(key) !== true) this.#waiting.set(key, entry);
  }

  #beginRound(): void {
    const entries = this.#waiting;
    this.#round = { entries, sorted: [...entries.keys()].sort(), extent: this.#extent, written: 0 };
    this.#waiting = new Map();
  }

  #writePart(count: number): void {
    const round = this.#round;
    if (round === undefined) return;
    const part = round.sorted.slice(round.written, round.written + count);
    const isLast = round.written + part.length === round.sorted.length;
    transaction(this.#database, () => {
      const entries = part.map((name) => round.entries.get(name));
      this.#statements.insert.run(Buffer.from(part.join(''), 'latin1'), JSON.stringify(entries));
      if (isLast) this.#statements.grow.run(round.extent);
    });
    round.written += part.length;
    if (!isLast) return;
    this.#written = Math.max(this.#written, round.extent);
    this.#round = undefined;
  }

  find(names: readonly Uint8Array[]): (number | undefined)[] {
    const found: (number | undefined)[] = new Array(names.length).fill(undefined);
    if (names.length === 0) return found;
    const asked = Buffer.alloc(NAME_BYTES * names.length);
    for (const [i, name] of names.entries()) {
      if (name.length !== NAME_BYTES) continue;
      asked.set(name, NAME_BYTES * i);
      const key = latin1(name);
      found[i] = this.#round?.entries.get(key) ?? this.#waiting.get(key);
    }
    // What is written is older than what waits.
    for (const row of this.#statements.find.all(asked, names.length)) {
      const { i, entry } = row as { i: number; entry: number };
      if (names[i]?.length === NAME_BYTES) found[i] = entry;
    }
    return found;
  }

  /** Writes what waits and closes the database. */
  close(): void {
    try {
      this.#writePart(Number.POSITIVE_INFINITY);
      // Entries may have no names: that they are covered is written all the same.
      if (this.#waiting.size > 0 || this.#extent > this.#written) this.#beginRound();
      this.#writePart(Number.POSITIVE_INFINITY);
    } catch {
      // What is not written is made again when the log is opened.
    }
    this.#database.close();
  }
}

function prepared(database: Database) {
  return {
    insert: database.prepare(INSERT),
    find: database.prepare(FIND),
    grow: database.prepare('UPDATE extent SET size = max(size, ?) WHERE id = 1'),
    extent: database.prepare('SELECT size FROM extent WHERE id = 1'),
  };
}

/** `close` writes what waits and closes the database. */
export function nameIndex(database: Database): NameIndex & { close(): void } {
  const table = new NameTable(database);
  return {
    indexed: async () => table.extent,
    index: async (from, names) => table.index(from, names),
    find: async (names) => table.find(names),
    close: () => table.close(),
  };
}

/** An index of its own for a store that keeps none: derived, so a lost file is made again from the tiles. */
export const openNameIndex = (path: string | undefined): NameIndex & { close(): void } =>
  nameIndex(openDatabase(path ?? ':memory:', { mode: 'fast' }));
