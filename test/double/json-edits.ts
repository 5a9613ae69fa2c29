/** Changes of JSON documents by path (`a.0.b`), for tests that need one thing different. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';

/** A copy of a document with changes by path (`a.0.b`); undefined removes. */
export function edit(
  document: JsonObject,
  changes: Readonly<Record<string, JsonValue | undefined>>,
): JsonObject {
  const copy = structuredClone(document) as JsonObject;
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    const holder = keys.reduce<JsonValue>((at, key) => child(at, key, path), copy);
    assert.ok(typeof holder === 'object' && holder !== null, path);
    if (value === undefined) Reflect.deleteProperty(holder, last);
    else Reflect.set(holder, last, value);
  }
  return copy;
}

function child(holder: JsonValue, key: string, path: string): JsonValue {
  const value = Array.isArray(holder) ? holder[Number(key)] : isJsonObject(holder) ? holder[key] : undefined;
  assert.ok(value !== undefined, `no ${key} on the way to ${path}`);
  return value;
}

/** Text of a document with one textual replacement, for what JSON objects cannot say (duplicate keys). */
export function rewrite(document: JsonObject, from: string | RegExp, to: string): Uint8Array {
  const text = JSON.stringify(document);
  const changed = text.replace(from, to);
  assert.notEqual(changed, text, `nothing to rewrite for ${from}`);
  return utf8(changed);
}

/** A base64 text with one bit of byte `at` flipped. */
export function flip(base64: JsonValue | undefined, at = -1): string {
  const bytes = Buffer.from(base64 as string, 'base64');
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] as number) ^ 1;
  return bytes.toString('base64');
}

/** The value at a path. */
export function at(document: JsonObject, path: string): JsonValue {
  return path.split('.').reduce<JsonValue>((holder, key) => child(holder, key, path), document);
}
