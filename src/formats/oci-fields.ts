/** Typed reads from a JSON object of an OCI document; each throws WB-186 naming the path. */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { fail, type WaybillError } from '#base/reason';
import type { JsonObject, JsonValue } from './json.ts';
import { R } from './oci-reasons.ts';

function wrong(path: string, expected: string, value: JsonValue | undefined): WaybillError {
  const actual = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 120);
  return fail(R.document, { expected: `${path}: ${expected}`, actual });
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function object(value: JsonValue | undefined, path: string): JsonObject {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as JsonObject;
  throw wrong(path, 'an object', value);
}

function optionalString(json: JsonObject, name: string, path = ''): string | undefined {
  const value = json[name];
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(join(path, name), 'a string', value);
}

function string(json: JsonObject, name: string, path = ''): string {
  const value = json[name];
  if (typeof value === 'string' && value !== '') return value;
  throw wrong(join(path, name), 'a string that is not empty', value);
}

function array(json: JsonObject, name: string, path = ''): readonly JsonValue[] {
  const value = json[name];
  if (Array.isArray(value)) return value;
  throw wrong(join(path, name), 'an array', value);
}

function strings(json: JsonObject, name: string, path = ''): readonly string[] {
  return array(json, name, path).map((value, i) => {
    if (typeof value === 'string') return value;
    throw wrong(`${join(path, name)}[${i}]`, 'a string', value);
  });
}

function digest(json: JsonObject, name: string, path = ''): Digest {
  const value = json[name];
  const parsed = typeof value === 'string' ? parseDigest(value) : undefined;
  if (parsed?.ok === true) return parsed.value;
  throw wrong(join(path, name), 'a digest (sha256:<64 lower-case hex digits>)', value);
}

function size(json: JsonObject, name: string, path = ''): number {
  const value = json[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(join(path, name), 'a whole number of bytes', value);
}

/** String values by key. A Map: keys come from outside. */
function stringMap(json: JsonObject, name: string, path = ''): ReadonlyMap<string, string> {
  const value = json[name];
  const map = new Map<string, string>();
  if (value === undefined || value === null) return map;
  for (const [key, text] of Object.entries(object(value, join(path, name)))) {
    if (typeof text !== 'string')
      throw wrong(`${join(path, name)}[${JSON.stringify(key)}]`, 'a string', text);
    map.set(key, text);
  }
  return map;
}

const annotations = (json: JsonObject, path = ''): ReadonlyMap<string, string> =>
  stringMap(json, 'annotations', path);

export const field = { object, optionalString, string, array, strings, digest, size, stringMap, annotations };
