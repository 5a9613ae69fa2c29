/**
 * Sequences what front ends queue, for as long as this process holds the lease. Any number of processes may run
 * this; one of them works and the others wait to take over.
 *
 * An entry leaves the queue by being answered, and is answered only when its outcome is certain: a sequencer that
 * ends in between leaves it to its successor, which finds the entry in the log or logs it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Reason, WaybillError } from '#base/reason';
import type { EntryQueue, QueueAnswer, QueuedEntry } from '#platform/store';
import type { LogWriter } from '../log.ts';
import { R } from '../reasons.ts';
import { BATCH_ENTRIES_MAX } from '../types.ts';
import { campaign, type ElectionOptions, type Term } from './election.ts';

export interface SequencerOptions {
  readonly election: ElectionOptions;
  readonly queue: EntryQueue;
  /** Opens the log for one term: recovery included. */
  readonly open: () => Promise<LogWriter>;
  /** Told when a term begins and how it ended. */
  readonly onTerm?: (event: TermEvent) => void;
}

export type TermEvent =
  | { readonly kind: 'began'; readonly term: number }
  | { readonly kind: 'ended'; readonly term: number; readonly why: Reason | string };

/** Batches that are taken, sequenced or answered at the same time: while one waits for a disk, the next fills. */
const ROUNDS = 2;
/** How long a sequencer sleeps when nobody knocks. */
const IDLE_MS = 500;

/** Runs until `signal` ends it: the lease is then given back. */
export async function runSequencer(options: SequencerOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const term = await campaign(options.election, signal);
    if (term === undefined) return;
    options.onTerm?.({ kind: 'began', term: term.number });
    const { why, hasOpened } = await runTerm(options, term, signal);
    await term.resign();
    options.onTerm?.({ kind: 'ended', term: term.number, why });
    // What does not open now does not open at once; another process may be better off.
    if (!hasOpened) await sleep(options.election.leaseMs / 4, undefined, { signal }).catch(() => {});
  }
}

interface EndedTerm {
  readonly why: Reason | string;
  readonly hasOpened: boolean;
}

async function runTerm(options: SequencerOptions, term: Term, signal: AbortSignal): Promise<EndedTerm> {
  let log: LogWriter | undefined;
  try {
    log = await options.open();
    await new TermOfWork(options.queue, log, AbortSignal.any([term.lost, signal])).run();
    const why = log.stopped ?? (signal.aborted ? 'asked to end' : 'the lease was lost');
    return { why, hasOpened: true };
  } catch (error) {
    return {
      why: error instanceof WaybillError ? error.reason : String(error),
      hasOpened: log !== undefined,
    };
  } finally {
    await log?.close().catch(() => {});
  }
}

class TermOfWork {
  readonly #queue: EntryQueue;
  readonly #log: LogWriter;
  readonly #end: AbortSignal;
  readonly #inHand = new Set<string>();
  /** What an earlier sequencer may have logged without having answered. */
  #inherited: ReadonlySet<string> = new Set();
  #failure: unknown;

  constructor(queue: EntryQueue, log: LogWriter, end: AbortSignal) {
    this.#queue = queue;
    this.#log = log;
    this.#end = end;
  }

  async run(): Promise<void> {
    this.#inherited = await this.#queue.waiting();
    const rounds = new Set<Promise<void>>();
    const ended = aborted(this.#end);
    while (!this.#isOver()) {
      const taken = await this.#queue.take(BATCH_ENTRIES_MAX, this.#inHand);
      if (taken.length === 0) {
        await Promise.race([this.#queue.changed('entries', IDLE_MS), ended]);
        continue;
      }
      for (const { id } of taken) this.#inHand.add(id);
      const round = this.#round(taken).finally(() => rounds.delete(round));
      rounds.add(round);
      if (rounds.size >= ROUNDS) await Promise.race(rounds);
    }
    await Promise.all(rounds);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #isOver(): boolean {
    return this.#end.aborted || this.#log.stopped !== undefined || this.#failure !== undefined;
  }

  async #round(taken: readonly QueuedEntry[]): Promise<void> {
    try {
      const answers = (await Promise.all(taken.map((one) => this.#append(one)))).filter(
        (one) => one !== undefined,
      );
      if (answers.length > 0) await this.#queue.answer(answers);
    } catch (error) {
      this.#failure ??= error;
    } finally {
      for (const { id } of taken) this.#inHand.delete(id);
    }
  }

  /** undefined: the outcome is open and stays in the queue. */
  async #append({ id, entry, extra }: QueuedEntry): Promise<QueueAnswer | undefined> {
    try {
      const { logged, duplicate } = await this.#log.append(entry, extra);
      return { id, index: logged.index, duplicate: duplicate && !this.#inherited.has(id) };
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      const { code, expected, actual } = error.reason;
      return open.has(code) ? undefined : { id, refused: { code, expected, actual } };
    }
  }
}

/** After these the next term settles what happened. A full pool is not the submitter's affair here. */
const open: ReadonlySet<string> = new Set([
  R.outcomeUnknown.code,
  R.stopped.code,
  R.otherWriter.code,
  R.poolFull.code,
]);

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
