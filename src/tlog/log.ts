/** The one writer of a log: takes entries in, commits them in batches, answers. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { latin1 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, type Reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { leafHash } from '#formats/merkle';
import { EXTRA_BYTES_MAX } from './batch.ts';
import { type Committed, commit, freezeLog, publish, StopLog, unknownOutcome } from './commit.ts';
import { openState, readPublished } from './open.ts';
import { Pool, type Waiter } from './pool.ts';
import { Log } from './reader.ts';
import { R } from './reasons.ts';
import {
  type AppendResult,
  BATCH_ENTRIES_MAX,
  type LogOptions,
  type LogRecord,
  type PendingEntry,
  type Personality,
  POOL_ENTRIES_MAX,
  plainPersonality,
  type TreeState,
} from './types.ts';

/** Opens the log, finishing what a crash interrupted. Errors: see `openState`; WB-404, WB-417. */
export async function openLog(options: LogOptions): Promise<LogWriter> {
  const personality = options.personality ?? plainPersonality;
  try {
    const state = await openState(options, personality);
    const log = new LogWriter(options, personality, state);
    if (options.isClosed !== true) await log.publishAgain();
    return log;
  } catch (error) {
    throw openingError(error, options);
  }
}

/** What a store throws of its own has a code of the system or of a database; an error without one is a defect. */
function openingError(error: unknown, { store, signer }: LogOptions): unknown {
  if (error instanceof StopLog) return error.answer;
  if (error instanceof WaybillError && ofItsData.has(error.reason.code)) {
    const { expected } = error.reason;
    const which = `${signer.origin}${store.place === undefined ? '' : ` in ${store.place}`}`;
    return new WaybillError({ ...error.reason, expected: `log ${which}: ${expected}` }, { cause: error });
  }
  if (error instanceof WaybillError || !(error instanceof Error)) return error;
  if (typeof (error as NodeJS.ErrnoException).code !== 'string') return error;
  return fail(R.opening, { expected: 'a store that can be read and written', actual: error.message }, error);
}

/** Refuses what no log can hold: WB-401. */
export function checkEntrySize(entry: Uint8Array, extra: Uint8Array, personality: Personality): void {
  const { length } = personality.placed?.(entry, 0) ?? entry;
  if (length <= limits.logEntryBytes && extra.length <= EXTRA_BYTES_MAX) return;
  const expected = `an entry of at most ${limits.logEntryBytes} bytes and ${EXTRA_BYTES_MAX} beside it`;
  throw fail(R.entrySize, { expected, actual: `${length} and ${extra.length} bytes` });
}

/** How long a batch waits for more at most, in looks of so many milliseconds. */
const LOOKS_MAX = 20;
const LOOK_MS = 1;

const nothing = new Uint8Array(0);

export class LogWriter extends Log {
  readonly #options: LogOptions;
  readonly #pool: Pool;
  readonly #batchMax: number;
  /** The last batch held several entries. */
  #isBusy = false;
  #writer: Promise<void> | undefined;
  /** Answers about entries the log has, read from the store beside the next commits. */
  readonly #answering = new Set<Promise<void>>();
  /** While the log is being frozen, no further batch begins. */
  #freezing: Promise<void> | undefined;
  #stopped: Reason | undefined;
  #closing = false;
  readonly #closed = new AbortController();
  /** What readers saw last, as far as this process knows: a guess that saves a look. */
  #published: string | undefined;
  /** Until witnesses cosigned what an earlier process committed: nothing is logged, and what is public is served. */
  #behind: Promise<void> | undefined;

  constructor(options: LogOptions, personality: Personality, state: TreeState) {
    super(options, personality, state);
    this.#options = options;
    this.#pool = new Pool(options.poolEntriesMax ?? POOL_ENTRIES_MAX);
    this.#batchMax = options.batchEntriesMax ?? BATCH_ENTRIES_MAX;
  }

  get stopped(): Reason | undefined {
    return this.#stopped;
  }

  override get waiting(): number {
    return this.#pool.size;
  }

  override get isBehind(): boolean {
    return this.#behind !== undefined;
  }

