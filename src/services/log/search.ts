/** Keeps the search index up with the log, off the path of appends. */
import type { Log, LogRecord } from '#tlog';
import { decodeExtra, indexedKey, type SearchKey } from './search-keys.ts';
import type { SearchStore } from './store.ts';

/** Entries indexed in one transaction. */
const STEP_ENTRIES = 256;

export class SearchIndex {
  readonly #log: Log;
  readonly #store: SearchStore;
  readonly #bodyKeys: (body: Uint8Array) => SearchKey[];
  #running: Promise<void> | undefined;

  constructor(log: Log, store: SearchStore, bodyKeys: (body: Uint8Array) => SearchKey[]) {
    this.#log = log;
    this.#store = store;
    this.#bodyKeys = bodyKeys;
    // An index that knows more than the log belongs to another one.
    if (store.covered() > log.tree.size) store.clear();
  }

  get covered(): number {
    return this.#store.covered();
  }

  /** Indexes everything published so far. */
  async catchUp(): Promise<void> {
    while (this.#store.covered() < this.#log.tree.size) {
      this.#running ??= this.#step().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
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

  async close(): Promise<void> {
    await this.#running;
    this.#store.close();
  }
}
