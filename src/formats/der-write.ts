/** Writing DER: each function returns one encoded element; parts are concatenated in the order given. */
import { concat, utf8 } from '#base/bytes';

/** Octets that say a length: one below 128, else one that counts those that follow. */
function lengthOctets(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x100) return 2;
  if (length < 0x10000) return 3;
  return length < 0x1000000 ? 4 : 5;
}

function element(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const octets = lengthOctets(length);
  const out = blank(1 + octets + length);
  out[0] = tag;
  if (octets === 1) out[1] = length;
  else {
    out[1] = 0x80 | (octets - 1);
    let rest = length;
    for (let at = octets; at > 1; at--) {
      out[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
  }
  let at = 1 + octets;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** V8 keeps arrays of this length in its own heap; longer ones cost a tenth when they come out of Node's pool. */
const HEAP_BYTES_MAX = 64;

/** Bytes that the caller writes, every one. */
function blank(length: number): Uint8Array {
  if (length <= HEAP_BYTES_MAX) return new Uint8Array(length);
  const pooled = Buffer.allocUnsafe(length);
  return new Uint8Array(pooled.buffer, pooled.byteOffset, length);
}

function unsigned(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 0x100)
    return Uint8Array.of(value);
  let rest = BigInt(value);
  if (rest < 0n) throw new RangeError('der.int takes non-negative values');
  const bytes: number[] = [];
  do {
    bytes.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

/** Content octets of a non-negative INTEGER: minimal, with a zero octet before a set top bit. */
function integerBody(magnitude: Uint8Array): Uint8Array {
  let at = 0;
  while (at < magnitude.length - 1 && magnitude[at] === 0) at++;
  const body = magnitude.length === 0 ? Uint8Array.of(0) : magnitude.subarray(at);
  return (body[0] as number) >= 0x80 ? concat(Uint8Array.of(0), body) : body;
}

function arcBytes(arc: number): number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift((rest % 128) | 0x80);
  }
  return bytes;
}

/** Identifiers written before: documents repeat the same few dozen. */
const oidElements = new Map<string, Uint8Array>();
const OID_ELEMENTS_MAX = 512;

function oidElement(dotted: string): Uint8Array {
  const known = oidElements.get(dotted);
  if (known !== undefined) return known;
  const made = element(0x06, [oidBody(dotted)]);
  if (oidElements.size < OID_ELEMENTS_MAX) oidElements.set(dotted, made);
  return made;
}

function oidBody(dotted: string): Uint8Array {
  const arcs = dotted.split('.').map(Number);
  const [top, second, ...rest] = arcs;
  if (
    top === undefined ||
    second === undefined ||
    !arcs.every((arc) => Number.isSafeInteger(arc) && arc >= 0)
  ) {
    throw new RangeError(`not an object identifier: ${dotted}`);
  }
  return Uint8Array.from([top * 40 + second, ...rest].flatMap(arcBytes));
}

/** Years of 0 to 9999, in two or four digits. */
function timeBody(ms: number, yearDigits: 2 | 4): string {
  const text = new Date(ms).toISOString();
  const part = (from: number): string => text.slice(from, from + 2);
  const date = `${text.slice(4 - yearDigits, 4)}${part(5)}${part(8)}`;
  return `${date}${part(11)}${part(14)}${part(17)}Z`;
}

export const der = {
  seq: (...parts: readonly Uint8Array[]): Uint8Array => element(0x30, parts),
  /** SET OF: elements are put in DER order (X.690 §11.6). */
  set: (...parts: readonly Uint8Array[]): Uint8Array =>
    element(0x31, parts.length < 2 ? parts : parts.toSorted((a, b) => Buffer.compare(a, b))),
  /** A non-negative INTEGER: a number, or its magnitude as big-endian bytes. */
  int: (value: number | bigint | Uint8Array): Uint8Array =>
    element(0x02, [integerBody(value instanceof Uint8Array ? value : unsigned(value))]),
  /** An INTEGER from its content octets, sign included. */
  rawInt: (content: Uint8Array): Uint8Array => element(0x02, [content]),
  enumerated: (value: number): Uint8Array => element(0x0a, [integerBody(unsigned(value))]),
  bool: (value: boolean): Uint8Array => Uint8Array.of(0x01, 1, value ? 0xff : 0),
  nul: (): Uint8Array => Uint8Array.of(0x05, 0),
  /** The bytes are shared by all who ask for this identifier. */
  oid: oidElement,
  octets: (...parts: readonly Uint8Array[]): Uint8Array => element(0x04, parts),
  bits: (bytes: Uint8Array, unused = 0): Uint8Array => element(0x03, [Uint8Array.of(unused), bytes]),
  /** A named BIT STRING (X.690 §11.2.2): the set bit numbers, trailing zero bits dropped. */
  namedBits: (bits: readonly number[]): Uint8Array => {
    if (bits.length === 0) return Uint8Array.of(0x03, 1, 0);
    const highest = Math.max(...bits);
    const bytes = new Uint8Array((highest >> 3) + 1);
    for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] as number) | (0x80 >> (bit & 7));
    return element(0x03, [Uint8Array.of(7 - (highest & 7)), bytes]);
  },
  utf8: (text: string): Uint8Array => element(0x0c, [utf8(text)]),
  printable: (text: string): Uint8Array => element(0x13, [utf8(text)]),
  ia5: (text: string): Uint8Array => element(0x16, [utf8(text)]),
  /** UTCTime before 2050, GeneralizedTime from then on (RFC 5280 §4.1.2.5); milliseconds are dropped. */
  utcOrGeneralTime: (ms: number): Uint8Array => {
    const year = new Date(ms).getUTCFullYear();
    if (year >= 1950 && year < 2050) return element(0x17, [utf8(timeBody(ms, 2))]);
    return element(0x18, [utf8(timeBody(ms, 4))]);
  },
  /** GeneralizedTime with seconds. */
  generalTime: (ms: number): Uint8Array => element(0x18, [utf8(timeBody(ms, 4))]),
  /** `[n] EXPLICIT`. */
  explicit: (n: number, ...parts: readonly Uint8Array[]): Uint8Array => element(0xa0 | n, parts),
  /** `[n] IMPLICIT`: the encoded element with its identifier replaced. */
  implicit: (n: number, encoded: Uint8Array): Uint8Array => {
    const out = encoded.slice();
    out[0] = 0x80 | ((encoded[0] as number) & 0x20) | n;
    return out;
  },
} as const;
