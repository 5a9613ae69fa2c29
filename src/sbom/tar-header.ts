/** One 512-byte tar header (POSIX ustar, GNU, v7) and the records of PAX extended headers. */
import { latin1 } from '#base/bytes';
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
  // A strict decoder costs more than the rest of a header; hardly any name needs one.
  const text = latin1(bytes);
  if (isAscii(bytes)) return text;
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    return text;
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte > 0x7f) return false;
  return true;
}

const USTAR = 0x75737461;

/** Undefined for a block of zeros, which ends the archive. */
export function parseHeader(block: Uint8Array): RawHeader | undefined {
  if (block[0] === 0 && isZero(block)) return undefined;
  checkSum(block);
  const flagByte = block[156] as number;
  const flag = flagByte === 0 ? '0' : String.fromCharCode(flagByte);
  const prefix = block[345] === 0 || !isPosix(block) ? '' : fieldText(block, 345, 155);
  const name = fieldText(block, 0, 100);
  return {
    flag,
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: fieldText(block, 157, 100),
    mode: number(block, 100, 8, 'mode'),
    size: number(block, 124, 12, 'size'),
    sparseExtended: flag === 'S' && block[482] === 1,
  };
}

/** `ustar` as a whole string, and the first digit of its version. */
function isPosix(block: Uint8Array): boolean {
  const word = new DataView(block.buffer, block.byteOffset + 257, 4).getUint32(0);
  return word === USTAR && block[261] === 0x72 && block[262] === 0 && block[263] === 0x30;
}

const zeros = new Uint8Array(64 * 1024);

/** Compared as a whole: a layer may have gigabytes of them behind its end. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (Buffer.compare(part, zeros.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

function checkSum(block: Uint8Array): void {
  // Its own field counts as eight spaces.
  let unsigned = 8 * 0x20;
  let negative = 0;
  for (let i = 0; i < BLOCK; i++) {
    const value = block[i] as number;
    unsigned += value;
    negative += value >> 7;
  }
  for (let i = 148; i < 156; i++) {
    const value = block[i] as number;
    unsigned -= value;
    negative -= value >> 7;
  }
  const stated = number(block, 148, 8, 'checksum');
  if (stated !== unsigned && stated !== unsigned - 256 * negative) {
    throw malformed(`a header with checksum ${unsigned}`, `checksum ${stated}`);
  }
}

function fieldText(block: Uint8Array, at: number, length: number): string {
  return block[at] === 0 ? '' : nameText(cString(block, at, length));
}

function cString(block: Uint8Array, at: number, length: number): Uint8Array {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return block.subarray(at, end);
}

/** Octal text, or GNU base-256 for large values. Negative, oversized and broken values are refused. */
function number(block: Uint8Array, at: number, length: number, what: string): number {
  const first = block[at] as number;
  if ((first & 0x80) !== 0) return base256(block, at, length, what);
  let value = 0;
  let next = at;
  // Twelve octal digits are far below 2^53.
  for (; next < at + length; next++) {
    const digit = (block[next] as number) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  const isPlain =
    next > at && (next === at + length || block[next] === 0 || isPadding(block, next, at + length));
  return isPlain ? value : padded(block, at, length, what);
}

/** Spaces to the end or to a NUL. */
function isPadding(block: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to && block[i] !== 0; i++) if (block[i] !== 0x20) return false;
  return true;
}

/** With white space in front, or empty, or broken. */
function padded(block: Uint8Array, at: number, length: number, what: string): number {
  const digits = latin1(cString(block, at, length)).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw malformed(`an octal ${what}`, JSON.stringify(digits));
  return Number.parseInt(digits, 8);
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
