/**
 * A ledger of many machines in a bucket:
 *
 *     format                   `waybill-registry 2 <id of this registry>`
 *     journal/<16 digits>      one entry a write or several; its name is given once (`If-None-Match: *`)
 *     snapshot, snapshots/<n>  the tables after entry n, for machines that begin
 *     journal-floor            below it entries are cut, and count for nobody (journal-floor.ts)
 *
 * Each machine has the tables of the entries it has read. To write, it decides on what it knows and asks for the next
 * name; whoever was faster is read first, and it is decided again. So all writes of all machines have one order, and
 * each is decided on exactly what was before it. Old entries are cut once a snapshot holds them.
 */
import { toHex, utf8 } from '#base/bytes';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { type Database, transaction } from '#platform/sqlite';
import { s3Cell } from '#platform/store-s3';
import type { Bucket } from '#platform/store-s3-bucket';
import { apply, type Change, type Entry, entryBytes, parseEntry } from './changes.ts';
import { beginAgain, journalKey, readFloor } from './journal-floor.ts';
import { decideAll, type Ledger, type Waiting } from './ledger.ts';
import { R } from './reasons.ts';

/** Of version 1 nothing was cut: its programs would take a free name for the newest. */
const FORMAT = 'waybill-registry 2';
const FORMAT_BEFORE = 'waybill-registry 1';
/** Entries that are read before the floor is asked for. */
const READ_ENTRIES_MAX = 100;
/** Writes that wait together go into one entry, as long as they are not more than these. */
const BATCH_WRITES_MAX = 64;
/** Times an entry is asked to be written before its writers are told that nobody knows. */
const ATTEMPTS = 4;
/** Times a write is decided again because others were faster. */
const RACES_MAX = 200;

export interface JournalOptions {
  readonly bucket: Bucket;
  readonly db: Database;
  readonly random: Random;
  /** For a snapshot on its way into the tables. */
  readonly file: string;
  /** Told after each entry of one's own, with its position. */
  readonly onWritten?: (position: number) => void;
}

/** Reads everything there is. Throws WB-1101 for another registry's bucket, or one that lacks what was read before. */
export async function openJournal(options: JournalOptions): Promise<Ledger & { position(): number }> {
  const journal = new Journal(options);
  await journal.open();
  return journal;
}

class Journal implements Ledger {
  readonly #bucket: Bucket;
  readonly #db: Database;
  readonly #random: Random;
  readonly #file: string;
  readonly #onWritten: (position: number) => void;
  readonly #queue: Waiting[] = [];
  #isWriting = false;
  #reading: Promise<void> | undefined;
  #nextReading: Promise<void> | undefined;

  constructor({ bucket, db, random, file, onWritten }: JournalOptions) {
    this.#bucket = bucket;
    this.#db = db;
    this.#random = random;
    this.#file = file;
    this.#onWritten = onWritten ?? (() => {});
  }

