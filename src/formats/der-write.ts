/** Writing DER: each function returns one encoded element; parts are concatenated in the order given. */
import { concat, utf8 } from '#base/bytes';

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

function element(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  return concat(Uint8Array.from([tag, ...lengthOctets(length)]), ...parts);
}

function unsigned(value: number | bigint): Uint8Array {
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

function timeBody(ms: number, yearDigits: 2 | 4): string {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return `${text.slice(4 - yearDigits)}Z`;
}

export const der = {
  seq: (...parts: readonly Uint8Array[]): Uint8Array => element(0x30, parts),
  /** SET OF: elements are put in DER order (X.690 §11.6). */
  set: (...parts: readonly Uint8Array[]): Uint8Array =>
    element(
      0x31,
      parts.toSorted((a, b) => Buffer.compare(a, b)),
    ),
  /** A non-negative INTEGER: a number, or its magnitude as big-endian bytes. */
  int: (value: number | bigint | Uint8Array): Uint8Array =>
    element(0x02, [integerBody(value instanceof Uint8Array ? value : unsigned(value))]),
  /** An INTEGER from its content octets, sign included. */
  rawInt: (content: Uint8Array): Uint8Array => element(0x02, [content]),
  enumerated: (value: number): Uint8Array => element(0x0a, [integerBody(unsigned(value))]),
  bool: (value: boolean): Uint8Array => Uint8Array.of(0x01, 1, value ? 0xff : 0),
  nul: (): Uint8Array => Uint8Array.of(0x05, 0),
  oid: (dotted: string): Uint8Array => element(0x06, [oidBody(dotted)]),
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
