/**
 * Looks a value up in a bbolt file (go.etcd.io/bbolt, format 2), the database in which containerd keeps the names of its
 * images. Only reading, without its lock: a writer adds pages and changes the meta page last, so what the newest valid
 * meta page leads to is whole. Numbers are little-endian.
 */
import { Buffer } from 'node:buffer';

const PAGE_HEADER = 16;
const MAGIC = 0xed0cdaed;
const VERSION = 2;
const META_BYTES = 56;
const BRANCH = 1;
const LEAF = 2;
const LEAF_ELEMENT = 16;
const BRANCH_ELEMENT = 16;
const BUCKET_HEADER = 16;
const IS_BUCKET = 1;
const DEPTH_MAX = 32;

interface Page {
  readonly flags: number;
  readonly count: number;
  /** From its header on. */
  readonly bytes: Buffer;
}

/** The value of the last key in the bucket the others lead to; undefined where one of them is not there. */
export function boltValue(file: Uint8Array, path: readonly string[]): Uint8Array | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const { root, pageBytes } = newestMeta(bytes);
  const pageAt = (id: bigint): Page => readPage(bytes, Number(id) * pageBytes);
  let page = pageAt(root);
  for (const [i, key] of path.entries()) {
    const found = findKey(page, Buffer.from(key), pageAt, 0);
    if (found === undefined || found.isBucket !== i < path.length - 1) return undefined;
    if (!found.isBucket) return found.value;
    page = bucketPage(found.value, pageAt);
  }
  return undefined;
}

function newestMeta(bytes: Buffer): { readonly root: bigint; readonly pageBytes: number } {
  const first = metaAt(bytes, 0);
  const second = metaAt(bytes, first?.pageBytes ?? 4096);
  const newest = first === undefined || (second?.transaction ?? -1n) > first.transaction ? second : first;
  if (newest === undefined) throw new Error('no bbolt database, or one that is damaged');
  return newest;
}

function metaAt(
  bytes: Buffer,
  page: number,
): { readonly root: bigint; readonly pageBytes: number; readonly transaction: bigint } | undefined {
  const at = page + PAGE_HEADER;
  if (at + META_BYTES + 8 > bytes.length) return undefined;
  const isMeta = bytes.readUInt32LE(at) === MAGIC && bytes.readUInt32LE(at + 4) === VERSION;
  if (!isMeta || fnv64(bytes.subarray(at, at + META_BYTES)) !== bytes.readBigUInt64LE(at + META_BYTES)) {
    return undefined;
  }
  const pageBytes = bytes.readUInt32LE(at + 8);
  if (pageBytes < 1024 || pageBytes > 65_536) return undefined;
  return { pageBytes, root: bytes.readBigUInt64LE(at + 16), transaction: bytes.readBigUInt64LE(at + 48) };
}

function fnv64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

function readPage(bytes: Buffer, at: number): Page {
  if (at < 0 || at + PAGE_HEADER > bytes.length) throw new Error('a page outside of the database');
  const page = bytes.subarray(at);
  return { flags: page.readUInt16LE(8), count: page.readUInt16LE(10), bytes: page };
}

/** A small bucket lies inside the value that names it. */
function bucketPage(value: Buffer, pageAt: (id: bigint) => Page): Page {
  if (value.length < BUCKET_HEADER) throw new Error('a bucket without its header');
  const root = value.readBigUInt64LE(0);
  return root === 0n ? readPage(value, BUCKET_HEADER) : pageAt(root);
}

function findKey(
  { flags, count, bytes }: Page,
  key: Buffer,
  pageAt: (id: bigint) => Page,
  depth: number,
): { readonly value: Buffer; readonly isBucket: boolean } | undefined {
  if (depth > DEPTH_MAX) throw new Error('pages that lead to each other');
  if ((flags & LEAF) !== 0) {
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER + i * LEAF_ELEMENT;
      const from = at + word(bytes, at + 4);
      const middle = from + word(bytes, at + 8);
      if (!slice(bytes, from, middle).equals(key)) continue;
      const value = slice(bytes, middle, middle + word(bytes, at + 12));
      return { value, isBucket: (word(bytes, at) & IS_BUCKET) !== 0 };
    }
    return undefined;
  }
  if ((flags & BRANCH) === 0) throw new Error('a page of another kind where keys should be');
  let child: bigint | undefined;
  for (let i = 0; i < count; i++) {
    const at = PAGE_HEADER + i * BRANCH_ELEMENT;
    const from = at + word(bytes, at);
    if (i > 0 && slice(bytes, from, from + word(bytes, at + 4)).compare(key) > 0) break;
    if (at + BRANCH_ELEMENT > bytes.length) throw new Error('a page that ends early');
    child = bytes.readBigUInt64LE(at + 8);
  }
  return child === undefined ? undefined : findKey(pageAt(child), key, pageAt, depth + 1);
}

function word(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new Error('a page that ends early');
  return bytes.readUInt32LE(at);
}

function slice(bytes: Buffer, from: number, to: number): Buffer {
  if (to > bytes.length) throw new Error('a key or a value outside of its page');
  return bytes.subarray(from, to);
}
