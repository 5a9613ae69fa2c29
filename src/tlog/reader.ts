/** What a log answers from its published tree, whoever sequences it. */
import { fail, type Reason } from '#base/reason';
import { ok, type Result } from '#base/result';
import { leafHash } from '#formats/merkle';
import { encodeEntryBundle, parseTilePath, TILE_WIDTH, type Tile, tileWidth } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import type { CheckpointVerifier } from './checkpoint.ts';
import { type FsckReport, fsck } from './fsck.ts';
import { readRecords } from './open.ts';
import { TileReader } from './proof.ts';
import { R } from './reasons.ts';
import type { AppendResult, LoggedEntry, LogRecord, Personality, TreeState, TreeView } from './types.ts';

/** Bytes of record tiles kept decoded. */
const RECORD_CACHE_BYTES_MAX = 8 * 1024 * 1024;

/** A log: appends, reads and proofs. One process sequences; any number read and take entries for it. */
export abstract class Log {
  readonly signer: CheckpointVerifier;
  protected readonly store: LogStore;
  protected readonly personality: Personality;
  protected readonly tiles: TileReader;
  /** The published tree. */
  protected state: TreeState;
  readonly #recordTiles = new Map<number, readonly LogRecord[]>();
  readonly #reading = new Map<number, Promise<readonly LogRecord[]>>();
  #recordBytes = 0;

  constructor(
    parts: { readonly store: LogStore; readonly signer: CheckpointVerifier },
    personality: Personality,
    state: TreeState,
  ) {
    this.signer = parts.signer;
    this.store = parts.store;
    this.personality = personality;
    this.tiles = new TileReader(parts.store);
    this.state = state;
  }

  /** Why the log takes no more entries; undefined while it does. */
  abstract get stopped(): Reason | undefined;

  /** What is committed waits for witnesses since the log was opened; entries wait with it. */
  get isBehind(): boolean {
    return false;
  }

  /** Entries wait, and for long nothing has been sequenced: whoever does that is missing. */
  get isStalled(): boolean {
    return false;
  }

  /** Entries that wait for their batch here. */
  get waiting(): number {
    return 0;
  }

  /**
   * Logs an entry and answers once it is durable and published, with its proof. An entry the log already has
   * is answered with the earlier one. `extra` is kept beside the entry, outside the tree.
   *
   * Errors: WB-401 too large, WB-402 pool full, WB-403/406/407 refused (not in the log), WB-404 unknown
   * outcome, WB-405 stopped, WB-413 frozen.
   */
  abstract append(entry: Uint8Array, extra?: Uint8Array): Promise<AppendResult>;

  /** Finishes what is under way, then closes the store. */
  abstract close(): Promise<void>;

  /** The published tree. */
  get tree(): TreeView {
    const { size, root, checkpoint, time, isFrozen } = this.state;
    return { size, root, checkpoint, time, isFrozen };
  }

  /** The index of the entry with this leaf hash or identity, if it is published. */
  async find(name: Uint8Array): Promise<number | undefined> {
    const [index] = await this.store.find([name]);
    // Names are written a moment before the checkpoint is published.
    return index === undefined || index >= this.state.size ? undefined : index;
  }

  /** The record at an index. Throws WB-412 outside the log. */
  async record(index: number): Promise<LogRecord> {
    const state = this.state;
    this.#checkIndex(index, state.size);
    const tailFrom = state.size - state.tail.length;
    if (index >= tailFrom) return state.tail[index - tailFrom] as LogRecord;
    const records = await this.#records(Math.floor(index / TILE_WIDTH));
    return records[index % TILE_WIDTH] as LogRecord;
  }

  /** The entry at an index with a proof against the newest checkpoint. Throws WB-412 outside the log. */
  async entry(index: number): Promise<LoggedEntry> {
    const state = this.state;
    const record = await this.record(index);
    const leaf = leafHash(this.personality.leaf(record.entry));
    return { ...record, index, leafHash: leaf, proof: await this.tiles.inclusion(state, index, leaf) };
  }

  /** Inclusion hashes of an entry in the tree of `size`, leaf to root. WB-412 for sizes or indexes outside. */
  async inclusionAt(index: number, size: number): Promise<readonly Uint8Array[]> {
    const state = this.state;
    this.#checkSize(size, state.size);
    this.#checkIndex(index, size);
    const record = await this.record(index);
    const root = await this.tiles.rootAt(state, size);
    const leaf = leafHash(this.personality.leaf(record.entry));
    return (await this.tiles.inclusion(state, index, leaf, { size, root })).hashes;
  }

  /** Consistency hashes between two sizes ≤ the published one. WB-412 otherwise. */
  async consistency(first: number, second: number): Promise<readonly Uint8Array[]> {
    const state = this.state;
    this.#checkSize(second, state.size);
    this.#checkSize(first, second);
    return this.tiles.consistency(state, first, second);
  }

  /** Root of the first `size` entries. */
  async rootAt(size: number): Promise<Uint8Array> {
    const state = this.state;
    this.#checkSize(size, state.size);
    return this.tiles.rootAt(state, size);
  }

  /**
   * The bytes at a tlog-tiles path (`tile/…`); undefined when the log has no such tile yet. A partial tile is
   * served for every width up to the published one: it is a prefix of the tile that grew from it.
   */
  async tile(path: string): Promise<Result<Uint8Array | undefined>> {
    const parsed = parseTilePath(path);
    if (!parsed.ok) return parsed;
    const tile = parsed.value;
    const state = this.state;
    const level = tile.kind === 'entries' ? 0 : tile.level;
    const width = tileWidth(state.size, level, tile.index);
    if (tile.width > width) return ok(undefined);
    return ok(
      tile.kind === 'entries' ? await this.#entryTile(state, tile) : await this.#hashTile(state, tile),
    );
  }

  async #hashTile(state: TreeState, tile: Tile & { kind: 'hashes' }): Promise<Uint8Array> {
    const growing = state.edge.tile(tile.level, tile.index);
    return (growing ?? (await this.tiles.full(tile.level, tile.index))).bytes(tile.width);
  }

  async #entryTile(state: TreeState, tile: Tile): Promise<Uint8Array> {
    const isTail = tile.index === Math.floor(state.size / TILE_WIDTH);
    const records = isTail ? state.tail : await this.#records(tile.index);
    return encodeEntryBundle(records.slice(0, tile.width).map((record) => record.entry));
  }

  /** Those who ask for a tile at the same time read, decode and count it once. */
  #records(tile: number): Promise<readonly LogRecord[]> {
    const cached = this.#recordTiles.get(tile);
    if (cached !== undefined) return Promise.resolve(cached);
    const reading =
      this.#reading.get(tile) ?? this.#readRecords(tile).finally(() => this.#reading.delete(tile));
    this.#reading.set(tile, reading);
    return reading;
  }

  async #readRecords(tile: number): Promise<readonly LogRecord[]> {
    const records = await readRecords(this.store, tile);
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
    const read = (index: number) => this.record(index);
    const { store, signer, personality, tree } = this;
    return fsck({ store, signer, personality, tree, read });
  }
}

function sizeOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, record) => sum + record.entry.length + record.extra.length, 0);
}
