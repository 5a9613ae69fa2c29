/**
 * Kyverno's condition operators. One deliberate difference, chosen by the caller: text that came out of the
 * object or an attestation is data, and a `*` in data is a star, not a pattern (`isKeyData`, `isValueData`).
 * With both false the behaviour is Kyverno's own, which matches wildcards in both directions.
 */
import type { Json } from '../document.ts';
import { wildcardMatch } from '../image/wildcard.ts';
import { parseDuration, parseQuantity } from './quantity.ts';
import { compareVersions, parseVersion } from './version.ts';

export const operators = [
  'Equal',
  'Equals',
  'NotEqual',
  'NotEquals',
  'In',
  'AnyIn',
  'AllIn',
  'NotIn',
  'AnyNotIn',
  'AllNotIn',
  'GreaterThanOrEquals',
  'GreaterThan',
  'LessThanOrEquals',
  'LessThan',
  'DurationGreaterThanOrEquals',
  'DurationGreaterThan',
  'DurationLessThanOrEquals',
  'DurationLessThan',
] as const;
export type Operator = (typeof operators)[number];

export const deprecatedOperators: Readonly<Record<string, readonly string[]>> = {
  In: ['AllIn', 'AnyIn'],
  NotIn: ['AllNotIn', 'AnyNotIn'],
};

export interface Origin {
  readonly isKeyData: boolean;
  readonly isValueData: boolean;
}

const literalOrigin: Origin = { isKeyData: false, isValueData: false };

export function applyOperator(operator: Operator, key: Json, value: Json, origin = literalOrigin): boolean {
  switch (operator) {
    case 'Equal':
    case 'Equals':
      return isEqual(key, value, origin);
    case 'NotEqual':
    case 'NotEquals':
      return isNotEqual(key, value, origin);
    case 'AnyIn':
      return membership(key, value, origin, (hits) => hits.some(Boolean));
    case 'In':
    case 'AllIn':
      return membership(key, value, origin, (hits) => hits.every(Boolean));
    case 'AllNotIn':
      return membership(key, value, origin, (hits) => !hits.some(Boolean));
    case 'NotIn':
    case 'AnyNotIn':
      return membership(key, value, origin, (hits) => hits.some((hit) => !hit));
    default:
      return operator.startsWith('Duration')
        ? compareDurations(operator, key, value)
        : compareAny(operator, key, value);
  }
}

// ---- equality

function isEqual(key: Json, value: Json, origin: Origin): boolean {
  if (typeof key === 'number') return equalNumber(key, value);
  if (typeof key !== 'string') return deepEqual(key, value);
  const durations = durationPair(key, value);
  if (durations !== undefined) return durations[0] === durations[1];
  if (typeof value !== 'string') return false;
  const quantity = parseQuantity(key);
  if (quantity !== undefined) return parseQuantity(value)?.nano === quantity.nano;
  return origin.isValueData ? key === value : wildcardMatch(value, key);
}

function isNotEqual(key: Json, value: Json, origin: Origin): boolean {
  if (key === null) return false;
  if (Array.isArray(key)) return Array.isArray(value) && !deepEqual(key, value);
  if (typeof key === 'object') return isObject(value) && !deepEqual(key, value);
  return !isEqual(key, value, origin);
}

function equalNumber(key: number, value: Json): boolean {
  if (typeof value === 'number') return key === value;
  if (typeof value !== 'string') return false;
  const durations = durationPair(key, value);
  if (durations !== undefined) return durations[0] === durations[1];
  return toNumber(value) === key;
}

const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function deepEqual(a: Json, b: Json): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i] as Json));
  }
  if (!isObject(a)) return a === b;
  if (!isObject(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && deepEqual(a[name] as Json, b[name] as Json));
}

// ---- order

type Order = -1 | 0 | 1;
const orderOf = <T extends number | bigint>(a: T, b: T): Order => (a < b ? -1 : a > b ? 1 : 0);

function holds(operator: Operator, order: Order): boolean {
  if (operator.endsWith('GreaterThanOrEquals')) return order >= 0;
  if (operator.endsWith('GreaterThan')) return order > 0;
  return operator.endsWith('LessThanOrEquals') ? order <= 0 : order < 0;
}

