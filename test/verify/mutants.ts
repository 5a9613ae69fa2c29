/** Generators of changed bundles: every leaf, every way it can be wrong. */
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';
import { at, edit, flip } from './attack.ts';

export interface Mutant {
  readonly name: string;
  readonly path: string;
  readonly bundle: JsonObject;
}

/** Paths of all values that are not containers. */
export function leafPaths(document: JsonObject): string[] {
  return [...walk(document, '')]
    .filter(([, value]) => typeof value !== 'object' || value === null)
    .map(([path]) => path);
}

/** Paths of all values but the document itself. */
export function allPaths(document: JsonObject): string[] {
  return [...walk(document, '')].map(([path]) => path);
}

function* walk(value: JsonValue, prefix: string): Generator<[string, JsonValue]> {
  const members = Array.isArray(value)
    ? [...value.entries()]
    : isJsonObject(value)
      ? Object.entries(value)
      : [];
  for (const [key, member] of members) {
    const path = prefix === '' ? `${key}` : `${prefix}.${key}`;
    yield [path, member as JsonValue];
    yield* walk(member as JsonValue, path);
  }
}

/** One value replaced by other types, by nothing, cut, doubled and with bits flipped. */
export function mutations(document: JsonObject, path: string): Mutant[] {
  const value = at(document, path);
  const others: [string, JsonValue | undefined][] = [
    ['null', null],
    ['absent', undefined],
    ['a number', 424_242],
    ['an empty string', ''],
    ['an empty list', []],
    ['an empty object', {}],
    ['true', true],
  ];
  if (typeof value === 'string') others.push(...textChanges(value));
  if (Array.isArray(value)) others.push(...listChanges(value));
  return others
    .filter(([, changed]) => JSON.stringify(changed) !== JSON.stringify(value))
    .map(([name, changed]) => ({
      name: `${path}: ${name}`,
      path,
      bundle: edit(document, { [path]: changed }),
    }));
}

function textChanges(text: string): [string, JsonValue][] {
  const changes: [string, JsonValue][] = [
    ['cut by one', text.slice(0, -1)],
    ['cut in half', text.slice(0, text.length / 2)],
    ['doubled', text + text],
    ['with a space', `${text} `],
    ['with a newline', `${text}\n`],
    ['in other case', text.toUpperCase() === text ? text.toLowerCase() : text.toUpperCase()],
  ];
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length < 8 || bytes.toString('base64') !== text) return changes;
  const flips = [0, 1, 4, bytes.length >> 2, bytes.length >> 1, (bytes.length * 3) >> 2, -2, -1];
  for (const index of flips) changes.push([`bit of byte ${index} flipped`, flip(text, index)]);
  changes.push(['one byte longer', Buffer.concat([bytes, Buffer.of(0)]).toString('base64')]);
  changes.push(['one byte shorter', bytes.subarray(0, -1).toString('base64')]);
  return changes;
}

function listChanges(list: readonly JsonValue[]): [string, JsonValue][] {
  return [
    ['doubled', [...list, ...list]],
    ['without its first', list.slice(1)],
    ['reversed', [...list].reverse()],
    ['with null behind', [...list, null]],
  ];
}

/** Every part of one bundle replaced by the same part of another. */
export function swaps(target: JsonObject, source: JsonObject): Mutant[] {
  const shared = new Set(allPaths(source));
  return allPaths(target)
    .filter(
      (path) => shared.has(path) && JSON.stringify(at(target, path)) !== JSON.stringify(at(source, path)),
    )
    .map((path) => ({ name: `${path}: swapped`, path, bundle: edit(target, { [path]: at(source, path) }) }));
}
