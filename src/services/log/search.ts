/** Keeps the search index up with the log, off the path of appends. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log, LogRecord } from '#tlog';
import { decodeExtra, indexedKey, type SearchKey } from './search-keys.ts';
import type { SearchStore } from './store.ts';

/** Entries indexed in one transaction: some milliseconds, so that appends do not wait long for a turn. */
const STEP_ENTRIES = 32;
/** How long after an append the index follows by itself, in milliseconds. */
const FOLLOW_MS = 100;

export class SearchIndex {
  readonly #log: Log;
  readonly #store: SearchStore;
  readonly #bodyKeys: (body: Uint8Array) => SearchKey[];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(log: Log, store: SearchStore, bodyKeys: (body: Uint8Array) => SearchKey[]) {
    this.#log = log;
    this.#store = store;
    this.#bodyKeys = bodyKeys;
    // An index that knows more than the log belongs to another one.
    if (store.covered() > log.tree.size) store.clear();
    this.follow();
  }

  get covered(): number {
    return this.#store.covered();
  }

  /** Follows the log soon, in the background. A failure is left to the next search, which reports it. */
  follow(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.catchUp().catch(() => {});
    }, FOLLOW_MS);
    this.#timer.unref();
  }

  /** Indexes everything published so far. */
  async catchUp(): Promise<void> {
    while (!this.#closed && this.#store.covered() < this.#log.tree.size) {
      this.#running ??= this.#step().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
      await nextTurn();
    }
  }

  async #step(): Promise<void> {
    const from = this.#store.covered();
    const to = Math.min(this.#log.tree.size, from + STEP_ENTRIES);
    const keys: Uint8Array[][] = [];
    for (let index = from; index < to; index++) keys.push(this.#keysOf(await this.#log.record(index)));
    this.#store.add(keys);
  }

  #keysOf(record: LogRecord): Uint8Array[] {
    return [...this.#bodyKeys(record.entry).map(indexedKey), ...decodeExtra(record.extra)];
  }

  /** Entries with this key, oldest first; everything published when the call began is looked at. */
  async find(key: SearchKey, max: number): Promise<number[]> {
    await this.catchUp();
    return this.#store.find(indexedKey(key), max);
  }

  /** False where there is no room for it. */
  keepPayload(digest: string, payload: Uint8Array): boolean {
    return this.#closed || this.#store.keepPayload(digest, payload);
  }

  get payloadBytes(): number {
    return this.#closed ? 0 : this.#store.payloadBytes();
  }

  payload(digest: string): Uint8Array | undefined {
    return this.#store.payload(digest);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#store.close();
  }
}