function compareAny(operator: Operator, key: Json, value: Json): boolean {
  const order = orderAny(key, value);
  return order !== undefined && holds(operator, order);
}

/** Durations first, then numbers, quantities, versions; undefined when the two cannot be compared. */
function orderAny(key: Json, value: Json): Order | undefined {
  if (typeof key !== 'number' && typeof key !== 'string') return undefined;
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const durations = durationPair(key, value);
  if (durations !== undefined) return orderOf(...durations);
  const a = toNumber(key);
  const b = toNumber(value);
  if (a !== undefined && b !== undefined) return orderOf(a, b);
  const left = parseQuantity(String(key));
  const right = parseQuantity(String(value));
  if (left !== undefined && right !== undefined) return orderOf(left.nano, right.nano);
  const one = parseVersion(String(key));
  const other = parseVersion(String(value));
  return one === undefined || other === undefined ? undefined : compareVersions(one, other);
}

/** Seconds when a number. */
function durationNs(value: Json): bigint | undefined {
  if (typeof value === 'number') return BigInt(Math.round(value * 1e9));
  if (typeof value !== 'string') return undefined;
  const number = toNumber(value);
  return number === undefined ? parseDuration(value) : undefined;
}

/** Both sides as durations when at least one is written as one. */
function durationPair(key: Json, value: Json): [bigint, bigint] | undefined {
  const isWritten = (side: Json): boolean => typeof side === 'string' && durationNs(side) !== undefined;
  if (!isWritten(key) && !isWritten(value)) return undefined;
  const a = durationNs(key);
  const b = durationNs(value);
  return a === undefined || b === undefined ? undefined : [a, b];
}

function compareDurations(operator: Operator, key: Json, value: Json): boolean {
  const a = durationNs(key);
  const b = durationNs(value);
  return a !== undefined && b !== undefined && holds(operator, orderOf(a, b));
}

function toNumber(value: Json): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(value)) {
    return undefined;
  }
  return Number(value);
}

// ---- membership

function membership(
  key: Json,
  value: Json,
  origin: Origin,
  judge: (hits: readonly boolean[]) => boolean,
): boolean {
  const keys = scalarTexts(key);
  const contains = keys === undefined ? undefined : container(value, origin);
  if (keys === undefined || contains === undefined) return false;
  return judge(keys.map(contains));
}

/** Texts of a scalar or a list of scalars; undefined for anything else. */
function scalarTexts(value: Json): string[] | undefined {
  const list = Array.isArray(value) ? value : [value];
  const out: string[] = [];
  for (const item of list) {
    if (item === null || typeof item === 'object') return undefined;
    out.push(String(item));
  }
  return out;
}

function container(value: Json, origin: Origin): ((text: string) => boolean) | undefined {
  if (typeof value === 'string') {
    const range = rangeOf(value);
    if (range !== undefined) return range;
  }
  const allowed = scalarTexts(typeof value === 'string' ? listOf(value) : value);
  if (allowed === undefined) return undefined;
  return (text) =>
    allowed.some((candidate) => {
      if (candidate === text) return true;
      if (!origin.isValueData && wildcardMatch(candidate, text)) return true;
      return !origin.isKeyData && wildcardMatch(text, candidate);
    });
}

/** A string value may hold a JSON list. */
function listOf(text: string): Json {
  if (!text.startsWith('[')) return text;
  try {
    const parsed = JSON.parse(text) as Json;
    return Array.isArray(parsed) ? parsed : text;
  } catch {
    return text;
  }
}

/** `a-b` (inclusive) and `!a-b` (outside), over numbers or quantities. */
function rangeOf(text: string): ((candidate: string) => boolean) | undefined {
  const match = /^(!?)\s*([+-]?[0-9.]+[A-Za-z]*)\s*-\s*([+-]?[0-9.]+[A-Za-z]*)$/.exec(text);
  const low = match === null ? undefined : parseQuantity(match[2] as string);
  const high = match === null ? undefined : parseQuantity(match[3] as string);
  if (match === null || low === undefined || high === undefined) return undefined;
  const isOutside = match[1] === '!';
  return (candidate) => {
    const value = parseQuantity(candidate);
    if (value === undefined) return false;
    const isInside = value.nano >= low.nano && value.nano <= high.nano;
    return isInside !== isOutside;
  };
}
