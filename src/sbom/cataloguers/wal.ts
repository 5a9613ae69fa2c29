/**
 * Write-ahead logs of SQLite databases (sqlite.org/fileformat2.html, section 4): pages that SQLite reads in place of
 * those of the database, because nobody has put them there yet.
 */
import { toHex, utf8, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import type { ImageFile, ImageFiles } from '../types.ts';
import type { Problem } from './common.ts';

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** What the name of a database has behind it in the name of its write-ahead log. */
export const WAL_ENDING = '-wal';

/** Frames, bytes of a page, pages of the database; then each page with its number before it. */
const PACKED_HEADER_BYTES = 12;
const NUMBER_BYTES = 4;

/**
 * The pages of a log that count, each as it was last committed: up to the last commit, each with the salts of the log
 * and its place in the running checksum. Without the pages where they are too many to be kept. Undefined for a log
 * without a commit, and for one that is none.
 */
export function packLog(log: Uint8Array): Uint8Array | undefined {
  if (log.length < WAL_HEADER_BYTES) return undefined;
  const view = viewOf(log);
  const magic = view.getUint32(0);
  if (magic >>> 1 !== 0x377f0682 >>> 1) return undefined;
  const sum = walSum(view, (magic & 1) === 0);
  sum.add(0, 24);
  const pageBytes = view.getUint32(8);
  if (!sum.isStatedAt(24) || pageBytes < 512 || pageBytes > 65_536) return undefined;
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const latest = new Map<number, number>();
  const open = new Map<number, number>();
  let frames = 0;
  let pages = 0;
  for (let i = 0; WAL_HEADER_BYTES + (i + 1) * frameBytes <= log.length; i++) {
    const at = WAL_HEADER_BYTES + i * frameBytes;
    const isOfLog = view.getBigUint64(at + 8) === view.getBigUint64(16);
    sum.add(at, 8);
    sum.add(at + FRAME_HEADER_BYTES, pageBytes);
    if (!isOfLog || !sum.isStatedAt(at + 16)) break;
    open.set(view.getUint32(at), at + FRAME_HEADER_BYTES);
    // The size of the database after a commit; 0 in frames that are none.
    const size = view.getUint32(at + 4);
    if (size === 0) continue;
    for (const [number, from] of open) latest.set(number, from);
    open.clear();
    frames = i + 1;
    pages = size;
  }
  if (frames === 0) return undefined;
  const bytes = latest.size * (NUMBER_BYTES + pageBytes);
  const isKept = bytes <= limits.capturedFileBytes;
  const packed = new Uint8Array(PACKED_HEADER_BYTES + (isKept ? bytes : 0));
  const out = viewOf(packed);
  for (const [i, value] of [frames, pageBytes, pages].entries()) out.setUint32(i * NUMBER_BYTES, value);
  if (!isKept) return packed;
  let to = PACKED_HEADER_BYTES;
  for (const [number, from] of [...latest].sort(([a], [b]) => a - b)) {
    out.setUint32(to, number);
    packed.set(log.subarray(from, from + pageBytes), to + NUMBER_BYTES);
    to += NUMBER_BYTES + pageBytes;
  }
  return packed;
}

export const hasPages = (packed: Uint8Array): boolean => packed.length > PACKED_HEADER_BYTES;

/** The database with the pages of its log, as a checkpoint leaves it. Throws where they do not belong together. */
export function withLog(database: Uint8Array, packed: Uint8Array): Uint8Array {
  const log = viewOf(packed);
  const [pageBytes, pages] = [log.getUint32(NUMBER_BYTES), log.getUint32(2 * NUMBER_BYTES)];
  const stated = database.length < 100 ? 0 : viewOf(database).getUint16(16);
  const own = stated === 1 ? 65_536 : stated;
  if (own !== pageBytes) {
    throw new Error(`a write-ahead log with pages of ${pageBytes} bytes; those of the database have ${own}`);
  }
  const size = pages * pageBytes;
  if (size > limits.extractedFileBytes) {
    throw new Error(`${size} bytes with its write-ahead log; at most ${limits.extractedFileBytes} are read`);
  }
  const out = new Uint8Array(size);
  out.set(database.subarray(0, size));
  for (let at = PACKED_HEADER_BYTES; at < packed.length; at += NUMBER_BYTES + pageBytes) {
    const to = (log.getUint32(at) - 1) * pageBytes;
    // Pages that a later commit cut off count no more.
    if (to < 0 || to + pageBytes > size) continue;
    out.set(packed.subarray(at + NUMBER_BYTES, at + NUMBER_BYTES + pageBytes), to);
  }
  return out;
}

/** The finding of a database that says which log it was read with. */
export const LOG_FINDING = 'log';

export const logMark = (packed: Uint8Array): Uint8Array => utf8(toHex(sha256(packed)));

/** Whether what was found in the database was found with this log. */
export function isReadWith({ findings }: ImageFile, packed: Uint8Array): boolean {
  const mark = findings?.get(LOG_FINDING);
  return mark !== undefined && utf8Text(mark) === utf8Text(logMark(packed));
}

/** Says of a log beside its database that it was not read; SQLite itself drops one without a database. */
export function* unreadLog(image: ImageFiles, path: string, packed: Uint8Array): Generator<Problem> {
  const database = image.find(path.slice(0, -WAL_ENDING.length));
  if (database === undefined || isReadWith(database, packed)) return;
  const frames = viewOf(packed).getUint32(0);
  const problem = `${frames} pages committed to a write-ahead log, which was not read: the last changes are missing`;
  yield { problem };
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface WalSum {
  readonly add: (at: number, length: number) => void;
  readonly isStatedAt: (at: number) => boolean;
}

function walSum(view: DataView, isLittle: boolean): WalSum {
  let [first, second] = [0, 0];
  const add = (at: number, length: number): void => {
    for (let i = at; i < at + length; i += 8) {
      first = (first + view.getUint32(i, isLittle) + second) >>> 0;
      second = (second + view.getUint32(i + 4, isLittle) + first) >>> 0;
    }
  };
  return { add, isStatedAt: (at) => view.getUint32(at) === first && view.getUint32(at + 4) === second };
}
