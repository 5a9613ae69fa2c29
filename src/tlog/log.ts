/** A log: appends, reads and proofs over one store. One writer; any number of readers. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { limits } from '#base/limits';
import { fail, type Reason, WaybillError } from '#base/reason';
import { ok, type Result } from '#base/result';
import { leafHash } from '#formats/merkle';
import { encodeEntryBundle, parseTilePath, TILE_WIDTH, type Tile, tileWidth } from '#formats/tiles';
import { EXTRA_BYTES_MAX } from './batch.ts';
import type { CheckpointSigner } from './checkpoint.ts';
import { commit, StopLog, unknownOutcome } from './commit.ts';
import { type FsckReport, fsck } from './fsck.ts';
import { openState, readRecords } from './open.ts';
import { Pool, type Waiter } from './pool.ts';
import { TileReader } from './proof.ts';
import { R } from './reasons.ts';
import type { NextTree } from './sequence.ts';
import {
  type AppendResult,
  BATCH_ENTRIES_MAX,
  type LoggedEntry,
  type LogOptions,
  type LogRecord,
  type PendingEntry,
  type Personality,
  POOL_ENTRIES_MAX,
  plainPersonality,
  type TreeState,
  type TreeView,
} from './types.ts';

/** Bytes of record tiles kept decoded. */
const RECORD_CACHE_BYTES_MAX = 32 * 1024 * 1024;

/** Opens the log, finishing what a crash interrupted. Errors: see `openState`. */
export async function openLog(options: LogOptions): Promise<Log> {
  const personality = options.personality ?? plainPersonality;
  return new Log(options, personality, await openState(options, personality));
}

export class Log {
  readonly signer: CheckpointSigner;
  readonly #options: LogOptions;
  readonly #personality: Personality;
  readonly #tiles: TileReader;
  readonly #pool: Pool;
  readonly #recordTiles = new Map<number, readonly LogRecord[]>();
  #recordBytes = 0;
  #state: TreeState;
  #writer: Promise<void> | undefined;
  #stopped: Reason | undefined;
  #closing = false;

  constructor(options: LogOptions, personality: Personality, state: TreeState) {
    this.signer = options.signer;
    this.#options = options;
    this.#personality = personality;
    this.#tiles = new TileReader(options.store);
    this.#pool = new Pool(options.poolEntriesMax ?? POOL_ENTRIES_MAX);
    this.#state = state;
  }

  /** The published tree. */
  get tree(): TreeView {
    const { size, root, checkpoint, time } = this.#state;
    return { size, root, checkpoint, time };
  }

  /** Why the log takes no more entries; undefined while it does. */
  get stopped(): Reason | undefined {
    return this.#stopped;
  }

  /**
   * Logs an entry and answers once it is durable and published, with its proof. An entry the log already has
   * is answered with the earlier one. `extra` is kept beside the entry, outside the tree.
   *
   * Errors: WB-401 too large, WB-402 pool full, WB-403/406/407 refused (not in the log), WB-404 unknown
   * outcome, WB-405 stopped.
   */
  async append(entry: Uint8Array, extra: Uint8Array = new Uint8Array(0)): Promise<AppendResult> {
    if (entry.length > limits.logEntryBytes || extra.length > EXTRA_BYTES_MAX) {
      const expected = `an entry of at most ${limits.logEntryBytes} bytes and ${EXTRA_BYTES_MAX} beside it`;
      throw fail(R.entrySize, { expected, actual: `${entry.length} and ${extra.length} bytes` });
    }
    const leaf = leafHash(this.#personality.leaf(entry));
    const identity = this.#personality.identity?.(entry) ?? leaf;
    const known = this.#pool.same(identity) ?? (await this.find(identity));
    if (known !== undefined) return this.#duplicate(known);
    this.#refuseWhenStopped();
    // No await between this look-up and the queue: two equal submissions cannot both pass.
    const same = this.#pool.same(identity);
    if (same !== undefined) return this.#duplicate(same);
    const logged = this.#pool.add({ entry, extra, leafHash: leaf, identity });
    this.#writer ??= this.#write();
    return { logged: await logged, duplicate: false };
  }

  async #duplicate(known: Promise<LoggedEntry> | number): Promise<AppendResult> {
    return { logged: typeof known === 'number' ? await this.entry(known) : await known, duplicate: true };
  }

