/** Bytes of staged batches and of the record tiles beside the entry tiles. */
import { concat, readUint, uintBytes } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { decodeEntryBundle, encodeEntryBundle, tileIndexPath } from '#formats/tiles';
import { R } from './reasons.ts';
import type { LogRecord } from './types.ts';

const TIME_BYTES = 8;
const COUNT_BYTES = 4;

/** Most bytes that may stand beside an entry: they share the entry bundle's 16-bit length. */
export const EXTRA_BYTES_MAX = limits.logEntryBytes - TIME_BYTES;

/** Path of the tile with the times and extra bytes of entries [256·index, 256·index + 256). */
export const recordTilePath = (index: number): string => `tile/records/${tileIndexPath(index)}`;

function side({ time, extra }: LogRecord): Uint8Array {
  const bytes = uintBytes(time, TIME_BYTES);
  return extra.length === 0 ? bytes : concat(bytes, extra);
}

/** A record tile: entry bundle framing over `u64 milliseconds || extra`. */
export const encodeRecordTile = (records: readonly LogRecord[]): Uint8Array =>
  encodeEntryBundle(records.map(side));

/** Joins an entry tile and its record tile of `count` records. Throws WB-119, WB-410. */
export function decodeTiles(entryTile: Uint8Array, recordTile: Uint8Array, count: number): LogRecord[] {
  const entries = unwrap(decodeEntryBundle(entryTile, count));
  const sides = unwrap(decodeEntryBundle(recordTile, count));
  return entries.map((entry, i) => joined(entry, sides[i] as Uint8Array));
}

/** A staged batch: `u32 count`, then entry and side of each record in turn. */
export function encodeBatch(records: readonly LogRecord[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const record of records) parts.push(record.entry, side(record));
  return concat(uintBytes(records.length, COUNT_BYTES), encodeEntryBundle(parts));
}

export function decodeBatch(payload: Uint8Array): LogRecord[] {
  const parts = partsOf(payload);
  return entriesIn(parts).map((entry, i) => joined(entry, parts[2 * i + 1] as Uint8Array));
}

/** The entries of a staged batch without what stands beside them. */
export const decodeBatchEntries = (payload: Uint8Array): Uint8Array[] => entriesIn(partsOf(payload));

function partsOf(payload: Uint8Array): Uint8Array[] {
  if (payload.length < COUNT_BYTES) throw broken(payload.length);
  const count = readUint(payload, 0, COUNT_BYTES);
  return unwrap(decodeEntryBundle(payload.subarray(COUNT_BYTES), 2 * count));
}

const entriesIn = (parts: readonly Uint8Array[]): Uint8Array[] => parts.filter((_, i) => i % 2 === 0);

function joined(entry: Uint8Array, sideBytes: Uint8Array): LogRecord {
  if (sideBytes.length < TIME_BYTES) throw broken(sideBytes.length);
  return { entry, time: readUint(sideBytes, 0, TIME_BYTES), extra: sideBytes.subarray(TIME_BYTES) };
}

function broken(length: number) {
  return fail(R.corrupt, { expected: 'a record with its time', actual: `${length} bytes` });
}
