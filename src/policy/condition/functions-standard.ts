/** The functions of the JMESPath specification. `sum` is Kyverno's and stands with the arithmetic ones. */
import type { Json } from '../document.ts';
import { type FunctionTable, type Reference, refuse, spec, typeName } from './functions.ts';
import { deepEqual } from './operators.ts';

const list = (value: unknown): Json[] => value as Json[];
const map = (value: unknown): { [name: string]: Json } => value as { [name: string]: Json };
const text = (value: unknown): string => value as string;
const number = (value: unknown): number => value as number;

function comparable(name: string, items: readonly Json[]): readonly (number | string)[] {
  const kind = items.length === 0 ? 'number' : typeof items[0];
  if ((kind !== 'number' && kind !== 'string') || items.some((item) => typeof item !== kind)) {
    throw refuse(name, 'a list of numbers or a list of strings', 'a list of other values');
  }
  return items as readonly (number | string)[];
}

const order = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0);

function sortedBy(name: string, items: readonly Json[], key: Reference): Json[] {
  const keys = comparable(
    name,
    items.map((item) => key.reference(item)),
  );
  const indexed = items.map((item, i) => ({ item, key: keys[i] as number | string }));
  return indexed.sort((a, b) => order(a.key, b.key)).map(({ item }) => item);
}

/** Objects in Go are written with sorted keys. */
export function jsonText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${jsonText(value[name] as Json)}`);
  return `{${entries.join(',')}}`;
}

function toNumber(value: Json): Json {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !/^[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?$/.test(value)) return null;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : null;
}

function contains(where: Json, what: Json): boolean {
  if (typeof where === 'string') return typeof what === 'string' && where.includes(what);
  return list(where).some((item) => deepEqual(item, what));
}

export const standardFunctions: FunctionTable = {
  abs: spec(['number'], ([a]) => Math.abs(number(a))),
  avg: spec(['array'], ([a]) => {
    const values = comparable('avg', list(a)) as readonly number[];
    return values.length === 0 ? null : values.reduce((x, y) => x + y, 0) / values.length;
  }),
  ceil: spec(['number'], ([a]) => Math.ceil(number(a))),
  contains: spec([['array', 'string'], 'any'], ([a, b]) => contains(a as Json, b as Json)),
  ends_with: spec(['string', 'string'], ([a, b]) => text(a).endsWith(text(b))),
  floor: spec(['number'], ([a]) => Math.floor(number(a))),
  join: spec(['string', 'array'], ([a, b]) => {
    if (list(b).some((item) => typeof item !== 'string')) throw refuse('join', 'strings', 'other values');
    return list(b).join(text(a));
  }),
  keys: spec(['object'], ([a]) => Object.keys(map(a)).sort()),
  length: spec([['string', 'array', 'object']], ([a]) => {
    if (typeof a === 'string') return Array.from(a).length;
    return Array.isArray(a) ? a.length : Object.keys(map(a)).length;
  }),
  map: spec(['expression', 'array'], ([a, b]) => list(b).map((item) => (a as Reference).reference(item))),
  max: spec(['array'], ([a]) => [...comparable('max', list(a))].sort(order).at(-1) ?? null),
  max_by: spec(
    ['array', 'expression'],
    ([a, b]) => sortedBy('max_by', list(a), b as Reference).at(-1) ?? null,
  ),
  merge: spec(['object'], (args) => Object.assign({}, ...args.map(map)) as Json, true),
  min: spec(['array'], ([a]) => [...comparable('min', list(a))].sort(order)[0] ?? null),
  min_by: spec(['array', 'expression'], ([a, b]) => sortedBy('min_by', list(a), b as Reference)[0] ?? null),
  not_null: spec(['any'], (args) => (args.find((arg) => arg !== null) ?? null) as Json, true),
  reverse: spec([['string', 'array']], ([a]) =>
    typeof a === 'string' ? Array.from(a).reverse().join('') : [...list(a)].reverse(),
  ),
  sort: spec(['array'], ([a]) => [...comparable('sort', list(a))].sort(order)),
  sort_by: spec(['array', 'expression'], ([a, b]) => sortedBy('sort_by', list(a), b as Reference)),
  starts_with: spec(['string', 'string'], ([a, b]) => text(a).startsWith(text(b))),
  to_array: spec(['any'], ([a]) => (Array.isArray(a) ? a : [a as Json])),
  to_number: spec(['any'], ([a]) => toNumber(a as Json)),
  to_string: spec(['any'], ([a]) => (typeof a === 'string' ? a : jsonText(a as Json))),
  type: spec(['any'], ([a]) => typeName(a as Json)),
  values: spec(['object'], ([a]) => Object.values(map(a))),
};
