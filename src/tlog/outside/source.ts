/** A log as anyone can read it: its checkpoint, tiles and entry bundles by path (c2sp.org/tlog-tiles). */
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { type Result, unwrap } from '#base/result';
import { decodeEntryBundle, type EntryTile, parseTilePath, TILE_WIDTH, tilePath } from '#formats/tiles';
import { readFileIfThere } from '#platform/files';
import type { Transport } from '#platform/http-client';
import { R } from '../reasons.ts';

/** How a log names and writes its entries in bundles. */
export interface EntryBundles {
  path(tile: EntryTile): string;
  /** The entries of a bundle: what the leaves of the tree are made from. */
  decode(bytes: Uint8Array, width: number): Result<Uint8Array[]>;
}

export interface TileSource {
  /** Where it is, for messages. */
  readonly name: string;
  /** Entry bundles of tlog-tiles without it. */
  readonly bundles?: EntryBundles;
  /** The file at a path below the log's prefix; undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>;
}

/** A bundle of 256 entries of 65,535 bytes. */
const TILE_BYTES_MAX = 17 * 1024 * 1024;

/** `prefix`: the URL below which `checkpoint` and `tile/…` lie. */
export function httpTiles(prefix: string, transport: Transport): TileSource {
  const base = prefix.replace(/\/+$/, '');
  return {
    name: base,
    read: async (path) => {
      const { status, body } = await transport.request({ url: `${base}/${path}`, maxBytes: TILE_BYTES_MAX });
      if (status === 404) return undefined;
      if (status === 200) return body;
      throw fail(R.source, { expected: `${path} of ${base}`, actual: `status ${status}` });
    },
  };
}

export function folderTiles(directory: string): TileSource {
  return { name: directory, read: (path) => readFileIfThere(join(directory, path)) };
}

export async function readCheckpoint(source: TileSource): Promise<string> {
  const bytes = await source.read('checkpoint');
  if (bytes === undefined)
    throw fail(R.source, { expected: `a checkpoint at ${source.name}`, actual: 'none' });
  return utf8Text(bytes);
}

/** The tile of a path, or a prefix of the full tile that replaced a partial one. */
export async function readTile(source: TileSource, path: string): Promise<Uint8Array | undefined> {
  const bytes = await source.read(path);
  if (bytes !== undefined) return bytes;
  const tile = unwrap(parseTilePath(path));
  if (tile.width === TILE_WIDTH) return undefined;
  return source.read(tilePath({ ...tile, width: TILE_WIDTH }));
}

const entryBundles: EntryBundles = { path: tilePath, decode: decodeEntryBundle };

/** The first `width` entries of tile `index`. WB-416 when the log does not give them, WB-119 when they are malformed. */
export async function readEntries(source: TileSource, index: number, width: number): Promise<Uint8Array[]> {
  const { path: pathOf, decode } = source.bundles ?? entryBundles;
  const path = pathOf({ kind: 'entries', index, width });
  const partial = await source.read(path);
  if (partial !== undefined) return unwrap(decode(partial, width));
  const fullPath = pathOf({ kind: 'entries', index, width: TILE_WIDTH });
  const full = width === TILE_WIDTH ? undefined : await source.read(fullPath);
  if (full === undefined)
    throw fail(R.source, { expected: `${path} of ${source.name}`, actual: 'no such file' });
  return unwrap(decode(full, TILE_WIDTH)).slice(0, width);
}
