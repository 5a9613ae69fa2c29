/**
 * A log as a front end sees it: reads and proofs from the published tree, entries handed to whoever sequences.
 * It keeps nothing of its own: any number of them may come and go.
 */
import { toHex } from '#base/bytes';
import type { Random } from '#base/random';
import { fail, type Reason, type ReasonSpec, type WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { leafHash } from '#formats/merkle';
import type { EntryQueue, LogStore, QueueAnswer, QueuedEntry, QueueRefusal } from '#platform/store';
import type { CheckpointVerifier } from '../checkpoint.ts';
import { checkEntrySize } from '../log.ts';
import { readPublished } from '../open.ts';
import { Log } from '../reader.ts';
import { R } from '../reasons.ts';
import { emptyState } from '../sequence.ts';
import { type AppendResult, type Personality, POOL_ENTRIES_MAX, plainPersonality } from '../types.ts';

export interface FrontOptions {
  readonly store: LogStore;
  readonly queue: EntryQueue;
  readonly signer: CheckpointVerifier;
  readonly personality?: Personality;
  readonly random: Random;
  /** How long an entry may wait for the sequencer, in milliseconds; default `ANSWER_MS_MAX`. */
  readonly answerMsMax?: number;
  /** Entries of this front end that may wait; default `POOL_ENTRIES_MAX`. */
  readonly poolEntriesMax?: number;
  /** How long entries may wait while nothing is sequenced, until `isStalled`; default `STALL_MS`. */
  readonly stallMs?: number;
}

/** Shorter than the time clients of Rekor wait (20 s), so that they hear why. */
const ANSWER_MS_MAX = 15_000;
/** Milliseconds: longer than another sequencer needs to take over from one that was killed. */
const STALL_MS = 10_000;
/** Given up and still looked for: enough to see whether anybody works. */
const OVERDUE_MAX = 64;
/** A published checkpoint is looked for this often when nobody knocks, in milliseconds. */
const IDLE_MS = 500;

/** Opens a front end of a log that exists. Errors: WB-408, WB-410, WB-411 when nothing is published yet. */
export async function openFront(options: FrontOptions): Promise<FrontLog> {
  const front = new FrontLog(options);
  if (!(await front.refresh()))
    throw fail(R.missing, { expected: 'a published log', actual: 'an empty store' });
  front.follow();
  return front;
}

interface Waiter {
  readonly settle: PromiseWithResolvers<AppendResult>;
  readonly timer: NodeJS.Timeout;
}

export class FrontLog extends Log {
  readonly #options: FrontOptions;
  readonly #waiting = new Map<string, Waiter>();
  /** Queued, and nobody waits for the answer any more. */
  readonly #overdue = new Set<string>();
  #unsent: QueuedEntry[] = [];
  /** Runs while entries wait; begins anew with each sign of a sequencer. */
  #patience: NodeJS.Timeout | undefined;
  #isStalled = false;
  #sending: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: FrontOptions) {
    super(options, options.personality ?? plainPersonality, emptyState(''));
    this.#options = options;
  }

  /** A front end has nothing that could stop it; a sequencer that is missing shows in its answers. */
  get stopped(): Reason | undefined {
    return undefined;
  }

  override get waiting(): number {
    return this.#waiting.size;
  }

  override get isStalled(): boolean {
    return this.#isStalled;
  }

  /**
   * As every log's, by way of the sequencer. WB-404 when it did not answer in time: the entry may be logged later,
   * and submitting it again finds it.
   */
  async append(entry: Uint8Array, extra: Uint8Array = new Uint8Array(0)): Promise<AppendResult> {
    checkEntrySize(entry, extra, this.personality);
    const identity = this.personality.identity?.(entry) ?? leafHash(this.personality.leaf(entry));
    const known = await this.find(identity);
    if (known !== undefined) return { logged: await this.entry(known), duplicate: true };
    if (this.state.isFrozen || this.#isClosed) throw this.#refusal();
    const max = this.#options.poolEntriesMax ?? POOL_ENTRIES_MAX;
    if (this.#waiting.size >= max) {
      throw fail(R.poolFull, { expected: `fewer than ${max} waiting entries`, actual: 'a full pool' });
    }
    const id = toHex(this.#options.random.bytes(16));
    const settle = Promise.withResolvers<AppendResult>();
    const timer = setTimeout(() => this.#giveUp(id), this.#options.answerMsMax ?? ANSWER_MS_MAX);
    this.#waiting.set(id, { settle, timer });
    this.#unsent.push({ id, entry, extra });
    this.#sending ??= this.#send();
    return settle.promise;
  }

  #refusal(): WaybillError {
    const actual = this.state.isFrozen ? `frozen at size ${this.state.size}` : 'the log is closing';
    const spec = this.state.isFrozen ? R.frozen : R.stopped;
    return fail(spec, { expected: 'a log that takes entries', actual });
  }

  #giveUp(id: string): void {
    if (this.#overdue.size < OVERDUE_MAX) this.#overdue.add(id);
    const detail = { expected: 'an answer of the sequencer', actual: 'none in time' };
    this.#reject(id, fail(R.outcomeUnknown, detail));
  }

  #reject(id: string, error: unknown): void {
    const waiter = this.#waiting.get(id);
    if (waiter === undefined) return;
    clearTimeout(waiter.timer);
    this.#waiting.delete(id);
    waiter.settle.reject(error);
  }

  /** Queues what has come together: one write for all that arrived during the write before. */
  async #send(): Promise<void> {
    try {
      while (this.#unsent.length > 0) {
        const batch = this.#unsent.splice(0);
        try {
          await this.#options.queue.put(batch);
          this.#patience ??= this.#beginPatience();
        } catch (error) {
          const actual = error instanceof Error ? error.message : String(error);
          // The write may have happened: then the sequencer logs what nobody waits for.
          const unknown = fail(R.outcomeUnknown, { expected: 'a durable queue', actual }, error);
          for (const { id } of batch) this.#reject(id, unknown);
        }
      }
    } finally {
      this.#sending = undefined;
    }
  }

  /** Reads answers and the published checkpoint until the front end is closed. */
  follow(): void {
    this.#following ??= this.#follow();
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      await this.#options.queue.changed('answers', IDLE_MS);
      // A store that does not answer now is asked again; whoever waits is told when their time is over.
      await this.#step().catch(() => {});
    }
  }

  async #step(): Promise<void> {
    const ids = [...this.#waiting.keys(), ...this.#overdue];
    const answers = ids.length === 0 ? [] : await this.#options.queue.answers(ids);
    const { size } = this.state;
    if (answers.length > 0 || this.#waiting.size === 0 || this.#isStalled) await this.refresh();
    for (const { id } of answers) this.#overdue.delete(id);
    await Promise.all(answers.map((answer) => this.#settle(answer)));
    if (this.#waiting.size === 0 && this.#overdue.size > 0) await this.#forgetLost();
    const isIdle = this.#waiting.size === 0 && this.#overdue.size === 0;
    if (isIdle || answers.length > 0 || this.state.size > size) this.#sawProgress(isIdle);
  }

  /** What a crash of the database took out of the queue is never answered. */
  async #forgetLost(): Promise<void> {
    const queued = await this.#options.queue.waiting();
    for (const id of this.#overdue) if (!queued.has(id)) this.#overdue.delete(id);
  }

  #sawProgress(isIdle: boolean): void {
    clearTimeout(this.#patience);
    this.#isStalled = false;
    this.#patience = isIdle ? undefined : this.#beginPatience();
  }

  #beginPatience(): NodeJS.Timeout {
    const { size } = this.state;
    const losePatience = async (): Promise<void> => {
      // The entries of others may be ahead of ours.
      await this.refresh().catch(() => {});
      if (this.#patience !== timer || this.#isClosed) return;
      if (this.state.size > size) this.#patience = this.#beginPatience();
      else this.#isStalled = true;
    };
    const timer = setTimeout(() => void losePatience(), this.#options.stallMs ?? STALL_MS);
    return timer.unref();
  }

  async #settle(answer: QueueAnswer): Promise<void> {
    if (!this.#waiting.has(answer.id)) return;
    if ('refused' in answer) return this.#reject(answer.id, refusalOf(answer.refused));
    try {
      // The answer is given after publication; a reader that is behind has not seen that yet.
      if (answer.index >= this.state.size) await this.refresh();
      const logged = await this.entry(answer.index);
      const waiter = this.#waiting.get(answer.id);
      if (waiter === undefined) return;
      clearTimeout(waiter.timer);
      this.#waiting.delete(answer.id);
      waiter.settle.resolve({ logged, duplicate: answer.duplicate });
    } catch (error) {
      this.#reject(answer.id, error);
    }
  }

  /** Reads the published checkpoint; false when there is none. It never goes back to an older one. */
  async refresh(): Promise<boolean> {
    const { store, signer, personality } = this;
    const checkpoint = await store.published();
    if (checkpoint === undefined) return false;
    if (checkpoint === this.state.checkpoint) return true;
    const head = unwrap(signer.open(checkpoint));
    if (head.size < this.state.size) {
      const actual = `a published checkpoint of size ${head.size}`;
      throw fail(R.rolledBack, { expected: `size ${this.state.size} or more`, actual });
    }
    const known = this.state.checkpoint === '' ? undefined : this.state;
    const next = await readPublished(store, head, checkpoint, personality, known);
    // Two reads may overlap, and the older one end last.
    if (next.size >= this.state.size) this.state = next;
    return true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of [...this.#waiting.keys()]) this.#giveUp(id);
    await this.#sending;
    await this.#following;
    clearTimeout(this.#patience);
    await this.store.close();
  }
}

const specs: ReadonlyMap<string, ReasonSpec> = new Map(Object.values(R).map((spec) => [spec.code, spec]));

function refusalOf({ code, expected, actual }: QueueRefusal): WaybillError {
  return fail(specs.get(code) ?? R.outcomeUnknown, { expected, actual });
}
