/**
 * Entries that wait for the next batch. The window adapts by itself: a batch is whatever arrived while the
 * batch before was being made durable, so one client waits for one sync and many clients share it.
 */
import { latin1 } from '#base/bytes';
import { fail } from '#base/reason';
import { R } from './reasons.ts';
import type { LoggedEntry, PendingEntry } from './types.ts';

/** Entries remembered after their commit, so that a look-up begun before it cannot let a duplicate in. */
const RECENT_MAX = 8192;

export interface Waiter {
  /** Its identity, one character a byte. */
  readonly key: string;
  readonly pending: PendingEntry;
  readonly result: Promise<LoggedEntry>;
  readonly settle: PromiseWithResolvers<LoggedEntry>;
}

export class Pool {
  readonly #max: number;
  #waiting: Waiter[] = [];
  /** Waiting or being committed, by identity. */
  readonly #underWay = new Map<string, Waiter>();
  readonly #recent = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** The same entry: its coming outcome while it is under way, its index when it was committed a moment ago. */
  same(identity: Uint8Array): Promise<LoggedEntry> | number | undefined {
    const key = latin1(identity);
    return this.#underWay.get(key)?.result ?? this.#recent.get(key);
  }

  /** Queues an entry and returns its outcome. Throws WB-402 when too many wait. */
  add(pending: PendingEntry): Promise<LoggedEntry> {
    if (this.#waiting.length >= this.#max) {
      throw fail(R.poolFull, { expected: `fewer than ${this.#max} waiting entries`, actual: 'a full pool' });
    }
    const settle = Promise.withResolvers<LoggedEntry>();
    const waiter: Waiter = { key: latin1(pending.identity), pending, settle, result: settle.promise };
    // The batch may fail after its submitter went away; that must not end the process.
    waiter.result.catch(() => {});
    this.#waiting.push(waiter);
    this.#underWay.set(waiter.key, waiter);
    return waiter.result;
  }

  take(max: number): Waiter[] {
    return this.#waiting.splice(0, max);
  }

  resolve(waiter: Waiter, logged: LoggedEntry): void {
    this.#underWay.delete(waiter.key);
    this.#recent.set(waiter.key, logged.index);
    if (this.#recent.size > RECENT_MAX) this.#recent.delete(this.#recent.keys().next().value as string);
    waiter.settle.resolve(logged);
  }

  /** Forgets the entry before it answers, so that the same entry submitted again starts anew. */
  reject(waiter: Waiter, error: unknown): void {
    this.#underWay.delete(waiter.key);
    waiter.settle.reject(error);
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.take(this.#waiting.length)) this.reject(waiter, error);
  }
}
