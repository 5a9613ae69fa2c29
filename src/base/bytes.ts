/** Bytes ↔ text, strict, and fixed-width integers. */
import { fail } from './reason.ts';
import { R } from './reasons.ts';

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const utf8 = (text: string): Uint8Array => encoder.encode(text);

/** UTF-8 to text; throws WB-101 on invalid sequences. A byte order mark is kept. */
export function utf8Text(bytes: Uint8Array): string {
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
  const bytes = Buffer.from(text, 'base64');
  // Re-encoding catches whitespace, URL alphabet, missing padding and non-zero trailing bits at once.
  if (bytes.toString('base64') !== text) {
    throw fail(R.base64, { expected: 'canonical base64', actual: JSON.stringify(text.slice(0, 80)) });
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