  async append(entry: Uint8Array, extra: Uint8Array = nothing): Promise<AppendResult> {
    checkEntrySize(entry, extra, this.personality);
    // An entry that waits for cosignatures is in the log already, and not found yet.
    if (this.#behind !== undefined) await this.#behind;
    const leaf = leafHash(this.personality.leaf(entry));
    const identity = this.personality.identity?.(entry) ?? leaf;
    const key = latin1(identity);
    const same = this.#pool.same(key);
    if (same !== undefined) return { logged: (await same).logged, duplicate: true };
    const refusal = this.#refusal() ?? this.#pool.refusal;
    if (refusal !== undefined) return await this.#knownOr(identity, refusal);
    const result = this.#pool.add(key, { entry, extra, leafHash: leaf, identity });
    this.#wake();
    return result;
  }

  /** A log that takes nothing still tells of what it has. */
  async #knownOr(identity: Uint8Array, refusal: WaybillError): Promise<AppendResult> {
    const known = await this.find(identity);
    if (known === undefined) throw refusal;
    return { logged: await this.entry(known), duplicate: true };
  }

  #refusal(): WaybillError | undefined {
    if (this.state.isFrozen) return frozen(this.state);
    if (this.#stopped === undefined && !this.#closing) return undefined;
    return stopped(this.#stopped === undefined ? 'the log is closing' : this.#stopped.actual);
  }

  #wake(): void {
    if (this.#freezing === undefined) this.#writer ??= this.#write();
  }

  /** Commits batches until nothing waits, or the log is to be frozen. Runs at most once at a time. */
  async #write(): Promise<void> {
    try {
      while (this.#stopped === undefined && this.#freezing === undefined) {
        await this.#gather();
        const taken = this.#pool.take(this.#batchMax);
        if (taken.length === 0) return;
        this.#isBusy = taken.length > 1;
        const fresh = await this.#unknown(taken);
        if (fresh.length > 0) await this.#commitBatch(fresh);
      }
    } finally {
      this.#writer = undefined;
    }
  }

  /**
   * One turn of the event loop lets the requests that arrived together share the batch. Where several come at a time,
   * those on their way share it too: as long as more arrive, since a batch costs the same syncs whatever it holds.
   */
  async #gather(): Promise<void> {
    await nextTurn();
    if (!this.#isBusy && this.#pool.size < 2) return;
    for (let look = 0, seen = 0; look < LOOKS_MAX && this.#pool.size > seen; look++) {
      seen = this.#pool.size;
      // A full batch gains nothing by waiting.
      if (seen >= this.#batchMax) return;
      await sleep(LOOK_MS);
    }
  }

  /**
   * Those the log does not have; the others are answered beside the next commit. Names are looked up here, where no
   * batch is under way: whatever was committed before is found, and two equal entries cannot both pass.
   */
  async #unknown(taken: readonly Waiter[]): Promise<readonly Waiter[]> {
    try {
      const found = await this.store.find(taken.map(({ pending }) => pending.identity));
      const { size } = this.state;
      const isKnown = (index: number | undefined): index is number => index !== undefined && index < size;
      if (!found.some(isKnown)) return taken;
      return taken.filter((waiter, i) => {
        const index = found[i];
        if (!isKnown(index)) return true;
        const answering = this.#answerKnown(waiter, index).finally(() => this.#answering.delete(answering));
        this.#answering.add(answering);
        return false;
      });
    } catch (error) {
      const actual = error instanceof Error ? error.message : String(error);
      const detail = { expected: 'names that can be looked up', actual };
      this.#failBatch(taken, fail(R.notLogged, detail, error));
      return [];
    }
  }

