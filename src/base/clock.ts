/** Time as a parameter. The system clock is built once, at the edge (platform). */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/** A clock that stands still until told; for tests and replays. */
export class FixedClock implements Clock {
  #ms: number;

  constructor(ms: number) {
    this.#ms = ms;
  }

  now(): number {
    return this.#ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}

/** RFC 3339 in UTC with seconds, as used in OCI annotations and predicates. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
