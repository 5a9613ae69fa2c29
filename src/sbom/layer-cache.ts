/**
 * Records of layers in a folder, one file a layer: what was read of a base image once need not be read again. And what
 * the lower layers of an image come to together, a file for the lot.
 * The name says diffIDs, version and cataloguers; a file that is damaged, or no record by its form, is as good as none.
 * What is old or too much is removed when something is written.
 */
import { randomUUID } from 'node:crypto';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Digest } from '#base/brand';
import { concat, equalBytes, toHex, utf8, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { digestHex } from '#base/digest';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { asFileError, makeFolders, readFileLimitedIfThere } from '#platform/files';
import { type Base, packBase, unpackBase } from './base.ts';
import { type Bounds, cacheBounds, cleanCache } from './cache-cleaning.ts';
import type { Again } from './capture.ts';
import { logMark } from './cataloguers/wal.ts';
import { packReading, unpackReading } from './pack.ts';
import type { LayerCache } from './read-layers.ts';
import type { Cataloguer } from './types.ts';

/** Raised when what a record holds changes. */
const FORM = 10;
const SUM_BYTES = 32;
const LENGTH_BYTES = 4;
const PACKED_BYTES_MAX = limits.capturedBytes * 2;
const RECORD_BYTES_MAX = PACKED_BYTES_MAX + 1024 * 1024;
/** Images with more in their lower layers go on from the layers. */
const BASE_BYTES_MAX = 64 * 1024 * 1024;
/** Written until the folder is looked through again. */
const CLEAN_AFTER_BYTES = 256 * 1024 * 1024;
const compressing = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * A cache in `folder`, which is made when there is something to keep. Where it cannot be used, layers are read as
 * without one, and `onFailure` gets the reason, once.
 */
export function layerCache(
  folder: string,
  cataloguers: readonly Cataloguer[],
  version: string,
  onFailure: (why: string) => void = () => undefined,
  bounds: Bounds = cacheBounds,
): LayerCache {
  const names = cataloguers.map((one) => one.name).join(',');
  const keyOf = (again: Again | undefined): string => {
    const logs = [...(again?.logs ?? [])].map(([name, log]) => `${utf8Text(logMark(log))} ${name}`).sort();
    const asked = again === undefined ? [] : [[...again.files].sort(), [...again.programs].sort(), logs];
    return toHex(sha256(utf8(JSON.stringify([FORM, version, names, ...asked])))).slice(0, 16);
  };
  const fileOf = (diffId: Digest, again?: Again): string =>
    join(folder, `${digestHex(diffId)}-${keyOf(again)}.layer`);
  const baseOf = (chain: readonly Digest[]): string =>
    join(folder, `${toHex(sha256(utf8(chain.join(' '))))}-${keyOf(undefined)}.base`);
  let isTold = false;
  const failed = (error: unknown): undefined => {
    const known = error instanceof WaybillError ? error : asFileError(error);
    if (!isTold) onFailure(known?.reason.actual ?? (error instanceof Error ? error.message : String(error)));
    isTold = true;
  };
  async function read<T>(file: string, unpack: (packed: Uint8Array) => T): Promise<T | undefined> {
    // A pipe would be waited for.
    if (!(await isFile(file))) return undefined;
    const bytes = await readFileLimitedIfThere(file, RECORD_BYTES_MAX).catch(failed);
    return bytes === undefined ? undefined : readRecord(bytes, unpack);
  }
  let uncleaned = CLEAN_AFTER_BYTES;
  async function written(file: string, packed: Uint8Array, isLast: boolean): Promise<void> {
    const { bytes, atMs } = await write(file, packed);
    uncleaned += bytes;
    if (!isLast && uncleaned < CLEAN_AFTER_BYTES) return;
    uncleaned = 0;
    await cleanCache(folder, atMs, bounds);
  }
  async function keepBase(chain: readonly Digest[], base: Base): Promise<void> {
    // At once: the next layer changes what is packed. Written behind the layers of an image.
    const packed = packBase(base);
    if (packed.length <= BASE_BYTES_MAX) await written(baseOf(chain), packed, true);
  }
  return {
    has: (diffId) => isFile(fileOf(diffId)),
    get: (diffId, again) => read(fileOf(diffId, again), unpackReading),
    put: (diffId, reading, again) =>
      written(fileOf(diffId, again), packReading(reading), false).catch(failed),
    hasBase: (chain) => isFile(baseOf(chain)),
    getBase: (chain, chosen) => read(baseOf(chain), (packed) => unpackBase(packed, chosen)),
    putBase: (chain, base) => keepBase(chain, base).catch(failed),
  };
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

interface Written {
  readonly bytes: number;
  /** Milliseconds, by the clock of the file system. */
  readonly atMs: number;
}

async function write(file: string, packed: Uint8Array): Promise<Written> {
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, packed.length);
  const body = concat(length, zstdCompressSync(packed, compressing));
  await makeFolders(dirname(file));
  const part = `${file}.${randomUUID()}.part`;
  try {
    await writeFile(part, concat(sha256(body), body), { mode: 0o600 });
    // Before it has its name: then another process may remove it.
    const { size, mtimeMs } = await stat(part);
    await rename(part, file);
    return { bytes: size, atMs: mtimeMs };
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

function readRecord<T>(bytes: Uint8Array, unpack: (packed: Uint8Array) => T): T | undefined {
  const body = bytes.subarray(SUM_BYTES);
  if (body.length < LENGTH_BYTES || !equalBytes(sha256(body), bytes.subarray(0, SUM_BYTES))) return undefined;
  try {
    const length = new DataView(body.buffer, body.byteOffset).getUint32(0);
    if (length > PACKED_BYTES_MAX) return undefined;
    // One piece of the right size: nothing has to be joined.
    const sizes = { chunkSize: Math.max(64, length + 1), maxOutputLength: length + 1 };
    return unpack(zstdDecompressSync(body.subarray(LENGTH_BYTES), sizes));
  } catch {
    return undefined;
  }
}
