/**
 * Tiles and entry bundles of c2sp.org/tlog-tiles: paths relative to the log's prefix, widths, and the bytes
 * of an entry bundle. A tile holds up to 256 hashes; tile level L counts leaves in steps of 256^L.
 */
import { readUint } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { R } from './log-reasons.ts';
import type { NodeId } from './merkle.ts';

export const TILE_HEIGHT = 8;
/** Hashes or entries in a full tile. */
export const TILE_WIDTH = 256;

export interface HashTile {
  readonly kind: 'hashes';
  /** Tile level, 0–63. */
  readonly level: number;
  readonly index: number;
  /** 1–255 for a partial tile, 256 for a full one. */
  readonly width: number;
}

export interface EntryTile {
  readonly kind: 'entries';
  readonly index: number;
  readonly width: number;
}

export type Tile = HashTile | EntryTile;

/** The index in groups of three digits, all but the last with an `x`: 1234067 → `x001/x234/067`. */
export function tileIndexPath(index: number): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return path;
}

/** `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. */
export function tilePath(tile: Tile): string {
  const place = tile.kind === 'entries' ? 'entries' : String(tile.level);
  const partial = tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`;
  return `tile/${place}/${tileIndexPath(tile.index)}${partial}`;
}

const pathForm = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

/** Parses the one spelling `tilePath` gives; anything else is WB-119. */
export function parseTilePath(path: string): Result<Tile> {
  const match = pathForm.exec(path);
  if (match !== null) {
    const index = Number((match[2] as string).replace(/[x/]/g, ''));
    const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
    const tile: Tile =
      match[1] === 'entries'
        ? { kind: 'entries', index, width }
        : { kind: 'hashes', level: Number(match[1]), index, width };
    const inRange = tile.kind === 'entries' || tile.level < 64;
    // Writing it again refuses leading zeros, empty groups and `.p/256` in one stroke.
    if (inRange && Number.isSafeInteger(index) && width > 0 && tilePath(tile) === path) return ok(tile);
  }
  const actual = JSON.stringify(path.slice(0, 100));
  return err(reason(R.tile, { expected: 'tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>]', actual }));
}

/** How many hashes of tile (level, index) exist in a tree of `size` leaves: 0–256. */
export function tileWidth(size: number, level: number, index: number): number {
  const nodes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, nodes - index * TILE_WIDTH));
}

/** Where a node lives: its tile, its level inside the tile (0–7) and its index on that level of the tile. */
export interface NodePlace {
  readonly tileLevel: number;
  readonly tileIndex: number;
  readonly height: number;
  readonly at: number;
}

export function placeOf(node: NodeId): NodePlace {
  const height = node.level % TILE_HEIGHT;
  const perTile = 2 ** (TILE_HEIGHT - height);
  return {
    tileLevel: Math.floor(node.level / TILE_HEIGHT),
    tileIndex: Math.floor(node.index / perTile),
    height,
    at: node.index % perTile,
  };
}

/** Bytes of an entry bundle: each entry behind its 16-bit length. Throws WB-119 for an entry over 65,535. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const entry of entries) {
    if (entry.length > limits.logEntryBytes) {
      const expected = `entries of at most ${limits.logEntryBytes} bytes`;
      throw fail(R.tile, { expected, actual: `${entry.length} bytes` });
    }
    length += 2 + entry.length;
  }
  const out = new Uint8Array(length);
  let at = 0;
  for (const entry of entries) {
    out[at++] = entry.length >> 8;
    out[at++] = entry.length & 0xff;
    out.set(entry, at);
    at += entry.length;
  }
  return out;
}

/** Reads an entry bundle of exactly `count` entries (1–256); short or surplus bytes are WB-119. */
export function decodeEntryBundle(bytes: Uint8Array, count: number): Result<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (entries.length < count && at + 2 <= bytes.length) {
    const end = at + 2 + readUint(bytes, at, 2);
    if (end > bytes.length) break;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (entries.length === count && at === bytes.length) return ok(entries);
  const expected = `an entry bundle of ${count} entries`;
  const actual = `${entries.length} entries in ${at} of ${bytes.length} bytes`;
  return err(reason(R.tile, { expected, actual }));
}