  async #answerKnown(waiter: Waiter, index: number): Promise<void> {
    try {
      this.#pool.resolve(waiter, { logged: await this.entry(index), duplicate: true });
    } catch (error) {
      this.#pool.reject(waiter, error);
    }
  }

  async #commitBatch(waiters: readonly Waiter[]): Promise<void> {
    const batch: PendingEntry[] = waiters.map((waiter) => waiter.pending);
    try {
      const before = this.state;
      const committed = await commit(this.#options, this.personality, before, batch);
      for (const tile of committed.next.completed) this.tiles.remember(tile);
      this.state = await this.#publish(committed.state);
      this.#answer(waiters, this.state, committed);
    } catch (error) {
      this.#failBatch(waiters, error);
    }
  }

  async #publish(state: TreeState): Promise<TreeState> {
    const before = this.#published;
    const published = await publish(this.#options, { state, before }, this.tiles, this.#closed.signal);
    this.#published = published.checkpoint;
    return published;
  }

  /**
   * What the lock names is what readers see, also when a crash or absent witnesses kept it back. A checkpoint of this
   * tree that is public already stays, with the cosignatures it has: a log opens without its witnesses, also where they
   * have not cosigned what it committed last.
   */
  async publishAgain(): Promise<void> {
    const seen = await this.store.published();
    this.#published = seen;
    const head = seen === undefined ? undefined : unwrap(this.signer.open(seen));
    const { size, isFrozen } = this.state;
    const isPublic = head?.size === size && head.isFrozen === isFrozen;
    if (seen !== undefined && isPublic) this.state = { ...this.state, checkpoint: seen };
    else if (seen !== undefined && head !== undefined && this.#options.cosign !== undefined) {
      const locked = this.state;
      this.state = await readPublished(this.store, head, seen, this.personality);
      this.#behind = this.#publishLater(locked);
    } else this.state = await this.#publish(this.state);
  }

  /** Witnesses may be away for long: the log is served as it was published until they have answered. */
  async #publishLater(locked: TreeState): Promise<void> {
    try {
      this.state = await this.#publish(locked);
    } catch (error) {
      if (this.#closing) return;
      this.#stop(error instanceof StopLog ? error.why : unknownOutcome('publishing failed', error).why);
    } finally {
      this.#behind = undefined;
    }
  }

  #failBatch(waiters: readonly Waiter[], error: unknown): void {
    const refused = error instanceof WaybillError && refusals.has(error.reason.code);
    const stop = refused ? undefined : error instanceof StopLog ? error : unknownOutcome('a defect', error);
    if (stop !== undefined) this.#stop(stop.why);
    for (const waiter of waiters) this.#pool.reject(waiter, stop?.answer ?? error);
    if (this.#stopped === undefined) return;
    this.#pool.rejectAll(stopped(this.#stopped.actual, error));
  }

  #answer(waiters: readonly Waiter[], state: TreeState, { next, tree }: Committed): void {
    const { size, root, checkpoint } = state;
    const first = size - waiters.length;
    const paths = tree.paths();
    for (const [i, waiter] of waiters.entries()) {
      const { entry, extra, time } = next.records[i] as LogRecord;
      const index = first + i;
      const proof = { index, size, root, hashes: paths[i] as readonly Uint8Array[], checkpoint };
      const logged = { entry, extra, time, index, leafHash: next.leafHashes[i] as Uint8Array, proof };
      this.#pool.resolve(waiter, { logged, duplicate: false });
    }
  }

  #stop(why: Reason): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    this.#options.onStop?.(why);
  }

  /**
   * Signs the last checkpoint of this log: it says that nothing will follow, and the lock never moves again.
   * The batch under way is logged; entries that wait are refused with WB-413. Freezing a frozen log changes nothing.
   * Errors: WB-404, WB-405, WB-406; those of the signer, after which the log goes on with the entries that wait.
   */
  freeze(): Promise<void> {
    this.#freezing ??= this.#freeze().finally(() => {
      this.#freezing = undefined;
      if (this.state.isFrozen) this.#pool.rejectAll(frozen(this.state));
      else if (this.#stopped !== undefined) this.#pool.rejectAll(stopped(this.#stopped.actual));
      else if (this.#pool.size > 0) this.#wake();
    });
    return this.#freezing;
  }

  async #freeze(): Promise<void> {
    await this.#behind;
    await this.#writer;
    if (this.state.isFrozen) return;
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    const { size, root } = this.state;
    const last = await this.#options.signer.sign({ size, root, isFrozen: true });
    try {
      this.state = await this.#publish(await freezeLog(this.#options, this.state, last));
    } catch (error) {
      const stop = error instanceof StopLog ? error : unknownOutcome('freezing failed', error);
      this.#stop(stop.why);
      throw stop.answer;
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#closed.abort();
    await this.#behind;
    while (this.#freezing !== undefined || this.#writer !== undefined) {
      // Whoever freezes hears how that ended.
      await this.#freezing?.catch(() => {});
      await this.#writer;
    }
    await Promise.all(this.#answering);
    await this.store.close();
  }
}

function frozen(state: TreeState): WaybillError {
  return fail(R.frozen, { expected: 'a log that takes entries', actual: `frozen at size ${state.size}` });
}

function stopped(actual: string, cause?: unknown): WaybillError {
  return fail(R.stopped, { expected: 'a log that takes entries', actual }, cause);
}

/** The failures of `commit` after which the batch is certainly not in the log, and the log goes on. */
const refusals: ReadonlySet<string> = new Set([R.notLogged.code, R.clock.code]);

/** What is wrong with the data of one log says which: a process may open several. */
const ofItsData: ReadonlySet<string> = new Set([
  R.key.code,
  R.rolledBack.code,
  R.corrupt.code,
  R.missing.code,
]);
