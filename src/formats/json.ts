/**
 * JSON from outside, read strictly: one meaning or none. Duplicate keys, `__proto__`, lone surrogates, a byte
 * order mark, deep nesting and oversized input are refused before anyone sees a value. The grammar itself is the
 * engine's; this file adds what the grammar leaves open (RFC 8259 §4, RFC 7493).
 */
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { attempt, err, type Result } from '#base/result';
import type { JsonObject, JsonValue } from './json-value.ts';
import { R } from './sigstore-reasons.ts';

export { canonicalJson } from './json-canonical.ts';
export { JsonReader, protoReader, reader } from './json-reader.ts';
export { isJsonObject, type JsonObject, type JsonValue, own } from './json-value.ts';

export interface ParseJsonOptions {
  /** Cap on the encoded size; default: the cap of a bundle (10 MiB). */
  readonly maxBytes?: number;
}

/** Text or UTF-8 bytes → value. Fails with WB-101 (UTF-8), WB-150 (syntax), WB-151 (keys), WB-152 (caps). */
export function parseJson(input: string | Uint8Array, options: ParseJsonOptions = {}): Result<JsonValue> {
  const maxBytes = options.maxBytes ?? limits.bundleBytes;
  // A string has at most as many UTF-16 units as its encoding has bytes, so this never refuses too early.
  if (input.length > maxBytes) {
    return err(reason(R.jsonLimit, { expected: `at most ${maxBytes} bytes`, actual: `${input.length}` }));
  }
  return attempt(() => {
    const text = typeof input === 'string' ? input : utf8Text(input);
    // Decoded UTF-8 is well-formed; a string may be cut in the middle of a character.
    if (typeof input === 'string' && !input.isWellFormed()) throw loneSurrogate();
    // An escape can hide a key's spelling or a lone surrogate: then every string is looked at.
    if (text.includes('\\u') || text.includes('__proto__')) {
      checkStructure(text);
      return parseText(text);
    }
    const written = countMembers(text);
    const value = parseText(text);
    // The engine keeps one of two members with the same key, so fewer members than colons tell of a repetition.
    if (membersOf(value) !== written) checkStructure(text);
    return value;
  });
}

function parseText(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw fail(R.json, { expected: 'a JSON document', actual: (error as Error).message });
  }
}

/** Colons outside strings, which is the number of members where the text is JSON; refuses depth on the way. */
function countMembers(text: string): number {
  let depth = 0;
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = stringEnd(text, at);
        if (end < 0) return count;
        at = end;
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > limits.jsonDepth) throw tooDeep();
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      case 0x3a: // :
        count++;
        break;
    }
  }
  return count;
}

function membersOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) count += membersOf(item);
    return count;
  }
  const object = value as JsonObject;
  // No array of keys is made: this runs for every document that is read.
  for (const key in object) count += 1 + membersOf(object[key] as JsonValue);
  return count;
}

const tooDeep = () =>
  fail(R.jsonLimit, { expected: `nesting of at most ${limits.jsonDepth}`, actual: 'deeper nesting' });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Walks the document once and refuses duplicate keys, `__proto__`, lone surrogates and depth. It trusts
 * nothing about the grammar: on malformed text it may see nonsense, and JSON.parse then refuses it.
 */
function checkStructure(text: string): void {
  // One element per open container: the keys seen in an object, or undefined for an array.
  const open: (Set<string> | undefined)[] = [];
  // Raw surrogates cannot be lone in decoded UTF-8; only an escape can write one.
  const unicodeEscapes = text.includes('\\u');
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = stringEnd(text, at);
        if (end < 0) return;
        if (expectKey) addKey(open.at(-1), text.slice(at, end + 1));
        else if (unicodeEscapes) checkString(text.slice(at, end + 1));
        expectKey = false;
        at = end;
        break;
      }
      case 0x7b: // {
        open.push(new Set());
        expectKey = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        expectKey = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        expectKey = false;
        break;
      case 0x2c: // ,
        expectKey = open.at(-1) !== undefined;
        break;
    }
    if (open.length > limits.jsonDepth) throw tooDeep();
  }
}

/** Index of the closing quote of the string that opens at `at`; -1 when it is never closed. */
function stringEnd(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
  return slashes % 2 === 1;
}

function addKey(keys: Set<string> | undefined, raw: string): void {
  const key = raw.includes('\\') ? decode(raw) : raw.slice(1, -1);
  if (keys === undefined || key === undefined) return;
  if (key === '__proto__' || keys.has(key)) {
    throw fail(R.jsonKey, { expected: 'each key once, none of them __proto__', actual: JSON.stringify(key) });
  }
  keys.add(key);
}

function checkString(raw: string): void {
  if (raw.includes('\\u')) decode(raw);
}

function decode(raw: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return undefined;
  }
  if (typeof value !== 'string' || value.isWellFormed()) return value as string;
  throw loneSurrogate();
}

const loneSurrogate = () => fail(R.json, { expected: 'well-formed Unicode', actual: 'a lone surrogate' });
