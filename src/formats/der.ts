/**
 * DER, strictly (X.690 §8–11): definite minimal lengths, minimal integers and object identifiers, exact
 * booleans, nothing after the end, bounded depth. The whole tree is checked once by a walk that allocates
 * nothing; afterwards nodes are cheap windows into the original bytes, which are never re-encoded.
 *
 * Not checked: the order inside SET OF, which real timestamp tokens do not keep.
 */
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { attempt, type Result } from '#base/result';
import { R } from './crypto-reasons.ts';

export { der } from './der-write.ts';

/** Identifier octets of the universal types in use. */
export const tags = {
  bool: 0x01,
  int: 0x02,
  bits: 0x03,
  octets: 0x04,
  nul: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8: 0x0c,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmp: 0x1e,
  seq: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of a context-specific element; constructed unless said. */
export const contextTag = (n: number, constructed = true): number => (constructed ? 0xa0 : 0x80) | n;

/** One element: a window into the bytes it was read from. */
export class DerNode {
  /** The identifier octet: class, constructed bit and number (always below 31). */
  readonly tag: number;
  readonly source: Uint8Array;
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;

  constructor(source: Uint8Array, start: number, bodyStart: number, end: number) {
    this.tag = source[start] as number;
    this.source = source;
    this.start = start;
    this.bodyStart = bodyStart;
    this.end = end;
  }

  /** Identifier and length octets. */
  get header(): Uint8Array {
    return this.source.subarray(this.start, this.bodyStart);
  }

  get body(): Uint8Array {
    return this.source.subarray(this.bodyStart, this.end);
  }

  /** The element as it stood in the input, header included. */
  get raw(): Uint8Array {
    return this.source.subarray(this.start, this.end);
  }

  get length(): number {
    return this.end - this.bodyStart;
  }

  /** The elements inside a constructed element; none for a primitive one. */
  children(): DerNode[] {
    const list: DerNode[] = [];
    if ((this.tag & 0x20) === 0) return list;
    for (let at = this.bodyStart; at < this.end; ) {
      const child = nodeAt(this.source, at);
      list.push(child);
      at = child.end;
    }
    return list;
  }

  /** A cursor over the elements inside. */
  cursor(what: string): DerCursor {
    return new DerCursor(this, what);
  }
}

/** Walks the elements of one constructed node in order. `what` names the structure in refusals. */
class DerCursor {
  readonly #source: Uint8Array;
  readonly #end: number;
  readonly #what: string;
  #at: number;

  constructor(node: DerNode, what: string) {
    this.#source = node.source;
    this.#at = (node.tag & 0x20) === 0 ? node.end : node.bodyStart;
    this.#end = node.end;
    this.#what = what;
  }

  /** The identifier octet of the next element, -1 at the end. */
  peek(): number {
    return this.#at < this.#end ? (this.#source[this.#at] as number) : -1;
  }

  /** The next element whatever it is; throws WB-122 at the end. */
  any(field: string): DerNode {
    if (this.#at >= this.#end) throw unexpected(this.#what, `element ${field}`, 'the end');
    const node = nodeAt(this.#source, this.#at);
    this.#at = node.end;
    return node;
  }

  /** The next element, which must have this tag; throws WB-122 otherwise. */
  take(tag: number, field: string): DerNode {
    if (this.peek() !== tag) throw unexpected(this.#what, `${field} ${tagText(tag)}`, tagText(this.peek()));
    return this.any(field);
  }

  /** The next element if it has this tag. */
  maybe(tag: number): DerNode | undefined {
    return this.peek() === tag ? this.any('') : undefined;
  }

  /** Throws WB-122 unless every element was taken. */
  finish(): void {
    if (this.#at < this.#end) throw unexpected(this.#what, 'no more elements', tagText(this.peek()));
  }
}

function unexpected(what: string, expected: string, actual: string): WaybillError {
  return fail(R.derTag, { expected: `${what}: ${expected}`, actual });
}

const tagText = (tag: number): string => (tag < 0 ? 'the end' : `tag 0x${tag.toString(16).padStart(2, '0')}`);

/** Parses exactly one element and everything inside it. Refusals: WB-121, WB-123. */
export function parseDer(bytes: Uint8Array): Result<DerNode> {
  return attempt(() => readDer(bytes));
}

/** `parseDer` for parsers of this room: throws `WaybillError`. */
export function readDer(bytes: Uint8Array): DerNode {
  const end = checkElement(bytes, 0, bytes.length, 1);
  if (end !== bytes.length) throw malformed('nothing after the element', `${bytes.length - end} more bytes`);
  return nodeAt(bytes, 0);
}

/** `readDer` where the element must be a SEQUENCE; throws WB-122 for another one. `what` names it. */
export function readSequence(bytes: Uint8Array, what: string): DerNode {
  const node = readDer(bytes);
  if (node.tag !== tags.seq) throw unexpected(what, tagText(tags.seq), tagText(node.tag));
  return node;
}

/** An element inside a tree that was already checked. */
function nodeAt(source: Uint8Array, start: number): DerNode {
  const first = source[start + 1] as number;
  if (first < 0x80) return new DerNode(source, start, start + 2, start + 2 + first);
  const bodyStart = start + 2 + (first & 0x7f);
  let length = 0;
  for (let at = start + 2; at < bodyStart; at++) length = length * 256 + (source[at] as number);
  return new DerNode(source, start, bodyStart, bodyStart + length);
}

/** WB-121. */
export function malformed(expected: string, actual: string): WaybillError {
  return fail(R.der, { expected, actual });
}

/** Checks one element and its contents; returns where it ends. */
function checkElement(bytes: Uint8Array, start: number, limit: number, depth: number): number {
  if (depth > limits.derDepth) {
    throw fail(R.derDepth, { expected: `at most ${limits.derDepth} levels`, actual: 'more' });
  }
  if (start + 2 > limit) throw malformed('an identifier and a length', `the end at byte ${start}`);
  const tag = bytes[start] as number;
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag number below 31', `${tagText(tag)} at byte ${start}`);
  const first = bytes[start + 1] as number;
  let bodyStart = start + 2;
  let length = first;
  if (first >= 0x80) {
    bodyStart += first & 0x7f;
    length = checkLongLength(bytes, start + 2, bodyStart, limit);
  }
  const end = bodyStart + length;
  if (end > limit) throw malformed(`${length} bytes of content`, `${limit - bodyStart} at byte ${start}`);
  if ((tag & 0x20) === 0) {
    checkPrimitive(bytes, tag, bodyStart, end);
    return end;
  }
  if (tag < 0x40 && tag !== tags.seq && tag !== tags.set) {
    throw malformed('a primitive encoding', `constructed ${tagText(tag)} at byte ${start}`);
  }
  for (let at = bodyStart; at < end; ) at = checkElement(bytes, at, end, depth + 1);
  return end;
}

function checkLongLength(bytes: Uint8Array, from: number, to: number, limit: number): number {
  if (to === from) throw malformed('a definite length', `an indefinite one at byte ${from - 1}`);
  if (to - from > 4) throw malformed('a length of at most 4 bytes', `${to - from} bytes`);
  if (to > limit) throw malformed('a whole length', `the end at byte ${limit}`);
  let length = 0;
  for (let at = from; at < to; at++) length = length * 256 + (bytes[at] as number);
  if (bytes[from] === 0 || length < 0x80) throw malformed('a minimal length', `a padded one at byte ${from}`);
  return length;
}

function checkPrimitive(bytes: Uint8Array, tag: number, from: number, to: number): void {
  const length = to - from;
  const first = bytes[from] as number;
  switch (tag) {
    case tags.bool:
      if (length !== 1 || (first !== 0 && first !== 0xff))
        throw malformed('BOOLEAN 00 or FF', `at byte ${from}`);
      return;
    case tags.int:
    case tags.enumerated:
      checkInteger(bytes, from, to);
      return;
    case tags.bits:
      checkBits(bytes, from, to);
      return;
    case tags.nul:
      if (length !== 0) throw malformed('an empty NULL', `${length} bytes at byte ${from}`);
      return;
    case tags.oid:
      checkOid(bytes, from, to);
      return;
    case 0x00:
    case 0x10:
    case 0x11:
      throw malformed('a universal type', `${tagText(tag)} at byte ${from}`);
    default:
  }
}

function checkInteger(bytes: Uint8Array, from: number, to: number): void {
  const first = bytes[from] as number;
  const isEmpty = to === from;
  const isPadded =
    to - from > 1 && (first === 0 || first === 0xff) && first >> 7 === (bytes[from + 1] as number) >> 7;
  if (isEmpty || isPadded) throw malformed('a minimal INTEGER', `at byte ${from}`);
}

function checkBits(bytes: Uint8Array, from: number, to: number): void {
  const unused = bytes[from] as number;
  const isOver = to === from || unused > 7 || (to - from === 1 && unused !== 0);
  if (isOver || (unused > 0 && ((bytes[to - 1] as number) & ((1 << unused) - 1)) !== 0)) {
    throw malformed('a BIT STRING with zero padding bits', `at byte ${from}`);
  }
}

/** Arcs are minimal and fit a safe integer. */
function checkOid(bytes: Uint8Array, from: number, to: number): void {
  let arcBytes = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (arcBytes === 0 && byte === 0x80) throw malformed('minimal OID arcs', `at byte ${at}`);
    if (++arcBytes > 7) throw malformed('OID arcs below 2^49', `at byte ${at}`);
    if (byte < 0x80) arcBytes = 0;
  }
  if (to === from || arcBytes !== 0) throw malformed('a whole OID', `at byte ${from}`);
}

/** Texts of identifiers seen before, by a hash of their bytes: certificates repeat the same few dozen. */
const oidTexts = new Map<number, { readonly bytes: Uint8Array; readonly text: string }>();
const OID_TEXTS_MAX = 512;

/** Dotted text of an OBJECT IDENTIFIER. */
export function oidText(node: DerNode): string {
  const { source, bodyStart, end } = node;
  let key = end - bodyStart;
  for (let at = bodyStart; at < end; at++) key = (Math.imul(key, 31) + (source[at] as number)) | 0;
  const known = oidTexts.get(key);
  if (known !== undefined && isAt(source, bodyStart, end, known.bytes)) return known.text;
  const text = dotted(node);
  if (known === undefined && oidTexts.size < OID_TEXTS_MAX)
    oidTexts.set(key, { bytes: node.body.slice(), text });
  return text;
}

function isAt(source: Uint8Array, start: number, end: number, bytes: Uint8Array): boolean {
  if (end - start !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) if (source[start + i] !== bytes[i]) return false;
  return true;
}

function dotted(node: DerNode): string {
  let text = '';
  let arc = 0;
  for (let at = node.bodyStart; at < node.end; at++) {
    const byte = node.source[at] as number;
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (text === '') {
      const top = arc < 80 ? Math.floor(arc / 40) : 2;
      text = `${top}.${arc - top * 40}`;
    } else text += `.${arc}`;
    arc = 0;
  }
  return text;
}

/** An INTEGER that fits a safe non-negative number; throws WB-121 otherwise. */
export function smallInteger(node: DerNode): number {
  let value = 0;
  for (let at = node.bodyStart; at < node.end; at++) value = value * 256 + (node.source[at] as number);
  if ((node.source[node.bodyStart] as number) >= 0x80 || !Number.isSafeInteger(value)) {
    throw malformed('a small non-negative INTEGER', `${node.length} bytes`);
  }
  return value;
}

/** Content of a BIT STRING whose length is a whole number of bytes; throws WB-121 otherwise. */
export function wholeBits(node: DerNode): Uint8Array {
  if (node.source[node.bodyStart] !== 0) throw malformed('a BIT STRING of whole bytes', 'unused bits');
  return node.source.subarray(node.bodyStart + 1, node.end);
}

export const isTrue = (node: DerNode): boolean => node.source[node.bodyStart] === 0xff;

const printableForm = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

/** Text of a UTF8String, PrintableString or IA5String; throws WB-121 for anything else or a foreign character. */
export function stringText(node: DerNode): string {
  if (node.tag === tags.utf8) return utf8Value(node.body);
  if (node.tag === tags.ia5) return ia5Text(node.body);
  if (node.tag !== tags.printable) throw malformed('a text type', tagText(node.tag));
  const text = ia5Text(node.body);
  if (!printableForm.test(text)) throw malformed('the characters of PrintableString', JSON.stringify(text));
  return text;
}

/** Bytes below 0x80 as text; throws WB-121 otherwise. */
export function ia5Text(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) {
    if ((bytes[i] as number) >= 0x80) throw malformed('ASCII', `byte 0x${bytes[i]?.toString(16)}`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** UTF-8 bytes as text; throws WB-101 on an invalid sequence. */
export function utf8Value(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) >= 0x80) return utf8Text(bytes);
  // ASCII, which nearly all values are, skips the decoder's set-up cost.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
