/** One entry of a log read from outside, with a proof made from its tiles: for logs whose API answers for none. */
import { fail } from '#base/reason';
import {
  HASH_BYTES,
  inclusionProof,
  inclusionRanges,
  leafHash,
  rangeNodes,
  verifyInclusion,
} from '#formats/merkle';
import { placeOf, TILE_WIDTH, tilePath, tileWidth } from '#formats/tiles';
import type { TreeHead } from '../checkpoint.ts';
import { TileNodes } from '../edge.ts';
import { R } from '../reasons.ts';
import { type Personality, type Proof, plainPersonality } from '../types.ts';
import { readEntries, readTile, type TileSource } from './source.ts';

export interface OutsideTree {
  readonly source: TileSource;
  readonly head: TreeHead;
  /** The checkpoint that signs the head. */
  readonly checkpoint: string;
  readonly personality?: Personality;
}

/** Throws WB-416 for what the log does not give, or gives wrongly: the proof is checked before it is given out. */
export async function entryOutside(
  tree: OutsideTree,
  index: number,
): Promise<{ readonly entry: Uint8Array; readonly proof: Proof }> {
  const { source, head, checkpoint, personality = plainPersonality } = tree;
  const { size, root } = head;
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw fail(R.source, { expected: `an entry below ${size} of ${source.name}`, actual: String(index) });
  }
  const tile = Math.floor(index / TILE_WIDTH);
  const entries = await readEntries(source, tile, tileWidth(size, 0, tile));
  const entry = entries[index % TILE_WIDTH] as Uint8Array;
  const hashes = await inclusionHashes(source, index, size);
  const leaf = leafHash(personality.leaf(entry));
  const checked = verifyInclusion({ index, size, leaf, hashes, root });
  if (!checked.ok) {
    const expected = `tiles of ${source.name} that lead to its root`;
    throw fail(R.source, { expected, actual: checked.error.actual });
  }
  return { entry, proof: { index, size, root, hashes, checkpoint } };
}

async function inclusionHashes(source: TileSource, index: number, size: number): Promise<Uint8Array[]> {
  const tiles = new Map<string, TileNodes>();
  for (const node of inclusionRanges(index, size).flatMap(rangeNodes)) {
    const { tileLevel: level, tileIndex } = placeOf(node);
    const key = `${level}/${tileIndex}`;
    if (tiles.has(key)) continue;
    const width = tileWidth(size, level, tileIndex);
    const path = tilePath({ kind: 'hashes', level, index: tileIndex, width });
    const bytes = await readTile(source, path);
    if (bytes === undefined || bytes.length < width * HASH_BYTES) {
      throw fail(R.source, { expected: `${path} of ${source.name}`, actual: 'no such file' });
    }
    tiles.set(key, TileNodes.fromBytes(bytes.subarray(0, width * HASH_BYTES)));
  }
  return inclusionProof(index, size, (node) => {
    const { tileLevel, tileIndex, height, at } = placeOf(node);
    const hash = tiles.get(`${tileLevel}/${tileIndex}`)?.node(height, at);
    if (hash === undefined) throw new Error(`node ${node.level}/${node.index} is not complete`);
    return hash;
  });
}
