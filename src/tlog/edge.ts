/**
 * The right edge of the tree: for each tile level the tile that is still growing, with its interior hashes.
 * That is all a log needs to append, whatever its size.
 */
import { concat } from '#base/bytes';
import { foldNodes, HASH_BYTES, type NodeId, nodeHash, rangeNodes, rootHash } from '#formats/merkle';
import { placeOf, TILE_HEIGHT, TILE_WIDTH } from '#formats/tiles';

/** The hashes of one tile and every complete node above them. */
export class TileNodes {
  /** rows[h][i] is the node of 2^h hashes; rows[8] has the tile's own root once it is full. */
  readonly #rows: Uint8Array[][];

  constructor(rows?: Uint8Array[][]) {
    this.#rows = rows ?? Array.from({ length: TILE_HEIGHT + 1 }, () => []);
  }

  static fromBytes(bytes: Uint8Array): TileNodes {
    const tile = new TileNodes();
    for (let at = 0; at < bytes.length; at += HASH_BYTES) tile.push(bytes.subarray(at, at + HASH_BYTES));
    return tile;
  }

  get width(): number {
    return this.#row(0).length;
  }

  push(hash: Uint8Array): void {
    this.#row(0).push(hash);
    for (let height = 0; height < TILE_HEIGHT && this.#row(height).length % 2 === 0; height++) {
      const [left, right] = this.#row(height).slice(-2) as [Uint8Array, Uint8Array];
      this.#row(height + 1).push(nodeHash(left, right));
    }
  }

  /** The node `height` levels above the tile's hashes; undefined when the tile does not hold it. */
  node(height: number, at: number): Uint8Array | undefined {
    return this.#rows[height]?.[at];
  }

  /** The first `width` hashes, as a tile file holds them. */
  bytes(width = this.width): Uint8Array {
    return concat(...this.#row(0).slice(0, width));
  }

  clone(): TileNodes {
    return new TileNodes(this.#rows.map((row) => row.slice()));
  }

  #row(height: number): Uint8Array[] {
    return this.#rows[height] as Uint8Array[];
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
    if (size === 0) return rootHash(0, () => new Uint8Array(0));
    // Every node of the root's decomposition lies in the growing tiles.
    return foldNodes(rangeNodes({ from: 0, to: size }).map((node) => this.#node(node)));
  }

  #node(node: NodeId): Uint8Array {
    const place = placeOf(node);
    const hash = this.tile(place.tileLevel, place.tileIndex)?.node(place.height, place.at);
    if (hash === undefined) throw new Error(`node ${node.level}/${node.index} is not on the edge`);
    return hash;
  }
}