  async open(): Promise<void> {
    this.#db.exec('CREATE TABLE IF NOT EXISTS journal (id TEXT NOT NULL, position INTEGER NOT NULL) STRICT');
    const id = await registryId(this.#bucket, this.#random);
    const row = this.#db.prepare('SELECT id, position FROM journal').get();
    if (row === undefined) this.#db.prepare('INSERT INTO journal VALUES (?, 0)').run(id);
    else if (row['id'] !== id) {
      throw fail(R.journal, { expected: `the bucket of registry ${String(row['id'])}`, actual: id });
    }
    const position = this.position();
    const isThere = position === 0 || (await this.#bucket.get(journalKey(position))) !== undefined;
    if (!isThere && (await readFloor(this.#bucket)) <= position) {
      throw fail(R.journal, { expected: `entry ${position}, which was read before`, actual: 'none' });
    }
    await this.fresh();
  }

  position(): number {
    return Number(this.#db.prepare('SELECT position FROM journal').get()?.['position']);
  }

  /** A reading that began before the call may miss what was acknowledged meanwhile: then the one after it counts. */
  fresh(): Promise<void> {
    if (this.#reading === undefined) return this.#startReading();
    this.#nextReading ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#nextReading = undefined;
        return this.#startReading();
      });
    return this.#nextReading;
  }

  #startReading(): Promise<void> {
    const reading = this.#readOn().finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const first = this.position() + 1;
      const entries: Entry[] = [];
      let isEnd = false;
      while (!isEnd && entries.length < READ_ENTRIES_MAX) {
        const found = await this.#bucket.get(journalKey(first + entries.length));
        if (found === undefined) isEnd = true;
        else entries.push(parseEntry(found.bytes));
      }
      // Asked afterwards: what was cut before it was read, or before it was missed, shows in it.
      const floor = await readFloor(this.#bucket);
      if (floor > first) await this.#beginAgain(floor);
      else {
        for (const [i, entry] of entries.entries()) this.#applyEntry(first + i, entry);
        if (isEnd) return;
      }
    }
  }

  async #beginAgain(floor: number): Promise<void> {
    await beginAgain(this.#bucket, this.#db, this.#file);
    if (this.position() + 1 >= floor) return;
    const actual = `one up to ${this.position()}`;
    throw fail(R.journal, { expected: `a snapshot up to entry ${floor - 1} at least`, actual });
  }

  /** Reader and writer may both come with the same entry. */
  #applyEntry(position: number, { changes }: Entry): void {
    transaction(this.#db, () => {
      if (this.position() !== position - 1) return;
      apply(this.#db, changes);
      this.#db.prepare('UPDATE journal SET position = ?').run(position);
    });
  }

  commit(decide: () => readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ decide, resolve, reject });
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue.splice(0, BATCH_WRITES_MAX);
        await this.#writeAll(batch).catch((error: unknown) => {
          for (const one of batch) one.reject(error);
        });
      }
    } finally {
      this.#isWriting = false;
    }
  }

  async #writeAll(batch: readonly Waiting[]): Promise<void> {
    let waiting = batch;
    for (let race = 0; race < RACES_MAX; race++) {
      const decided = this.#decide(waiting);
      waiting = decided.waiting;
      if (waiting.length === 0) return;
      const position = this.position() + 1;
      const entry = { id: toHex(this.#random.bytes(16)), changes: decided.changes };
      const isWritten = await this.#append(position, entry);
      if (isWritten && (await readFloor(this.#bucket)) > position) {
        // It has the name of an entry that was cut, and counts for nobody.
        await this.#bucket.delete(journalKey(position));
      } else if (isWritten) {
        this.#applyEntry(position, entry);
        for (const { resolve } of waiting) resolve();
        this.#onWritten(position);
        return;
      }
      await this.fresh();
    }
    throw fail(R.journal, { expected: 'a turn to write', actual: `${RACES_MAX} times somebody was faster` });
  }

  /** Nothing of it stays in the tables yet. */
  #decide(batch: readonly Waiting[]): ReturnType<typeof decideAll> {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      return decideAll(this.#db, batch);
    } finally {
      this.#db.exec('ROLLBACK');
    }
  }

  /**
   * Whether the entry has this name. When the answer to a write is lost the same write is sent again: at most one of
   * them succeeds, and the entry's id says whose it is.
   */
  async #append(position: number, entry: Entry): Promise<boolean> {
    const key = journalKey(position);
    const bytes = entryBytes(entry);
    for (let attempt = 1; ; attempt++) {
      try {
        if (await this.#bucket.put(key, bytes, { absent: true })) return true;
        const held = await this.#bucket.get(key);
        return held !== undefined && parseEntry(held.bytes).id === entry.id;
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  close(): void {
    const closed = fail(R.journal, { expected: 'a registry that is open', actual: 'it was closed' });
    for (const one of this.#queue.splice(0)) one.reject(closed);
  }
}

/** Made once, by whoever opens the bucket first. */
async function registryId(bucket: Bucket, random: Random): Promise<string> {
  await bucket.put('format', utf8(`${FORMAT} ${toHex(random.bytes(16))}`), { absent: true });
  const cell = s3Cell(bucket, 'format');
  const text = (await cell.read()) ?? '';
  const [, version, id] = /^(waybill-registry [12]) ([0-9a-f]{32})$/.exec(text) ?? [];
  if (version === FORMAT_BEFORE) await cell.swap(text, `${FORMAT} ${id}`);
  if (id !== undefined) return id;
  throw fail(R.journal, { expected: `a bucket of ${FORMAT}`, actual: JSON.stringify(text.slice(0, 60)) });
}
