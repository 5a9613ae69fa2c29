/**
 * Entries that wait for the next batch. The window adapts by itself: a batch is whatever arrived while the
 * batch before was being made durable, so one client waits for one sync and many clients share it.
 */
import { fail, type WaybillError } from '#base/reason';
import { R } from './reasons.ts';
import type { AppendResult, PendingEntry } from './types.ts';

export interface Waiter {
  /** Its identity, one character a byte. */
  readonly key: string;
  readonly pending: PendingEntry;
  readonly result: Promise<AppendResult>;
  readonly settle: PromiseWithResolvers<AppendResult>;
}

export class Pool {
  readonly #max: number;
  #waiting: Waiter[] = [];
  /** Waiting or being committed, by identity. */
  readonly #underWay = new Map<string, Waiter>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** The coming outcome of the same entry, while that is under way. */
  same(key: string): Promise<AppendResult> | undefined {
    return this.#underWay.get(key)?.result;
  }

  /** WB-402 when too many wait. */
  get refusal(): WaybillError | undefined {
    if (this.#waiting.length < this.#max) return undefined;
    return fail(R.poolFull, { expected: `fewer than ${this.#max} waiting entries`, actual: 'a full pool' });
  }

  /** Queues an entry that is not under way and returns its outcome. */
  add(key: string, pending: PendingEntry): Promise<AppendResult> {
    const settle = Promise.withResolvers<AppendResult>();
    const waiter: Waiter = { key, pending, settle, result: settle.promise };
    // The batch may fail after its submitter went away; that must not end the process.
    waiter.result.catch(() => {});
    this.#waiting.push(waiter);
    this.#underWay.set(key, waiter);
    return waiter.result;
  }

  take(max: number): Waiter[] {
    return this.#waiting.splice(0, max);
  }

  resolve(waiter: Waiter, result: AppendResult): void {
    this.#underWay.delete(waiter.key);
    waiter.settle.resolve(result);
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
