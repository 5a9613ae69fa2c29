/** Builds proofs from the growing edge and from full tiles, few of which are read and many remembered. */
import { fail } from '#base/reason';
import type { Result } from '#base/result';
import {
  consistencyProof,
  consistencyRanges,
  emptyRoot,
  foldNodes,
  HASH_BYTES,
  inclusionProof,
  inclusionRanges,
  type LeafRange,
  type NodeGetter,
  rangeNodes,
  verifyConsistency,
  verifyInclusion,
} from '#formats/merkle';
import { placeOf, TILE_WIDTH, tilePath } from '#formats/tiles';
import type { LogStore } from '#platform/store';
import { type CompleteTile, TileNodes } from './edge.ts';
import { R } from './reasons.ts';
import type { Proof, TreeState } from './types.ts';

/** Full tiles kept with their interior hashes, 16 KiB each; upper levels are asked for again and again. */
const CACHED_TILES_MAX = 128;

export class TileReader {
  readonly #store: LogStore;
  readonly #cache = new Map<string, TileNodes>();

  constructor(store: LogStore) {
    this.#store = store;
  }

  /** A full tile; WB-410 when it is missing or has another length. */
  async full(level: number, index: number): Promise<TileNodes> {
    const path = tilePath({ kind: 'hashes', level, index, width: TILE_WIDTH });
    const cached = this.#cache.get(path);
    if (cached !== undefined) return this.#keep(path, cached);
    const bytes = await this.#store.readTile(path);
    if (bytes?.length !== TILE_WIDTH * HASH_BYTES) {
      const actual = bytes === undefined ? 'no file' : `${bytes.length} bytes`;
      throw fail(R.corrupt, { expected: `the full tile ${path}`, actual });
    }
    // Of those who read it at the same time one makes its interior hashes.
    return this.#keep(path, this.#cache.get(path) ?? TileNodes.fromBytes(bytes));
  }

  remember(tile: CompleteTile): void {
    this.#keep(
      tilePath({ kind: 'hashes', level: tile.level, index: tile.index, width: TILE_WIDTH }),
      tile.nodes,
    );
  }

  #keep(path: string, tile: TileNodes): TileNodes {
    // Deleting first moves the tile to the end: the map is ordered by last use.
    this.#cache.delete(path);
    this.#cache.set(path, tile);
    if (this.#cache.size > CACHED_TILES_MAX) this.#cache.delete(this.#cache.keys().next().value as string);
    return tile;
  }

  /** A getter for the complete nodes of `ranges` in the tree of `state`; reads the tiles it needs first. */
  async getter(state: TreeState, ranges: readonly LeafRange[]): Promise<NodeGetter> {
    const tiles = new Map<string, TileNodes>();
    for (const node of ranges.flatMap(rangeNodes)) {
      const { tileLevel, tileIndex } = placeOf(node);
      const key = `${tileLevel}/${tileIndex}`;
      if (tiles.has(key)) continue;
      tiles.set(key, state.edge.tile(tileLevel, tileIndex) ?? (await this.full(tileLevel, tileIndex)));
    }
    return (node) => {
      const place = placeOf(node);
      const hash = tiles.get(`${place.tileLevel}/${place.tileIndex}`)?.node(place.height, place.at);
      if (hash === undefined) throw new Error(`node ${node.level}/${node.index} is not complete`);
      return hash;
    };
  }

  /**
   * Proof that `leaf` (a leaf hash) is entry `index` of `state`, or of the smaller tree `at`. It is checked
   * before it is given out: rotten tiles must not become wrong proofs.
   */
  async inclusion(
    state: TreeState,
    index: number,
    leaf: Uint8Array,
    at: { readonly size: number; readonly root: Uint8Array } = state,
  ): Promise<Proof> {
    const { size, root } = at;
    const get = await this.getter(state, inclusionRanges(index, size));
    const hashes = inclusionProof(index, size, get);
    this.#selfCheck(verifyInclusion({ index, size, leaf, hashes, root }));
    return { index, size, root, hashes, checkpoint: state.checkpoint };
  }

  /** The hash of each range. */
  async rangeHashes(state: TreeState, ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
    const get = await this.getter(state, ranges);
    return ranges.map((range) => foldNodes(rangeNodes(range).map(get)));
  }

  #selfCheck(checked: Result<void>): void {
    if (checked.ok) return;
    throw fail(R.corrupt, { expected: 'tiles that lead to the root', actual: checked.error.actual });
  }

  /** The root of the first `size` leaves. */
  async rootAt(state: TreeState, size: number): Promise<Uint8Array> {
    if (size === state.size) return state.root;
    if (size === 0) return emptyRoot();
    const [root] = await this.rangeHashes(state, [{ from: 0, to: size }]);
    return root as Uint8Array;
  }

  /** Proof that the tree of size `second` only appends to that of size `first`. Both ≤ the size of `state`. */
  async consistency(state: TreeState, first: number, second: number): Promise<Uint8Array[]> {
    const get = await this.getter(state, consistencyRanges(first, second));
    const hashes = consistencyProof(first, second, get);
    const firstRoot = await this.rootAt(state, first);
    const secondRoot = await this.rootAt(state, second);
    this.#selfCheck(verifyConsistency({ first, second, firstRoot, secondRoot, hashes }));
    return hashes;
  }
}
