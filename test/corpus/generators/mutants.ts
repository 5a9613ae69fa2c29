/** Generators of changed bundles: every leaf, every way it can be wrong. */
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';
import { at, edit, flip } from '../../double/json-edits.ts';

/** The machine that made a change: what it takes from a bundle, or puts into it. */
export type Machine = 'swap' | 'emptiness' | 'null' | 'type' | 'truncation' | 'duplication' | 'bits' | 'text';

export interface Mutant {
  readonly machine: Machine;
  /** What was changed, and how. */
  readonly name: string;
  readonly path: string;
  readonly change: string;
  /** Made when asked for: there are many. */
  readonly bundle: JsonObject;
}

type Change = readonly [machine: Machine, change: string, value: JsonValue | undefined];

class LazyMutant implements Mutant {
  readonly machine: Machine;
  readonly path: string;
  readonly change: string;
  readonly #document: JsonObject;
  readonly #value: JsonValue | undefined;

  constructor(document: JsonObject, path: string, [machine, change, value]: Change) {
    this.machine = machine;
    this.path = path;
    this.change = change;
    this.#document = document;
    this.#value = value;
  }

  get name(): string {
    return `${this.path}: ${this.change}`;
  }

  get bundle(): JsonObject {
    return edit(this.#document, { [this.path]: this.#value });
  }
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

const otherTypes: readonly Change[] = [
  ['null', 'null', null],
  ['type', 'a number', 424_242],
  ['type', 'a text', 'x'],
  ['type', 'true', true],
  ['emptiness', 'an empty string', ''],
  ['emptiness', 'an empty list', []],
  ['emptiness', 'an empty object', {}],
];

const different = (document: JsonObject, path: string, changes: readonly Change[]): Mutant[] => {
  const before = JSON.stringify(at(document, path));
  return changes
    .filter(([, , value]) => JSON.stringify(value) !== before)
    .map((change) => new LazyMutant(document, path, change));
};

/** One value replaced by null and by values of every other type. */
export const retyped = (document: JsonObject, path: string): Mutant[] =>
  different(document, path, otherTypes);

/** One value replaced by other types, by nothing, cut, doubled and with bits flipped. */
export function mutations(document: JsonObject, path: string): Mutant[] {
  const value = at(document, path);
  const changes: Change[] = [...otherTypes, ['emptiness', 'absent', undefined]];
  if (typeof value === 'string') changes.push(...textChanges(value));
  if (Array.isArray(value)) changes.push(...listChanges(value));
  return different(document, path, changes);
}

function textChanges(text: string): Change[] {
  const changes: Change[] = [
    ['truncation', 'cut by one', text.slice(0, -1)],
    ['truncation', 'cut in half', text.slice(0, text.length / 2)],
    ['truncation', 'without its first', text.slice(1)],
    ['duplication', 'doubled', text + text],
    ['text', 'with a space', `${text} `],
    ['text', 'with a newline', `${text}\n`],
    ['text', 'with a NUL', `${text}\0`],
    ['text', 'in other case', text.toUpperCase() === text ? text.toLowerCase() : text.toUpperCase()],
  ];
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length < 8 || bytes.toString('base64') !== text) return changes;
  const flips = [0, 1, 4, bytes.length >> 2, bytes.length >> 1, (bytes.length * 3) >> 2, -2, -1];
  for (const index of flips) changes.push(['bits', `bit of byte ${index} flipped`, flip(text, index)]);
  const longer = Buffer.concat([bytes, Buffer.of(0)]).toString('base64');
  changes.push(['duplication', 'one byte longer', longer]);
  changes.push(['truncation', 'one byte shorter', bytes.subarray(0, -1).toString('base64')]);
  changes.push(['bits', 'all zero', Buffer.alloc(bytes.length).toString('base64')]);
  return changes;
}

function listChanges(list: readonly JsonValue[]): Change[] {
  return [
    ['duplication', 'doubled', [...list, ...list]],
    ['truncation', 'without its first', list.slice(1)],
    ['truncation', 'without its last', list.slice(0, -1)],
    ['text', 'reversed', [...list].reverse()],
    ['null', 'with null behind', [...list, null]],
  ];
}

/** Every part of one bundle replaced by the same part of another. */
export function swaps(target: JsonObject, source: JsonObject, from: string): Mutant[] {
  const shared = new Set(allPaths(source));
  return allPaths(target)
    .filter((path) => shared.has(path))
    .flatMap((path) => different(target, path, [['swap', `swapped with ${from}`, at(source, path)]]));
}
