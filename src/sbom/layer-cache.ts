/**
 * Records of layers in a folder, one file a layer: what was read of a base image once need not be read again.
 * The name says diffID, version and cataloguers; a file that is damaged is as good as none.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Digest } from '#base/brand';
import { concat, equalBytes, toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { digestHex } from '#base/digest';
import { limits } from '#base/limits';
import { readFileIfThere } from '#platform/files';
import { packReading, unpackReading } from './pack.ts';
import type { LayerCache, LayerReading } from './read-layers.ts';
import type { Cataloguer } from './types.ts';

/** Raised when what a record holds changes. */
const FORM = 2;
const SUM_BYTES = 32;

/** A cache in `folder`, which is made when there is something to keep. */
export function layerCache(folder: string, cataloguers: readonly Cataloguer[], version: string): LayerCache {
  const names = cataloguers.map((one) => one.name).join(',');
  const key = toHex(sha256(utf8(JSON.stringify([FORM, version, names])))).slice(0, 16);
  const fileOf = (diffId: Digest): string => join(folder, `${digestHex(diffId)}-${key}.layer`);
  return {
    async get(diffId) {
      const bytes = await readFileIfThere(fileOf(diffId));
      return bytes === undefined ? undefined : readRecord(bytes);
    },
    async put(diffId, reading) {
      const body = deflateRawSync(packReading(reading), { level: 1 });
      await mkdir(folder, { recursive: true });
      const part = `${fileOf(diffId)}.${randomUUID()}.part`;
      try {
        await writeFile(part, concat(sha256(body), body), { mode: 0o600 });
        await rename(part, fileOf(diffId));
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    },
  };
}

function readRecord(bytes: Uint8Array): LayerReading | undefined {
  const body = bytes.subarray(SUM_BYTES);
  if (!equalBytes(sha256(body), bytes.subarray(0, SUM_BYTES))) return undefined;
  try {
    return unpackReading(inflateRawSync(body, { maxOutputLength: limits.capturedBytes * 2 }));
  } catch {
    return undefined;
  }
}
