/** One 512-byte tar header (POSIX ustar, GNU, v7) and the records of PAX extended headers. */
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { R } from './reasons.ts';

export const BLOCK = 512;

export type EntryKind = 'file' | 'hardlink' | 'symlink' | 'directory' | 'special';

export interface RawHeader {
  /** The type flag as one character; NUL is `0`. */
  readonly flag: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly size: number;
  /** GNU sparse: more map blocks follow before the data. */
  readonly sparseExtended: boolean;
}

export function malformed(expected: string, actual: string): WaybillError {
  return fail(R.layerTar, { expected, actual });
}

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Names are bytes: UTF-8 where they are valid, else each byte as one character. */
export function nameText(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('latin1');
  }
}

/** Undefined for a block of zeros, which ends the archive. */
export function parseHeader(block: Uint8Array): RawHeader | undefined {
  if (isZero(block)) return undefined;
  checkSum(block);
  const flagByte = block[156] as number;
  const flag = flagByte === 0 ? '0' : String.fromCharCode(flagByte);
  const isPosix = text(block, 257, 6) === 'ustar' && block[263] === 0x30;
  const prefix = isPosix ? nameText(cString(block, 345, 155)) : '';
  const name = nameText(cString(block, 0, 100));
  return {
    flag,
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: nameText(cString(block, 157, 100)),
    mode: number(block, 100, 8, 'mode'),
    size: number(block, 124, 12, 'size'),
    sparseExtended: flag === 'S' && block[482] === 1,
  };
}

function isZero(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

function checkSum(block: Uint8Array): void {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    const value = i >= 148 && i < 156 ? 0x20 : (block[i] as number);
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const stated = number(block, 148, 8, 'checksum');
  if (stated !== unsigned && stated !== signed) {
    throw malformed(`a header with checksum ${unsigned}`, `checksum ${stated}`);
  }
}

function cString(block: Uint8Array, at: number, length: number): Uint8Array {
  const end = block.indexOf(0, at);
  return block.subarray(at, end < 0 || end > at + length ? at + length : end);
}

const text = (block: Uint8Array, at: number, length: number): string =>
  Buffer.from(cString(block, at, length)).toString('latin1');

/** Octal text, or GNU base-256 for large values. Negative, oversized and broken values are refused. */
function number(block: Uint8Array, at: number, length: number, what: string): number {
  const first = block[at] as number;
  if ((first & 0x80) !== 0) return base256(block, at, length, what);
  const digits = text(block, at, length).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw malformed(`an octal ${what}`, JSON.stringify(digits));
  const value = Number.parseInt(digits, 8);
  if (!Number.isSafeInteger(value)) throw malformed(`a ${what} below 2^53`, digits);
  return value;
}

function base256(block: Uint8Array, at: number, length: number, what: string): number {
  if (((block[at] as number) & 0x40) !== 0) throw malformed(`a ${what} of at least 0`, 'a negative value');
  let value = (block[at] as number) & 0x3f;
  for (let i = 1; i < length; i++) {
    value = value * 256 + (block[at + i] as number);
    if (!Number.isSafeInteger(value)) throw malformed(`a ${what} below 2^53`, 'a larger value');
  }
  return value;
}

/** The records `length key=value\n` of a PAX header; a later record of a key replaces an earlier one. */
export function parsePax(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : Buffer.from(bytes.subarray(at, space)).toString('latin1');
    const length = /^[1-9][0-9]{0,7}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > bytes.length || bytes[end - 1] !== 0x0a) {
      throw malformed('PAX records of the form "length key=value"', 'a broken record');
    }
    const record = bytes.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    if (equals <= 0) throw malformed('PAX records of the form "length key=value"', 'a record without a key');
    records.set(nameText(record.subarray(0, equals)), nameText(record.subarray(equals + 1)));
    at = end;
  }
  return records;
}

/** A decimal PAX size. */
export function paxSize(value: string): number {
  const size = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw malformed('a PAX size below 2^53', JSON.stringify(value));
  return size;
}

/** Refuses names no file system takes. */
export function checkName(name: string): string {
  if (name.includes('\0')) throw malformed('a name without NUL', 'a name with NUL');
  if (Buffer.byteLength(name) > limits.pathBytes) {
    throw fail(R.layerLimit, {
      expected: `names of at most ${limits.pathBytes} bytes`,
      actual: `${Buffer.byteLength(name)} bytes`,
    });
  }
  return name;
}

export function kindOf(flag: string): EntryKind {
  switch (flag) {
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '5':
      return 'directory';
    case '3':
    case '4':
    case '6':
      return 'special';
    default:
      return 'file';
  }
}
