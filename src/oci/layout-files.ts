/** The files of an OCI layout, from a directory or from inside a tar archive. Paths use `/`. */
import { createReadStream, createWriteStream, openSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { concat } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

/** Layers are hundreds of megabytes, and every piece wakes a thread. */
const PIECE_BYTES = 512 * 1024;

export interface LayoutFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** A part of a file of this machine. */
export interface FilePlace {
  readonly path: string;
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Read access; contract: a path that does not exist has no size, and streaming it throws WB-512. */
export interface LayoutFiles {
  /** For messages. */
  readonly name: string;
  size(path: string): Promise<number | undefined>;
  stream(path: string): AsyncIterable<Uint8Array>;
  /** Where the bytes lie; undefined for what does not exist. */
  place(path: string): Promise<FilePlace | undefined>;
  /** Every file below a folder, in any order. */
  list(folder: string): Promise<readonly LayoutFile[]>;
}

/** A whole small file, or undefined when it is not there; larger ones are refused (WB-512). */
export async function readSmall(
  files: LayoutFiles,
  path: string,
  maxBytes: number = limits.manifestBytes,
): Promise<Uint8Array | undefined> {
  const size = await files.size(path);
  if (size === undefined) return undefined;
  if (size > maxBytes) {
    throw fail(R.layout, {
      expected: `${path} of at most ${maxBytes} bytes in ${files.name}`,
      actual: `${size} bytes`,
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of files.stream(path)) chunks.push(chunk);
  return concat(...chunks);
}

export function directoryFiles(directory: string): LayoutFiles {
  const sizeOf = async (path: string): Promise<number | undefined> => {
    const info = await stat(join(directory, path)).catch(() => undefined);
    return info?.isFile() === true ? info.size : undefined;
  };
  return {
    name: directory,
    size: sizeOf,
    async *stream(path) {
      if ((await sizeOf(path)) === undefined) throw missing(directory, path);
      yield* createReadStream(join(directory, path), {
        highWaterMark: PIECE_BYTES,
      }) as AsyncIterable<Uint8Array>;
    },
    async place(path) {
      const size = await sizeOf(path);
      return size === undefined ? undefined : { path: join(directory, path), offset: 0, size };
    },
    async list(folder) {
      const entries = await readdir(join(directory, folder), { withFileTypes: true }).catch(() => []);
      const files = entries.filter((entry) => entry.isFile()).map((entry) => `${folder}/${entry.name}`);
      return Promise.all(files.map(async (path) => ({ path, size: (await sizeOf(path)) ?? 0 })));
    },
  };
}

const TAR_BLOCK = 512;
const TAR_ENTRIES_MAX = 100_000;

/**
 * Files of a tar archive that arrives as a stream. It has to be read more than once, so it is kept in a file that has
 * no name any more: nobody else can open it, and it is gone when this process ends.
 */
export async function spooledTar(name: string, bytes: AsyncIterable<Uint8Array>): Promise<LayoutFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-'));
  try {
    const file = join(folder, 'image.tar');
    await pipeline(bytes, createWriteStream(file, { mode: 0o600, flags: 'wx' }));
    // A plain descriptor, never closed: the archive is needed for as long as the process lives.
    const fd = openSync(file, 'r');
    return await tarFiles(process.platform === 'linux' ? `/proc/self/fd/${fd}` : `/dev/fd/${fd}`, name);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Files of an uncompressed tar archive: only plain entries, by the name in their header. */
export async function tarFiles(file: string, shown = file): Promise<LayoutFiles> {
  const entries = await indexTar(file);
  return {
    name: shown,
    size: (path) => Promise.resolve(entries.get(path)?.size),
    async *stream(path) {
      const entry = entries.get(path);
      if (entry === undefined) throw missing(shown, path);
      if (entry.size === 0) return;
      const end = entry.offset + entry.size - 1;
      const range = { start: entry.offset, end, highWaterMark: PIECE_BYTES };
      yield* createReadStream(file, range) as AsyncIterable<Uint8Array>;
    },
    place: (path) => {
      const entry = entries.get(path);
      return Promise.resolve(entry === undefined ? undefined : { path: file, ...entry });
    },
    list: (folder) =>
      Promise.resolve(
        [...entries]
          .filter(([path]) => path.startsWith(`${folder}/`))
          .map(([path, { size }]) => ({ path, size })),
      ),
  };
}

interface TarEntry {
  readonly offset: number;
  readonly size: number;
}

/**
 * Where each regular file lies. Archives of docker and skopeo use plain ustar names of at most 100 + 155 bytes;
 * extended headers are skipped, since the names they carry are never ours to look for.
 */
async function indexTar(file: string): Promise<ReadonlyMap<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw fail(R.archive, { expected: `a tar archive at ${file}`, actual: error.code ?? 'no file' }, error);
  });
  try {
    if ((await handle.stat()).isDirectory()) throw notTar(file, 'a folder');
    const header = Buffer.alloc(TAR_BLOCK);
    for (let at = 0, count = 0; ; count++) {
      const { bytesRead } = await handle.read(header, 0, TAR_BLOCK, at);
      if (bytesRead < TAR_BLOCK || header[0] === 0) break;
      const size = tarSize(header, file);
      if (count > TAR_ENTRIES_MAX) throw notTar(file, `more than ${TAR_ENTRIES_MAX} entries`);
      const type = String.fromCharCode(header[156] ?? 0);
      const name = tarName(header);
      if ((type === '0' || type === '\0') && !entries.has(name)) {
        entries.set(name, { offset: at + TAR_BLOCK, size });
      }
      at += TAR_BLOCK + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    }
  } finally {
    await handle.close();
  }
  return entries;
}

function tarSize(header: Buffer, file: string): number {
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (header[i] ?? 0);
  const stated = Number.parseInt(header.toString('latin1', 148, 156), 8);
  if (stated !== sum) throw notTar(file, 'a header with a wrong checksum');
  // Sizes from 8 GiB are base 256 with the top bit set.
  const isBinary = ((header[124] ?? 0) & 0x80) !== 0;
  const size = isBinary
    ? Number(header.readBigUInt64BE(128))
    : Number.parseInt(header.toString('latin1', 124, 136).replace(/[\0 ]+$/, '') || '0', 8);
  if (!Number.isSafeInteger(size) || size < 0) throw notTar(file, 'an entry without a size');
  return size;
}

function tarName(header: Buffer): string {
  const text = (start: number, end: number): string => {
    const zero = header.indexOf(0, start);
    return header.toString('utf8', start, zero < 0 || zero > end ? end : zero);
  };
  const isUstar = header.toString('latin1', 257, 262) === 'ustar';
  const prefix = isUstar && header.toString('latin1', 257, 263) === 'ustar\0' ? text(345, 500) : '';
  const name = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  return name.replace(/^\.\//, '');
}

const notTar = (file: string, actual: string): Error =>
  fail(R.archive, { expected: `an uncompressed tar archive at ${file}`, actual });

const missing = (name: string, path: string): Error =>
  fail(R.layout, { expected: `${path} in ${name}`, actual: 'no such file' });
