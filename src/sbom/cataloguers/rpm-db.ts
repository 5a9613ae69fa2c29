/**
 * The three forms of an rpm database (rpm lib/backend): SQLite, ndb (`Packages.db`) and the hash tables of
 * Berkeley DB (`Packages`). Each yields the header blobs it holds.
 */
import { type SqliteTable, sqliteRows } from './sqlite.ts';

const ascii = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.max(0, Math.min(length, bytes.length - at))).toString(
    'latin1',
  );

/** Every header in the database. Throws with the reason when the form is none of the three, or damaged. */
export function rpmBlobs(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  let held = 0;
  // Pages that lead to each other, or many entries for one value, would give without end.
  for (const blob of blobsIn(bytes)) {
    held += Math.max(blob.length, 1);
    if (held > bytes.length) throw new Error('headers that are longer together than the database');
    found.push(blob);
  }
  return found;
}

function blobsIn(bytes: Uint8Array): Iterable<Uint8Array> {
  if (ascii(bytes, 0, 15) === 'SQLite format 3') return sqliteBlobs(bytes);
  if (ascii(bytes, 0, 4) === 'RpmP') return ndbBlobs(bytes);
  // In the byte order of the machine that wrote it: s390x writes the other one.
  for (const isLittle of [true, false]) {
    const isBdb = bytes.length >= 512 && viewOf(bytes).getUint32(12, isLittle) === 0x00061561;
    if (isBdb) return bdbBlobs(bytes, isLittle);
  }
  throw new Error('none of the known forms of an rpm database');
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const packagesTable: SqliteTable = {
  table: 'Packages',
  plain: /^CREATE TABLE\s+\S+\s*\(\s*hnum INTEGER PRIMARY KEY\b[\w\s,']*\)$/i,
  columns: 'blob',
  orderBy: 'hnum',
};

function* sqliteBlobs(bytes: Uint8Array): Generator<Uint8Array> {
  for (const { blob } of sqliteRows(bytes, packagesTable)) if (blob instanceof Uint8Array) yield blob;
}

const NDB_PAGE = 4096;
const NDB_SLOT = 16;
const NDB_BLOCK = 16;

function* ndbBlobs(bytes: Uint8Array): Generator<Uint8Array> {
  const view = viewOf(bytes);
  const pages = bytes.length < 32 ? 0 : view.getUint32(12, true);
  const end = pages * NDB_PAGE;
  if (pages === 0 || end > bytes.length) throw new Error('an ndb database whose slots end early');
  // The header takes the place of the first two slots.
  for (let at = 2 * NDB_SLOT; at < end; at += NDB_SLOT) {
    if (ascii(bytes, at, 4) !== 'Slot') throw new Error(`no slot at byte ${at}`);
    const number = view.getUint32(at + 4, true);
    if (number === 0) continue;
    const blob = view.getUint32(at + 8, true) * NDB_BLOCK;
    const isThere = blob + NDB_BLOCK <= bytes.length && ascii(bytes, blob, 4) === 'BlbS';
    if (!isThere || view.getUint32(blob + 4, true) !== number) {
      throw new Error(`no blob of package ${number} at byte ${blob}`);
    }
    const length = view.getUint32(blob + 12, true);
    if (blob + NDB_BLOCK + length > bytes.length) throw new Error(`package ${number} ends early`);
    yield bytes.subarray(blob + NDB_BLOCK, blob + NDB_BLOCK + length);
  }
}

const BDB_PAGE_HEADER = 26;
const BDB_KEYS = 88;
const bdbHashPages = new Set([2, 13]);
const BDB_OVERFLOW = 7;
const BDB_OFF_PAGE = 3;

function* bdbBlobs(bytes: Uint8Array, isLittle: boolean): Generator<Uint8Array> {
  const view = viewOf(bytes);
  const pageBytes = view.getUint32(20, isLittle);
  const isPower = pageBytes >= 512 && pageBytes <= 65_536 && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPower || bytes.length < pageBytes) throw new Error(`a Berkeley DB with pages of ${pageBytes} bytes`);
  let found = 0;
  for (let page = pageBytes; page + pageBytes <= bytes.length; page += pageBytes) {
    if (!bdbHashPages.has(bytes[page + 25] as number)) continue;
    const entries = view.getUint16(page + 20, isLittle);
    if (BDB_PAGE_HEADER + entries * 2 > pageBytes) throw new Error(`a page with ${entries} entries`);
    // Keys and values take turns; the values are kept on pages of their own.
    for (let i = 1; i < entries; i += 2) {
      const at = page + view.getUint16(page + BDB_PAGE_HEADER + i * 2, isLittle);
      if (at >= page + pageBytes) throw new Error(`an entry of page ${page / pageBytes} lies outside it`);
      if (bytes[at] !== BDB_OFF_PAGE) continue;
      if (at + 12 > page + pageBytes) throw new Error(`an entry of page ${page / pageBytes} ends early`);
      const [first, length] = [view.getUint32(at + 4, isLittle), view.getUint32(at + 8, isLittle)];
      yield overflow(bytes, first, length, pageBytes, isLittle);
      found++;
    }
  }
  // The first page counts the keys: one a package, and one that holds the last number given out.
  const keys = view.getUint32(BDB_KEYS, isLittle);
  if (found + 1 < keys) throw new Error(`${found} packages where the database counts ${keys - 1}`);
}

function overflow(
  bytes: Uint8Array,
  first: number,
  length: number,
  pageBytes: number,
  isLittle: boolean,
): Uint8Array {
  const view = viewOf(bytes);
  if (length > bytes.length) throw new Error('a value longer than the database');
  const out = new Uint8Array(length);
  let filled = 0;
  for (let number = first; filled < length; ) {
    const page = number * pageBytes;
    if (number === 0 || page + pageBytes > bytes.length || bytes[page + 25] !== BDB_OVERFLOW) {
      throw new Error(`page ${number} is no part of a value`);
    }
    const room = pageBytes - BDB_PAGE_HEADER;
    const used = Math.min(view.getUint16(page + 22, isLittle), room, length - filled);
    if (used === 0) throw new Error(`page ${number} is empty`);
    out.set(bytes.subarray(page + BDB_PAGE_HEADER, page + BDB_PAGE_HEADER + used), filled);
    filled += used;
    number = view.getUint32(page + 16, isLittle);
  }
  return out;
}
