/**
 * Materialises a committed tree: full tiles, names, and then forgets the staging that is no longer needed.
 * The daily path and recovery after a crash call the same function; every step may run twice.
 */
import { toHex } from '#base/bytes';
import { encodeEntryBundle, TILE_WIDTH, tilePath } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import { encodeRecordTile, recordTilePath } from './batch.ts';
import type { NextTree } from './sequence.ts';
import type { LogRecord, Personality, TreeState } from './types.ts';

/**
 * `before` is the tree `next` extends. The checkpoint lock already names `next`: a crash anywhere in here
 * leaves staged batches from which opening the log arrives at the same bytes.
 */
export async function apply(
  store: LogStore,
  before: TreeState,
  next: NextTree,
  personality: Personality,
): Promise<void> {
  const records = [...before.tail, ...next.records];
  const first = before.size - before.tail.length;
  for (let from = first; from + TILE_WIDTH <= next.size; from += TILE_WIDTH) {
    await writeEntryTile(store, from / TILE_WIDTH, records.slice(from - first, from - first + TILE_WIDTH));
  }
  for (const tile of next.completed) {
    const path = tilePath({ kind: 'hashes', level: tile.level, index: tile.index, width: TILE_WIDTH });
    await store.writeTile(path, tile.nodes.bytes());
  }
  await store.index(before.size, namesOf(next, personality));
  // Only now: until here the staged batches were the only durable copy.
  const boundary = next.size - (next.size % TILE_WIDTH);
  if (boundary > before.size - before.tail.length) await store.unstage(boundary);
}

async function writeEntryTile(store: LogStore, index: number, records: readonly LogRecord[]): Promise<void> {
  const entries = encodeEntryBundle(records.map((record) => record.entry));
  await store.writeTile(tilePath({ kind: 'entries', index, width: TILE_WIDTH }), entries);
  await store.writeTile(recordTilePath(index), encodeRecordTile(records));
}

/** What an entry can be found by: its leaf hash, and its identity where that is another. */
export function namesOf(next: Pick<NextTree, 'records' | 'leafHashes'>, personality: Personality) {
  return next.records.map((record, i) => {
    const leaf = next.leafHashes[i] as Uint8Array;
    const identity = personality.identity?.(record.entry);
    return identity === undefined || toHex(identity) === toHex(leaf) ? [leaf] : [leaf, identity];
  });
}
