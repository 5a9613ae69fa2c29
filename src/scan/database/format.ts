/**
 * The file of an advisory database.
 *
 *     "waybill-adv\n" | u32 version | u32 header length | header (JSON) | sections
 *
 * Sections: `keys` and `ids` map FNV-1a hashes of (ecosystem, name) and of ids to numbers of documents; `packages`
 * and `advisories` list blocks of documents (a hash of the plain bytes, place and length of the deflated ones,
 * number of the first document); `data` holds those. Deflate, because a small block costs a third of what starting
 * zstd does. The digest of a database covers the indexes and the hashes of
 * all blocks, so what is read lazily is still checked against it. Numbers are little-endian.
 */
import type { Digest } from '#base/brand';
import { concat, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { digestFromBytes } from '#base/digest';

export const MAGIC: Uint8Array = utf8('waybill-adv\n');
/** Magic, version, header length. */
export const PREAMBLE_BYTES = 20;
/** Plain bytes of a block: one document more is added while it is smaller. */
export const BLOCK_BYTES = 4 * 1024;
/** Hash, place, length, first document. */
export const BLOCK_ROW_BYTES = 44;

export const sectionNames = ['keys', 'ids', 'packages', 'advisories', 'data'] as const;
export type SectionName = (typeof sectionNames)[number];

export interface Section {
  readonly offset: number;
  readonly length: number;
}

/** 32 bits of FNV-1a over UTF-16 code units; hits are compared with the document, so collisions cost, not lie. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

export const packageKey = (ecosystem: string, name: string): string => `${ecosystem}\n${name}`;

/** The number `n` of documents, where each ends, the documents. */
export function blockOf(documents: readonly Uint8Array[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(4 + 4 * documents.length));
  table.setUint32(0, documents.length, true);
  let end = 0;
  documents.forEach((one, i) => {
    end += one.length;
    table.setUint32(4 + 4 * i, end, true);
  });
  return concat(new Uint8Array(table.buffer), ...documents);
}

/** The bytes of document `at` of a block; undefined where the block has no such document. */
export function documentOf(block: Uint8Array, at: number): Uint8Array | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  if (block.length < 4) return undefined;
  const count = view.getUint32(0, true);
  const base = 4 + 4 * count;
  if (at >= count || base > block.length) return undefined;
  const start = at === 0 ? 0 : view.getUint32(4 * at, true);
  const end = view.getUint32(4 + 4 * at, true);
  return start > end || base + end > block.length ? undefined : block.subarray(base + start, base + end);
}

/** Over the hashes of the indexes and of every block. */
export function contentDigest(parts: {
  readonly keysHash: Uint8Array;
  readonly idsHash: Uint8Array;
  readonly blockHashes: readonly Uint8Array[];
}): Digest {
  const all = concat(utf8('waybill-adv 2\n'), parts.keysHash, parts.idsHash, ...parts.blockHashes);
  return digestFromBytes('sha256', sha256(all));
}
