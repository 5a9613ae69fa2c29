/** A clock for leases within one process: it stands still while the process does, so that no busy machine ends one. */
import type { Clock } from '#base/clock';

export class ProcessClock implements Clock {
  #now = 0;
  readonly #timer = setInterval(() => {
    this.#now += 1;
  }, 1).unref();

  /** Turns of the timer so far: never more than the milliseconds since it was made. */
  now(): number {
    return this.#now;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
