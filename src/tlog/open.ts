/**
 * Opens a log. Recovery is the normal path: opening always starts from what the checkpoint lock names, joins
 * full tiles and staged batches to that very tree, and finishes what a crash interrupted.
 */
import { equalBytes, toHex } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { leafHash } from '#formats/merkle';
import { placeOf, TILE_HEIGHT, TILE_WIDTH, tilePath } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import { apply, namesOf } from './apply.ts';
import { decodeBatch, decodeTiles, recordTilePath } from './batch.ts';
import type { TreeHead } from './checkpoint.ts';
import { TileNodes, TreeEdge } from './edge.ts';
import { TileReader } from './proof.ts';
import { R } from './reasons.ts';
import { emptyState, extend, stateAfter } from './sequence.ts';
import type { LogOptions, LogRecord, Personality, TreeState } from './types.ts';

type OpenOptions = Pick<LogOptions, 'store' | 'signer' | 'create' | 'isClosed'>;

/**
 * The state the lock names; publishing it is the caller's. Errors: WB-411 no log, WB-408 another origin or key, WB-409 data and lock of
 * different moments, WB-410 bytes that do not hash to the checkpoint.
 */
export async function openState(options: OpenOptions, personality: Personality): Promise<TreeState> {
  const { store, signer } = options;
  const isClosed = options.isClosed === true;
  const checkpoint = isClosed
    ? await publishedOnly(store)
    : ((await store.lock.read()) ?? (await createLog(options)));
  const head = unwrap(signer.open(checkpoint));
  await refuseNewerData(options, head);
  const { start, records } = await stagedRecords(store, head);
  const base = await stateAtBoundary(store, head, start);
  const fresh = records.slice(base.size - start);
  const next = extend(base, fresh, personality);
  if (next.size !== head.size || !equalBytes(next.root, head.root)) {
    const actual = `size ${next.size}, root ${toHex(next.root)}`;
    throw fail(R.corrupt, { expected: `size ${head.size}, root ${toHex(head.root)}`, actual });
  }
  // Nothing was written so far; from here on the bytes are proven.
  await indexTiles(store, base.size, personality);
  await apply(store, base, next, personality);
  const state = { ...stateAfter(base, next, checkpoint), isFrozen: isClosed || head.isFrozen === true };
  return state.time === 0 && state.size > 0 ? { ...state, time: await newestTime(store, state) } : state;
}

async function publishedOnly(store: LogStore): Promise<string> {
  const published = await store.published();
  if (published !== undefined) return published;
  throw fail(R.missing, { expected: 'a published checkpoint', actual: 'none' });
}

async function createLog(options: OpenOptions): Promise<string> {
  const { store, signer } = options;
  const traces = (await store.published()) ?? (await store.readTile(tilePath(firstTile)));
  if (traces !== undefined || (await store.indexed()) > 0) {
    const where = store.lockPlace === undefined ? '' : ` in ${store.lockPlace}`;
    throw fail(R.rolledBack, {
      expected: `the checkpoint lock of this log${where}`,
      actual: 'data of a log and no lock',
      hint:
        'a log moves together with its lock: bring that file along, or name its place (--lock-dir, --lock-file); ' +
        'only when it is lost and nothing was signed after this data, start once with --adopt-lock',
    });
  }
  if (options.create !== true) {
    throw fail(R.missing, { expected: `the log ${signer.origin}`, actual: 'an empty store' });
  }
  const checkpoint = await signer.sign({ size: 0, root: emptyState('').root });
  if (await store.lock.swap(undefined, checkpoint)) return checkpoint;
  const other = await store.lock.read();
  if (other !== undefined) return other;
  throw fail(R.otherWriter, { expected: 'an empty lock', actual: 'a lock that cannot be read' });
}

const firstTile = { kind: 'hashes', level: 0, index: 0, width: TILE_WIDTH } as const;

/** The lock is written before anything that follows from it; data that is ahead shows a lock that went back. */
async function refuseNewerData(options: OpenOptions, head: TreeHead): Promise<void> {
  const { store, signer } = options;
  const published = await store.published();
  if (published !== undefined) {
    const seen = unwrap(signer.open(published));
    const fork = seen.size === head.size && !equalBytes(seen.root, head.root);
    // A frozen log is never thawed: the last checkpoint has been seen.
    const thaw = seen.isFrozen === true && head.isFrozen !== true;
    if (seen.size > head.size || fork || thaw) {
      throw rolledBack(head, `a published ${thaw ? 'last ' : ''}checkpoint of size ${seen.size}`);
    }
  }
  const indexed = await store.indexed();
  if (indexed > head.size) throw rolledBack(head, `names of ${indexed} entries`);
}

function rolledBack(head: TreeHead, actual: string) {
  return fail(R.rolledBack, { expected: `data up to the lock's size ${head.size}`, actual });
}

interface StagedRecords {
  /** Size and root of the tree before the first record. */
  readonly start: number;
  readonly root: Uint8Array;
  readonly records: readonly LogRecord[];
}

/** Follows the staged batches back from a tree, as far as they go and not below `floor`. */
async function stagedRecords(store: LogStore, head: TreeHead, floor = 0): Promise<StagedRecords> {
  const parts: LogRecord[][] = [];
  let { size, root } = head;
  while (size > floor) {
    const batch = await store.staged(size, root);
    if (batch === undefined) break;
    const records = decodeBatch(batch.payload);
    if (records.length !== size - batch.from || records.length === 0) {
      throw fail(R.corrupt, {
        expected: `a batch that ends at ${size}`,
        actual: `${records.length} records`,
      });
    }
    parts.push(records);
    size = batch.from;
    root = batch.fromRoot;
  }
  return { start: size, root, records: parts.reverse().flat() };
}

