/** A bounded map whose entries end by time; the least recently used goes first. Time is handed in. */
import type { Clock } from '#base/clock';

export interface ExpiringCacheOptions {
  readonly clock: Clock;
  /** Largest total weight; an entry weighs 1 unless it says otherwise. */
  readonly weightMax: number;
}

interface Entry<V> {
  readonly value: V;
  readonly until: number;
  readonly weight: number;
}

export class ExpiringCache<V> {
  readonly #options: ExpiringCacheOptions;
  readonly #entries = new Map<string, Entry<V>>();
  #weight = 0;

  constructor(options: ExpiringCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#remove(key);
    if (entry.until <= this.#options.clock.now()) return undefined;
    this.#add(key, entry);
    return entry.value;
  }

  set(key: string, value: V, ttlMs: number, weight = 1): void {
    this.#remove(key);
    if (ttlMs <= 0 || weight > this.#options.weightMax) return;
    this.#add(key, { value, until: this.#options.clock.now() + ttlMs, weight });
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#options.weightMax) break;
      this.#remove(oldest);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }

  #add(key: string, entry: Entry<V>): void {
    this.#entries.set(key, entry);
    this.#weight += entry.weight;
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
  }
}

/** One running computation a key; everyone who asks meanwhile gets its result. Nothing is kept afterwards. */
export class Coalescer<V> {
  readonly #running = new Map<string, Promise<V>>();

  run(key: string, work: () => Promise<V>): Promise<V> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = work().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
