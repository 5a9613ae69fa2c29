/** A store, or anything else of calls, that ends its process at the n-th of them: before it took effect, or after. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogStore } from '#platform/store';

/** `within`: while it is under way, so many milliseconds after it began. */
export type When = 'before' | 'after' | { readonly within: number };

export class Ending {
  calls = 0;
  readonly #at: number;
  readonly #when: When;

  /** `at` 0: counts only. */
  constructor(at: number, when: When) {
    this.#at = at;
    this.#when = when;
  }

  async step<T>(call: () => Promise<T> | T): Promise<T> {
    this.calls++;
    if (this.calls !== this.#at) return call();
    if (this.#when === 'after') await call();
    if (typeof this.#when === 'object') {
      // What it comes to no longer matters.
      void Promise.resolve(call()).catch(() => {});
      await sleep(this.#when.within);
    }
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => {});
  }

  /** Every call that writes is a step. */
  store(inner: LogStore): LogStore {
    const step =
      <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
      (...args: A): Promise<T> =>
        this.step(() => call(...args));
    return {
      ...inner,
      lock: { read: inner.lock.read, swap: step(inner.lock.swap) },
      ...{ stage: step(inner.stage), unstage: step(inner.unstage), writeTile: step(inner.writeTile) },
      ...{ publish: step(inner.publish), index: step(inner.index) },
    };
  }
}