/**
 * The tree of a published checkpoint, for a process that does not sequence: nothing is written. `known` is an older
 * state of the same log. Errors: WB-410.
 */
export async function readPublished(
  store: LogStore,
  head: TreeHead,
  checkpoint: string,
  personality: Personality,
  known?: TreeState,
): Promise<TreeState> {
  const staged = await stagedRecords(store, head, known?.size);
  const follows = known !== undefined && staged.start === known.size && equalBytes(staged.root, known.root);
  const { base, records } = follows
    ? { base: known, records: staged.records }
    : await fromTiles(store, head, staged);
  const next = extend(base, records, personality);
  if (next.size !== head.size || !equalBytes(next.root, head.root)) {
    const actual = `size ${next.size}, root ${toHex(next.root)}`;
    throw fail(R.corrupt, { expected: `size ${head.size}, root ${toHex(head.root)}`, actual });
  }
  const state = { ...stateAfter(base, next, checkpoint), isFrozen: head.isFrozen === true };
  return state.time === 0 && state.size > 0 ? { ...state, time: await newestTime(store, state) } : state;
}

/**
 * Full tiles up to the last border, and what follows. The sequencer forgets staged batches once a later tile holds
 * their entries, so a reader that finds no batch finds that tile.
 */
async function fromTiles(store: LogStore, head: TreeHead, { start, records }: StagedRecords) {
  const border = Math.ceil(start / TILE_WIDTH) * TILE_WIDTH;
  if (border <= head.size) {
    const base = await stateAtBoundary(store, head, start);
    return { base, records: records.slice(base.size - start) };
  }
  const rest = head.size % TILE_WIDTH;
  const base = await stateAtBoundary(store, head, head.size - rest);
  const tile = await readRecords(store, (head.size - rest) / TILE_WIDTH);
  return { base, records: tile.slice(0, rest) };
}

/** The state at the first tile boundary at or after `start`, read from full tiles alone. */
async function stateAtBoundary(store: LogStore, head: TreeHead, start: number): Promise<TreeState> {
  const size = Math.ceil(start / TILE_WIDTH) * TILE_WIDTH;
  if (size > head.size) {
    if ((await store.published()) === undefined) {
      const expected = `the data of the log up to the ${head.size} entries its lock names`;
      const hint = 'mount its volume, or bring its newest copy back; never delete the checkpoint lock';
      throw fail(R.rolledBack, { expected, actual: 'an empty store', hint });
    }
    const actual = `staged entries from ${start} on`;
    const expected = `entries ${head.size - (head.size % TILE_WIDTH)} to ${head.size} in staging`;
    throw fail(R.rolledBack, { expected, actual });
  }
  const edge = await edgeFromTiles(store, size);
  return { ...emptyState(''), size, root: edge.root(), edge };
}

/** The edge of a tree whose size is a multiple of 256: each hash in it is the root of a full tile below. */
async function edgeFromTiles(store: LogStore, size: number): Promise<TreeEdge> {
  const reader = new TileReader(store);
  const tiles: TileNodes[] = [new TileNodes()];
  let count = size / TILE_WIDTH;
  for (let level = 1; count > 0; level++) {
    const tile = new TileNodes();
    const first = count - (count % TILE_WIDTH);
    for (let index = first; index < count; index++) {
      tile.push((await fullTile(reader, level - 1, index)).node(TILE_HEIGHT, 0) as Uint8Array);
    }
    tiles[level] = tile;
    count = Math.floor(count / TILE_WIDTH);
  }
  return new TreeEdge(size, tiles);
}

async function fullTile(reader: TileReader, level: number, index: number): Promise<TileNodes> {
  try {
    return await reader.full(level, index);
  } catch (error) {
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(R.rolledBack, { expected: 'every full tile below the checkpoint', actual }, error);
  }
}

/** Gives the names back that a crash, or a lost index, took: for entries below `size`. */
async function indexTiles(store: LogStore, size: number, personality: Personality): Promise<void> {
  for (let at = await store.indexed(); at < size; ) {
    const tile = placeOf({ level: 0, index: at }).tileIndex;
    const all = await readRecords(store, tile);
    const records = all.slice(at % TILE_WIDTH);
    const leafHashes = records.map((record) => leafHash(personality.leaf(record.entry)));
    await store.index(at, namesOf({ records, leafHashes }, personality));
    at += records.length;
  }
}

/** The records of a full tile. */
export async function readRecords(store: LogStore, tile: number): Promise<LogRecord[]> {
  const entryPath = tilePath({ kind: 'entries', index: tile, width: TILE_WIDTH });
  const recordPath = recordTilePath(tile);
  const entries = await store.readTile(entryPath);
  const records = await store.readTile(recordPath);
  if (entries === undefined || records === undefined) {
    const path = entries === undefined ? entryPath : recordPath;
    throw fail(R.corrupt, { expected: `the full tile ${path}`, actual: 'no file' });
  }
  return decodeTiles(entries, records, TILE_WIDTH);
}

async function newestTime(store: LogStore, state: TreeState): Promise<number> {
  const records = await readRecords(store, Math.floor((state.size - 1) / TILE_WIDTH));
  return records.at(-1)?.time ?? 0;
}
