/**
 * Keeps a folder of cached records within bounds. Only files with names the cache gives are touched. Another process
 * may read, write or clean the same folder meanwhile: a record that is gone is read from its layer again, one that is
 * open stays readable, and parts are removed only long after whoever wrote them must have ended.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface Bounds {
  /** Of all records of layers together. */
  readonly layerBytes: number;
  /** Records of lower layers repeat what those of layers hold: only the newest are kept. */
  readonly bases: number;
  /** Milliseconds since a record was written or, where the file system tells, read. */
  readonly unusedMs: number;
  /** Milliseconds after which nobody goes on writing a part. */
  readonly partMs: number;
}

const DAY_MS = 24 * 60 * 60_000;

export const cacheBounds: Bounds = {
  layerBytes: 2 * 1024 * 1024 * 1024,
  bases: 32,
  unusedMs: 90 * DAY_MS,
  partMs: DAY_MS,
};

const names = /^[0-9a-f]{64}-[0-9a-f]{16}\.(layer|base)(\.[0-9a-f-]{36}\.part)?$/;

interface Kept {
  readonly path: string;
  readonly kind: 'layer' | 'base' | 'part';
  readonly bytes: number;
  readonly usedMs: number;
}

/** Removes what is too old or too much. `nowMs`: when the folder was written last, by the clock of its file system. */
export async function cleanCache(folder: string, nowMs: number, bounds: Bounds = cacheBounds): Promise<void> {
  const all = (await Promise.all((await readdir(folder)).map((name) => keptAt(folder, name)))).filter(
    (one) => one !== undefined,
  );
  const most = { layer: bounds.unusedMs, base: bounds.unusedMs, part: bounds.partMs };
  const old = all.filter(({ kind, usedMs }) => nowMs - usedMs > most[kind]);
  const rest = all.filter((one) => !old.includes(one)).sort(latestFirst);
  let bytes = 0;
  const tooMuch = rest.filter((one) => {
    if (one.kind !== 'layer') return false;
    bytes += one.bytes;
    return bytes > bounds.layerBytes;
  });
  const tooMany = rest.filter(({ kind }) => kind === 'base').slice(bounds.bases);
  await Promise.all([...old, ...tooMuch, ...tooMany].map(({ path }) => rm(path, { force: true })));
}

const latestFirst = (a: Kept, b: Kept): number => b.usedMs - a.usedMs || (a.path < b.path ? -1 : 1);

/** Undefined for what is not the cache's, or was removed meanwhile. */
async function keptAt(folder: string, name: string): Promise<Kept | undefined> {
  const [, form, part] = names.exec(name) ?? [];
  if (form === undefined) return undefined;
  const path = join(folder, name);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) return undefined;
  const kind = part === undefined ? (form as 'layer' | 'base') : 'part';
  const usedMs = kind === 'part' ? found.mtimeMs : Math.max(found.mtimeMs, found.atimeMs);
  return { path, kind, bytes: found.size, usedMs };
}
