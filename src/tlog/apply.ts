/**
 * Materialises a committed tree: full tiles, names, and then forgets the staging that is no longer needed.
 * The daily path and recovery after a crash call the same function; every step may run twice.
 */
import { equalBytes } from '#base/bytes';
import { encodeEntryBundle, TILE_WIDTH, tilePath } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import { encodeRecordTile, recordTilePath } from './batch.ts';
import type { NextTree } from './sequence.ts';
import type { Personality, TreeState } from './types.ts';

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
  // No tile refers to another, and none is looked for before the checkpoint is published: all at once.
  await settled([...entryTiles(store, before, next), ...hashTiles(store, next)]);
  await store.index(before.size, namesOf(next, personality));
  // Only now: until here the staged batches were the only durable copy.
  const boundary = next.size - (next.size % TILE_WIDTH);
  if (boundary > before.size - before.tail.length) await store.unstage(boundary);
}

function entryTiles(store: LogStore, before: TreeState, next: NextTree): Promise<void>[] {
  const records = [...before.tail, ...next.records];
  const first = before.size - before.tail.length;
  const writes: Promise<void>[] = [];
  for (let from = first; from + TILE_WIDTH <= next.size; from += TILE_WIDTH) {
    const full = records.slice(from - first, from - first + TILE_WIDTH);
    const index = from / TILE_WIDTH;
    const entries = encodeEntryBundle(full.map((record) => record.entry));
    writes.push(store.writeTile(tilePath({ kind: 'entries', index, width: TILE_WIDTH }), entries));
    writes.push(store.writeTile(recordTilePath(index), encodeRecordTile(full)));
  }
  return writes;
}

function hashTiles(store: LogStore, next: NextTree): Promise<void>[] {
  return next.completed.map(({ level, index, nodes }) =>
    store.writeTile(tilePath({ kind: 'hashes', level, index, width: TILE_WIDTH }), nodes.bytes()),
  );
}

/** Waits for all, also after a failure: nothing of this batch may still be under way when the log has stopped. */
async function settled(writes: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(writes)).find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** What an entry can be found by: its leaf hash, and its identity where that is another. */
export function namesOf(next: Pick<NextTree, 'records' | 'leafHashes'>, personality: Personality) {
  return next.records.map((record, i) => {
    const leaf = next.leafHashes[i] as Uint8Array;
    const identity = personality.identity?.(record.entry);
    return identity === undefined || equalBytes(identity, leaf) ? [leaf] : [leaf, identity];
  });
}
