/**
 * Whether the clock may be believed: compared with other clocks again and again. A timestamp says when something
 * was; an authority whose clock no majority of its sources agrees with makes none (TSA-02).
 */
import type { Clock } from '#base/clock';
import { type Reason, reason } from '#base/reason';
import type { TimeSource } from '#platform/sntp';
import type { Logger } from '#platform/telemetry';
import { R } from './reasons.ts';

export interface ClockWatchOptions {
  /** At least one; of several more than half must agree with the clock. */
  readonly sources: readonly TimeSource[];
  readonly clock: Clock;
  readonly log: Logger;
  /** How far the clock may be from a source. Default 1000 ms. */
  readonly maxOffsetMs?: number;
  /** How often it is compared. Default one minute. */
  readonly everyMs?: number;
  /** How long a good comparison holds while the sources are silent. Default ten comparisons. */
  readonly holdMs?: number;
}

export const MAX_OFFSET_MS = 1000;
const EVERY_MS = 60_000;
const HOLD_COMPARISONS = 10;

/** What came of asking a source, counted since the start. */
export interface SourceCount {
  readonly name: string;
  readonly answered: number;
  readonly failed: number;
}

export interface ClockWatch {
  readonly maxOffsetMs: number;
  /** Of the sources that answered last, in milliseconds: the one in the middle. */
  readonly offsetMs: number | undefined;
  readonly counts: readonly SourceCount[];
  /** Comparisons with too few answers, and with too many that do not agree. */
  readonly errors: { readonly tooFew: number; readonly offset: number };
  /** Why nothing may be issued now (WB-1058); undefined when the clock is right. */
  trouble(): Reason | undefined;
  /** Compares now. Never rejects. */
  check(): Promise<void>;
  close(): void;
}

/** Compares once before it resolves, then every `everyMs`. */
export async function openClockWatch(options: ClockWatchOptions): Promise<ClockWatch> {
  const watch = new Watch(options);
  await watch.check();
  watch.start(options.everyMs ?? EVERY_MS);
  return watch;
}

interface Answer {
  readonly name: string;
  readonly offset: number | undefined;
}

class Watch implements ClockWatch {
  readonly maxOffsetMs: number;
  readonly errors = { tooFew: 0, offset: 0 };
  offsetMs: number | undefined;
  readonly #options: ClockWatchOptions;
  readonly #holdMs: number;
  readonly #counts: Map<string, { answered: number; failed: number }>;
  #goodAt: number | undefined;
  #trouble: Reason | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.maxOffsetMs = options.maxOffsetMs ?? MAX_OFFSET_MS;
    this.#holdMs = options.holdMs ?? HOLD_COMPARISONS * (options.everyMs ?? EVERY_MS);
    this.#counts = new Map(options.sources.map(({ name }) => [name, { answered: 0, failed: 0 }]));
  }

  get counts(): SourceCount[] {
    return [...this.#counts].map(([name, count]) => ({ name, ...count }));
  }

  start(everyMs: number): void {
    this.#timer = setInterval(() => void this.check(), everyMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  trouble(): Reason | undefined {
    if (this.#trouble !== undefined) return this.#trouble;
    const age = this.#options.clock.now() - (this.#goodAt ?? Number.NEGATIVE_INFINITY);
    // A clock that went back since is not the one that was compared.
    if (age >= -this.maxOffsetMs && age <= this.#holdMs) return undefined;
    return this.#reason(age === Number.POSITIVE_INFINITY ? 'no answer yet' : `a comparison ${age} ms ago`);
  }

  async check(): Promise<void> {
    const { sources, clock, log } = this.#options;
    const answers = await Promise.all(sources.map((source) => this.#ask(source)));
    const offsets = answers.flatMap(({ offset }) => (offset === undefined ? [] : [offset]));
    this.offsetMs = offsets.toSorted((a, b) => a - b)[Math.floor(offsets.length / 2)];
    const agreeing = offsets.filter((offset) => Math.abs(offset) <= this.maxOffsetMs).length;
    const before = this.trouble();
    if (agreeing * 2 > sources.length) {
      this.#goodAt = clock.now();
      this.#trouble = undefined;
      if (before !== undefined) log.info({ offsetMs: this.offsetMs }, 'the clock agrees with its sources');
      return;
    }
    if (agreeing === offsets.length) {
      // Silence is no contradiction: what was compared before holds for a while.
      this.errors.tooFew++;
    } else {
      this.errors.offset++;
      this.#trouble = this.#reason(told(answers));
    }
    const after = this.trouble();
    if (before === undefined && after !== undefined) {
      log.error({ code: after.code, actual: after.actual }, 'the clock cannot be believed');
    }
  }

  async #ask(source: TimeSource): Promise<Answer> {
    const { name } = source;
    const count = this.#counts.get(name);
    try {
      const offset = await source.offset();
      if (count !== undefined) count.answered++;
      return { name, offset };
    } catch (error) {
      if (count !== undefined) count.failed++;
      this.#options.log.warn({ err: error, source: name }, 'a source of time gave none');
      return { name, offset: undefined };
    }
  }

  #reason(actual: string): Reason {
    const { sources } = this.#options;
    const expected = `a clock within ${this.maxOffsetMs} ms of more than half of ${sources.length} sources`;
    return reason(R.clock, { expected, actual });
  }
}

const told = (answers: readonly Answer[]): string =>
  answers
    .map(({ name, offset }) => `${name}: ${offset === undefined ? 'silent' : `${Math.round(offset)} ms off`}`)
    .join(', ');
