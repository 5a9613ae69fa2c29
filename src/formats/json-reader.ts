/**
 * Typed access to a parsed JSON object: each getter checks the form and names the path when it throws
 * (WB-153, a `WaybillError`; parsers call it inside `attempt`). Only own properties are seen.
 */
import { fromHex, tryBase64 } from '#base/bytes';
import { fail, type ReasonClass, type ReasonSpec, type WaybillError } from '#base/reason';
import { attempt } from '#base/result';
import { isJsonObject, type JsonObject, type JsonValue } from './json-value.ts';
import { R } from './sigstore-reasons.ts';

export interface ReaderOptions {
  /** The reason to raise instead of WB-153. */
  readonly as?: ReasonSpec;
}

/** A reader over `value`, which must be an object. `path` starts the names used in messages. */
export function reader(value: JsonValue | undefined, path = '$', options: ReaderOptions = {}): JsonReader {
  return new JsonReader(value, path, options.as ?? R.field, false);
}

/**
 * The same for protobuf JSON: null means absent, `snake_case` names are read for their `camelCase` field (both
 * at once are refused), and int64 values may be decimal strings.
 */
export function protoReader(
  value: JsonValue | undefined,
  path = '$',
  options: ReaderOptions = {},
): JsonReader {
  return new JsonReader(value, path, options.as ?? R.field, true);
}

/** Field names are a small fixed set, so each is converted once. */
const snakeNames = new Map<string, string>();

function snake(key: string): string {
  let name = snakeNames.get(key);
  if (name === undefined) {
    name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    snakeNames.set(key, name);
  }
  return name;
}

/** An own member; the cheap look first, since most optional fields are absent. */
function member(object: JsonObject, key: string): JsonValue | undefined {
  const value = object[key];
  return value === undefined || Object.hasOwn(object, key) ? value : undefined;
}

export class JsonReader {
  readonly path: string;
  readonly object: JsonObject;
  readonly #as: ReasonSpec;
  readonly #proto: boolean;

  constructor(value: JsonValue | undefined, path: string, as: ReasonSpec, proto: boolean) {
    this.path = path;
    this.#as = as;
    this.#proto = proto;
    if (!isJsonObject(value)) throw this.wrong('', 'an object', value);
    this.object = value;
  }

  /** An error of this reader's reason about `key`; of another class where the fault is not the form. */
  wrong(key: string, expected: string, actual: JsonValue | undefined, kind?: ReasonClass): WaybillError {
    const check = `${this.#as.check}: ${this.path}${key === '' ? '' : `.${key}`}`;
    const shown = actual === undefined ? 'nothing' : JSON.stringify(actual);
    return fail(this.#as, { expected, actual: shown, check, ...(kind === undefined ? {} : { class: kind }) });
  }

  /** The raw value, undefined when absent. */
  value(key: string): JsonValue | undefined {
    const direct = member(this.object, key);
    if (!this.#proto) return direct;
    const alias = snake(key);
    const other = alias === key ? undefined : member(this.object, alias);
    if (direct !== undefined && other !== undefined) {
      throw this.wrong(key, `either ${key} or ${alias}`, 'both');
    }
    return direct ?? other ?? undefined;
  }

  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  string(key: string): string {
    const value = this.value(key);
    if (typeof value !== 'string') throw this.wrong(key, 'a string', value);
    return value;
  }

  optionalString(key: string): string | undefined {
    return this.has(key) ? this.string(key) : undefined;
  }

  /** A string that is not empty. */
  text(key: string): string {
    const value = this.string(key);
    if (value === '') throw this.wrong(key, 'a string that is not empty', value);
    return value;
  }

  boolean(key: string): boolean {
    const value = this.value(key);
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false', value);
    return value;
  }

  /** A non-negative integer up to 2^53 - 1; in protobuf JSON also as a decimal string without sign or zeros. */
  integer(key: string): number {
    const value = this.value(key);
    const number =
      this.#proto && typeof value === 'string' && /^(?:0|[1-9][0-9]{0,15})$/.test(value)
        ? Number(value)
        : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0 || Object.is(number, -0)) {
      throw this.wrong(key, 'an integer between 0 and 2^53 - 1', value);
    }
    return number;
  }

  optionalInteger(key: string): number | undefined {
    return this.has(key) ? this.integer(key) : undefined;
  }

  /** Canonical base64 → bytes. */
  bytes(key: string): Uint8Array {
    return this.#decode(key, this.string(key));
  }

  optionalBytes(key: string): Uint8Array | undefined {
    return this.has(key) ? this.bytes(key) : undefined;
  }

  /** Lower-case hex → bytes. */
  hex(key: string): Uint8Array {
    const value = this.string(key);
    const decoded = attempt(() => fromHex(value));
    if (!decoded.ok) throw this.wrong(key, 'lower-case hex', value.slice(0, 80));
    return decoded.value;
  }

  /** A nested object. */
  child(key: string): JsonReader {
    return this.#nested(this.value(key), `${this.path}.${key}`);
  }

  optionalChild(key: string): JsonReader | undefined {
    return this.has(key) ? this.child(key) : undefined;
  }

  /** An array of any values; absent counts as empty only in protobuf JSON. At most `max` elements. */
  array(key: string, max = Number.MAX_SAFE_INTEGER): readonly JsonValue[] {
    const value = this.value(key);
    if (value === undefined && this.#proto) return [];
    if (!Array.isArray(value)) throw this.wrong(key, 'an array', value);
    if (value.length > max) {
      throw this.wrong(key, `at most ${max} elements`, `${value.length} elements`, 'limit');
    }
    return value as readonly JsonValue[];
  }

  /** An array of objects. */
  children(key: string, max?: number): JsonReader[] {
    return this.array(key, max).map((item, i) => this.#nested(item, `${this.path}.${key}[${i}]`));
  }

  strings(key: string, max?: number): string[] {
    return this.array(key, max).map((item, i) => {
      if (typeof item !== 'string') throw this.wrong(`${key}[${i}]`, 'a string', item);
      return item;
    });
  }

  /** An array of canonical base64 strings. */
  bytesArray(key: string, max?: number): Uint8Array[] {
    return this.strings(key, max).map((item, i) => this.#decode(`${key}[${i}]`, item));
  }

  /** RFC 3339 → milliseconds; fractions below a millisecond are cut. */
  time(key: string): number {
    const value = this.string(key);
    const ms = parseRfc3339(value);
    if (ms === undefined) throw this.wrong(key, 'an RFC 3339 time', value);
    return ms;
  }

  optionalTime(key: string): number | undefined {
    return this.has(key) ? this.time(key) : undefined;
  }

  #decode(key: string, text: string): Uint8Array {
    const decoded = tryBase64(text);
    if (decoded === undefined) throw this.wrong(key, 'canonical base64', text.slice(0, 80));
    return decoded;
  }

  #nested(value: JsonValue | undefined, path: string): JsonReader {
    return new JsonReader(value, path, this.#as, this.#proto);
  }
}

const rfc3339Form =
  /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-](?:0\d|1\d|2[0-3]):[0-5]\d)$/;

function parseRfc3339(text: string): number | undefined {
  const match = rfc3339Form.exec(text);
  if (match === null) return undefined;
  const [, seconds, fraction = '', zone] = match as unknown as [string, string, string | undefined, string];
  // Date.parse accepts 30 February by rolling over; printing it back shows that.
  const base = Date.parse(`${seconds}Z`);
  if (Number.isNaN(base) || new Date(base).toISOString().slice(0, 19) !== seconds) return undefined;
  return Date.parse(`${seconds}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`);
}
