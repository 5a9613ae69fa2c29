/**
 * The right edge of the tree: for each tile level the tile that is still growing, with its interior hashes.
 * That is all a log needs to append, whatever its size.
 */
import {
  emptyRoot,
  foldNodes,
  HASH_BYTES,
  hashPair,
  type LeafRange,
  type NodeId,
  rangeNodes,
} from '#formats/merkle';
import { placeOf, TILE_HEIGHT, TILE_WIDTH } from '#formats/tiles';

/** Where the nodes `height` levels above the hashes begin, of a full binary tree of 256 leaves kept row by row. */
const rowStart = Array.from({ length: TILE_HEIGHT + 1 }, (_, height) => 2 * TILE_WIDTH - 2 ** (9 - height));
const NODES = 2 * TILE_WIDTH - 1;

/** Where the bytes of a node begin. */
const placeIn = (height: number, at: number): number => ((rowStart[height] as number) + at) * HASH_BYTES;

/** The hashes of one tile and every complete node above them, in one piece of memory: logs keep hundreds. */
export class TileNodes {
  readonly #bytes: Buffer;
  #width: number;

  constructor(bytes: Buffer = Buffer.alloc(NODES * HASH_BYTES), width = 0) {
    this.#bytes = bytes;
    this.#width = width;
  }

  static fromBytes(bytes: Uint8Array): TileNodes {
    const tile = new TileNodes();
    for (let at = 0; at < bytes.length; at += HASH_BYTES) tile.push(bytes.subarray(at, at + HASH_BYTES));
    return tile;
  }

  get width(): number {
    return this.#width;
  }

  push(hash: Uint8Array): void {
    this.#bytes.set(hash, placeIn(0, this.#width));
    this.#width++;
    for (let height = 0, count = this.#width; count % 2 === 0 && height < TILE_HEIGHT; height++) {
      const pair = placeIn(height, count - 2);
      count /= 2;
      hashPair(this.#bytes, pair, placeIn(height + 1, count - 1));
    }
  }

  /** The node `height` levels above the tile's hashes; undefined when the tile does not hold it. */
  node(height: number, at: number): Uint8Array | undefined {
    return height <= TILE_HEIGHT && at < this.#width >> height ? this.#get(height, at) : undefined;
  }

  /** The first `width` hashes, as a tile file holds them. */
  bytes(width = this.width): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, Math.min(width, this.#width) * HASH_BYTES));
  }

  clone(): TileNodes {
    return new TileNodes(Buffer.from(this.#bytes), this.#width);
  }

  #get(height: number, at: number): Uint8Array {
    const from = placeIn(height, at);
    return this.#bytes.subarray(from, from + HASH_BYTES);
  }
}

export interface CompleteTile {
  readonly level: number;
  readonly index: number;
  readonly nodes: TileNodes;
}

export class TreeEdge {
  #size: number;
  /** One growing tile a level, lowest first; each has 0–255 hashes. */
  readonly #tiles: TileNodes[];

  constructor(size = 0, tiles: TileNodes[] = []) {
    this.#size = size;
    this.#tiles = tiles;
  }

  /** From what `tiles` gave. */
  static restore(size: number, tiles: readonly Uint8Array[]): TreeEdge {
    return new TreeEdge(size, tiles.map(TileNodes.fromBytes));
  }

  /** The growing tiles as bytes, lowest first: all that is needed to go on. */
  tiles(): Uint8Array[] {
    return this.#tiles.map((tile) => tile.bytes());
  }

  get size(): number {
    return this.#size;
  }

  /** A copy that can be extended while this one stays: a batch that fails leaves no trace. */
  clone(): TreeEdge {
    return new TreeEdge(
      this.#size,
      this.#tiles.map((tile) => tile.clone()),
    );
  }

  /** Appends a leaf hash; returns the tiles it completed, lowest first. */
  append(leaf: Uint8Array): CompleteTile[] {
    const completed: CompleteTile[] = [];
    this.#size++;
    let hash: Uint8Array | undefined = leaf;
    for (let level = 0; hash !== undefined; level++) {
      const tile: TileNodes = this.#tiles[level] ?? new TileNodes();
      this.#tiles[level] = tile;
      tile.push(hash);
      hash = tile.node(TILE_HEIGHT, 0);
      if (hash === undefined) break;
      const index = this.#size / TILE_WIDTH ** (level + 1) - 1;
      completed.push({ level, index, nodes: tile });
      this.#tiles[level] = new TileNodes();
    }
    return completed;
  }

  /** The growing tile of a level, when (level, index) is it. */
  tile(level: number, index: number): TileNodes | undefined {
    const isEdge = index === Math.floor(this.#size / TILE_WIDTH ** (level + 1));
    return isEdge ? this.#tiles[level] : undefined;
  }

  root(): Uint8Array {
    const { size } = this;
    return size === 0 ? emptyRoot() : this.rangeHash({ from: 0, to: size });
  }

  /** The hash of a range that ends with the tree, or of one left of it: their nodes lie in the growing tiles. */
  rangeHash(range: LeafRange): Uint8Array {
    return foldNodes(rangeNodes(range).map((node) => this.#node(node)));
  }

  #node(node: NodeId): Uint8Array {
    const place = placeOf(node);
    const hash = this.tile(place.tileLevel, place.tileIndex)?.node(place.height, place.at);
    if (hash === undefined) throw new Error(`node ${node.level}/${node.index} is not on the edge`);
    return hash;
  }
}
