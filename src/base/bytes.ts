/** Bytes ↔ text, strict, and fixed-width integers. */
import { fail } from './reason.ts';
import { R } from './reasons.ts';

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function utf8(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8'); // several times faster than a TextEncoder
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** UTF-8 to text; throws WB-101 on invalid sequences. A byte order mark is kept. */
export function utf8Text(bytes: Uint8Array): string {
  // The quick decoder writes U+FFFD for what is wrong; a text without one was right.
  const text = view(bytes).toString('utf8');
  if (!text.includes('\ufffd')) return text;
  try {
    return strictDecoder.decode(bytes);
  } catch {
    throw fail(R.utf8, { expected: 'valid UTF-8', actual: 'an invalid byte sequence' });
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Each byte as the character of its number, so two texts are equal exactly when the bytes are. */
export const latin1 = (bytes: Uint8Array): string => view(bytes).toString('latin1');

export const toHex = (bytes: Uint8Array): string => view(bytes).toString('hex');

/** Lower-case hex only; throws WB-102 otherwise. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw fail(R.hex, { expected: 'an even number of lower-case hex digits', actual: JSON.stringify(text) });
  }
  return new Uint8Array(Buffer.from(text, 'hex'));
}

export const toBase64 = (bytes: Uint8Array): string => view(bytes).toString('base64');
export const toBase64Url = (bytes: Uint8Array): string => view(bytes).toString('base64url');

/** Canonical standard base64 with padding (RFC 4648 §3.5); throws WB-103 on anything else. */
export function fromBase64(text: string): Uint8Array {
  const bytes = tryBase64(text);
  if (bytes !== undefined) return bytes;
  throw fail(R.base64, { expected: 'canonical base64', actual: JSON.stringify(text.slice(0, 80)) });
}

/** `fromBase64` for callers with a message of their own: undefined for anything that is not canonical. */
export function tryBase64(text: string): Uint8Array | undefined {
  if (text.length <= SHORT_BASE64) return decodeShort(text);
  const bytes = Buffer.from(text, 'base64');
  // Re-encoding catches whitespace, URL alphabet, missing padding and non-zero trailing bits at once.
  if (bytes.toString('base64') !== text) return undefined;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Up to here a loop beats two calls into the engine: V8 keeps arrays of 64 bytes in its own heap. Hashes are shorter. */
const SHORT_BASE64 = 84;

/** Value of each character, -1 outside the alphabet; indexed by codes below 128. */
const sextets = new Int8Array(128).fill(-1);
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
for (let value = 0; value < alphabet.length; value++) sextets[alphabet.charCodeAt(value)] = value;

function decodeShort(text: string): Uint8Array | undefined {
  const { length } = text;
  if (length % 4 !== 0) return undefined;
  if (length === 0) return new Uint8Array(0);
  const padding = text.charCodeAt(length - 1) !== PAD ? 0 : text.charCodeAt(length - 2) !== PAD ? 1 : 2;
  const out = new Uint8Array((length / 4) * 3 - padding);
  const whole = padding === 0 ? length : length - 4;
  let at = 0;
  let from = 0;
  for (; from < whole; from += 4) {
    const bits =
      (sextet(text, from) << 18) |
      (sextet(text, from + 1) << 12) |
      (sextet(text, from + 2) << 6) |
      sextet(text, from + 3);
    if (bits < 0) return undefined;
    out[at++] = bits >> 16;
    out[at++] = bits >> 8;
    out[at++] = bits;
  }
  if (padding === 0) return out;
  const third = padding === 1 ? sextet(text, from + 2) << 6 : 0;
  const bits = (sextet(text, from) << 18) | (sextet(text, from + 1) << 12) | third;
  // What the padding leaves over must be zero, or several texts would mean the same bytes.
  if (bits < 0 || (bits & (padding === 1 ? 0xff : 0xffff)) !== 0) return undefined;
  out[at++] = bits >> 16;
  if (padding === 1) out[at] = bits >> 8;
  return out;
}

const PAD = 0x3d;

/** The value of one character; negative when it is outside the alphabet, and so is any sum of bits it is part of. */
function sextet(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (sextets[code] as number) : -1;
}

export function fromBase64Url(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) {
    throw fail(R.base64, { expected: 'canonical base64url', actual: JSON.stringify(text.slice(0, 80)) });
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Big-endian unsigned integer of `width` bytes (1–8). `value` must be a safe integer. */
export function uintBytes(value: number, width: number): Uint8Array {
  const out = new Uint8Array(width);
  let rest = value;
  for (let i = width - 1; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

/** Reads a big-endian unsigned integer of `width` bytes; the caller has checked the length. */
export function readUint(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}
