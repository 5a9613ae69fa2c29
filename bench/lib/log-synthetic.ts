/**
 * A log of any size that was never written: every entry is the same, so every full tile of a level is the same
 * bytes. What an append reads and writes at the right edge is real.
 */
import { utf8 } from '#base/bytes';
import { leafHash, nodeHash } from '#formats/merkle';
import { encodeEntryBundle, parseTilePath, TILE_WIDTH } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import type { CheckpointSigner } from '#tlog';

const ENTRY = utf8('the same entry');
/** Time and nothing beside it, as the engine keeps it: 8 bytes of milliseconds. */
const RECORD = new Uint8Array(8);
const LEVELS = 8;

/** The hashes of a full tile of each level, and the root of each. */
function constants(): { readonly tiles: readonly Uint8Array[]; readonly nodes: readonly Uint8Array[] } {
  const nodes = [leafHash(ENTRY)];
  for (let level = 1; level <= LEVELS * 8; level++) {
    const below = nodes[level - 1] as Uint8Array;
    nodes.push(nodeHash(below, below));
  }
  const tiles = Array.from({ length: LEVELS }, (_, level) => {
    const bytes = new Uint8Array(TILE_WIDTH * 32);
    for (let at = 0; at < TILE_WIDTH; at++) bytes.set(nodes[level * 8] as Uint8Array, at * 32);
    return bytes;
  });
  return { tiles, nodes };
}

const { tiles, nodes } = constants();

/** The root of `size` equal entries: complete subtrees from the left, folded from the right. */
function rootOf(size: number): Uint8Array {
  let root: Uint8Array | undefined;
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) {
    const node = nodes[level] as Uint8Array;
    if (rest % 2 === 1) root = root === undefined ? node : nodeHash(node, root);
  }
  if (root === undefined) throw new Error('a synthetic log is not empty');
  return root;
}

/** `size`: a multiple of 256. The store must be empty. */
export async function synthetic(store: LogStore, signer: CheckpointSigner, size: number): Promise<LogStore> {
  await store.lock.swap(undefined, await signer.sign({ size, root: rootOf(size) }));
  await store.index(size, []);
  const entries = encodeEntryBundle(Array.from({ length: TILE_WIDTH }, () => ENTRY));
  const records = encodeEntryBundle(Array.from({ length: TILE_WIDTH }, () => RECORD));
  return {
    ...store,
    readTile: async (path) => {
      const kept = await store.readTile(path);
      if (kept !== undefined) return kept;
      if (path.startsWith('tile/records/')) return records;
      const tile = parseTilePath(path);
      if (!tile.ok) return undefined;
      return tile.value.kind === 'entries' ? entries : tiles[tile.value.level];
    },
  };
}