  #refuseWhenStopped(): void {
    if (this.#stopped === undefined && !this.#closing) return;
    const actual = this.#stopped === undefined ? 'the log is closing' : this.#stopped.actual;
    throw fail(R.stopped, { expected: 'a log that takes entries', actual });
  }

  /** Commits batches until nothing waits. Runs at most once at a time. */
  async #write(): Promise<void> {
    try {
      while (this.#stopped === undefined) {
        // One turn of the event loop lets the requests that arrived together share the batch.
        await nextTurn();
        const waiters = this.#pool.take(BATCH_ENTRIES_MAX);
        if (waiters.length === 0) return;
        await this.#commitBatch(waiters);
      }
    } finally {
      this.#writer = undefined;
    }
  }

  async #commitBatch(waiters: readonly Waiter[]): Promise<void> {
    const batch: PendingEntry[] = waiters.map((waiter) => waiter.pending);
    try {
      const before = this.#state;
      const { state, next } = await commit(this.#options, this.#personality, before, batch);
      for (const tile of next.completed) this.#tiles.remember(tile);
      this.#state = state;
      const answers = await this.#answers(before.size, state, next);
      for (const [i, waiter] of waiters.entries()) this.#pool.resolve(waiter, answers[i] as LoggedEntry);
    } catch (error) {
      this.#failBatch(waiters, error);
    }
  }

  #failBatch(waiters: readonly Waiter[], error: unknown): void {
    const refused = error instanceof WaybillError && refusals.has(error.reason.code);
    const stop = refused ? undefined : error instanceof StopLog ? error : unknownOutcome('a defect', error);
    if (stop !== undefined) this.#stop(stop.why);
    for (const waiter of waiters) this.#pool.reject(waiter, stop?.answer ?? error);
    if (this.#stopped === undefined) return;
    const detail = { expected: 'a log that takes entries', actual: this.#stopped.actual };
    this.#pool.rejectAll(fail(R.stopped, detail, error));
  }

  async #answers(from: number, state: TreeState, next: NextTree): Promise<LoggedEntry[]> {
    const answers: LoggedEntry[] = [];
    for (const [i, record] of next.records.entries()) {
      const leaf = next.leafHashes[i] as Uint8Array;
      const proof = await this.#tiles.inclusion(state, from + i, leaf);
      answers.push({ ...record, index: from + i, leafHash: leaf, proof });
    }
    return answers;
  }

  #stop(why: Reason): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = why;
    this.#options.onStop?.(why);
  }

  /** The index of the entry with this leaf hash or identity, if it is published. */
  async find(name: Uint8Array): Promise<number | undefined> {
    const index = await this.#options.store.find(name);
    // Names are written a moment before the checkpoint is published.
    return index === undefined || index >= this.#state.size ? undefined : index;
  }

  /** The record at an index. Throws WB-412 outside the log. */
  async record(index: number): Promise<LogRecord> {
    const state = this.#state;
    this.#checkIndex(index, state.size);
    const tailFrom = state.size - state.tail.length;
    if (index >= tailFrom) return state.tail[index - tailFrom] as LogRecord;
    const records = await this.#records(Math.floor(index / TILE_WIDTH));
    return records[index % TILE_WIDTH] as LogRecord;
  }

  /** The entry at an index with a proof against the newest checkpoint. Throws WB-412 outside the log. */
  async entry(index: number): Promise<LoggedEntry> {
    const state = this.#state;
    const record = await this.record(index);
    const leaf = leafHash(this.#personality.leaf(record.entry));
    return { ...record, index, leafHash: leaf, proof: await this.#tiles.inclusion(state, index, leaf) };
  }

  /** Inclusion hashes of an entry in the tree of `size`, leaf to root. WB-412 for sizes or indexes outside. */
  async inclusionAt(index: number, size: number): Promise<readonly Uint8Array[]> {
    const state = this.#state;
    this.#checkSize(size, state.size);
    this.#checkIndex(index, size);
    const record = await this.record(index);
    const root = await this.#tiles.rootAt(state, size);
    const leaf = leafHash(this.#personality.leaf(record.entry));
    return (await this.#tiles.inclusion(state, index, leaf, { size, root })).hashes;
  }

  /** Consistency hashes between two sizes ≤ the published one. WB-412 otherwise. */
  async consistency(first: number, second: number): Promise<readonly Uint8Array[]> {
    const state = this.#state;
    this.#checkSize(second, state.size);
    this.#checkSize(first, second);
    return this.#tiles.consistency(state, first, second);
  }

  /** Root of the first `size` entries. */
  async rootAt(size: number): Promise<Uint8Array> {
    const state = this.#state;
    this.#checkSize(size, state.size);
    return this.#tiles.rootAt(state, size);
  }

  /**
   * The bytes at a tlog-tiles path (`tile/…`); undefined when the log has no such tile yet. A partial tile is
   * served for every width up to the published one: it is a prefix of the tile that grew from it.
   */
  async tile(path: string): Promise<Result<Uint8Array | undefined>> {
    const parsed = parseTilePath(path);
    if (!parsed.ok) return parsed;
    const tile = parsed.value;
    const state = this.#state;
    const level = tile.kind === 'entries' ? 0 : tile.level;
    const width = tileWidth(state.size, level, tile.index);
    if (tile.width > width) return ok(undefined);
    return ok(
      tile.kind === 'entries' ? await this.#entryTile(state, tile) : await this.#hashTile(state, tile),
    );
  }

  async #hashTile(state: TreeState, tile: Tile & { kind: 'hashes' }): Promise<Uint8Array> {
    const growing = state.edge.tile(tile.level, tile.index);
    return (growing ?? (await this.#tiles.full(tile.level, tile.index))).bytes(tile.width);
  }

  async #entryTile(state: TreeState, tile: Tile): Promise<Uint8Array> {
    const isTail = tile.index === Math.floor(state.size / TILE_WIDTH);
    const records = isTail ? state.tail : await this.#records(tile.index);
    return encodeEntryBundle(records.slice(0, tile.width).map((record) => record.entry));
  }

  async #records(tile: number): Promise<readonly LogRecord[]> {
    const cached = this.#recordTiles.get(tile);
    if (cached !== undefined) return cached;
    const records = await readRecords(this.#options.store, tile);
    this.#recordTiles.set(tile, records);
    this.#recordBytes += sizeOf(records);
    for (const [oldest, old] of this.#recordTiles) {
      if (this.#recordBytes <= RECORD_CACHE_BYTES_MAX || oldest === tile) break;
      this.#recordTiles.delete(oldest);
      this.#recordBytes -= sizeOf(old);
    }
    return records;
  }

  #checkIndex(index: number, size: number): void {
    if (Number.isSafeInteger(index) && index >= 0 && index < size) return;
    throw fail(R.range, { expected: `an index below ${size}`, actual: String(index) });
  }

  #checkSize(size: number, max: number): void {
    if (Number.isSafeInteger(size) && size >= 0 && size <= max) return;
    throw fail(R.range, { expected: `a tree size of at most ${max}`, actual: String(size) });
  }

  /** Reads the whole log and proves it from its entries; see `fsck`. */
  check(): Promise<FsckReport> {
    const { store, signer } = this.#options;
    const read = (index: number) => this.record(index);
    return fsck({ store, signer, personality: this.#personality, tree: this.tree, read });
  }

  /** Finishes the batches under way, then closes the store. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#writer;
    await this.#options.store.close();
  }
}

/** The failures of `commit` after which the batch is certainly not in the log, and the log goes on. */
const refusals: ReadonlySet<string> = new Set([R.notLogged.code, R.clock.code]);

function sizeOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, record) => sum + record.entry.length + record.extra.length, 0);
}
