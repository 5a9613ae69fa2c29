/** Canonical JSON, RFC 8785: keys sorted by UTF-16 units, shortest numbers, no spaces. */
import { fail } from '#base/reason';
import type { JsonValue } from './json-value.ts';
import { R } from './sigstore-reasons.ts';

/** The canonical text of a value; throws WB-154 for a value JSON cannot carry exactly. */
export function canonicalJson(value: JsonValue): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw notCanonical('a string with a lone surrogate');
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw notCanonical(String(value));
      return JSON.stringify(value); // ECMAScript's number text is the one RFC 8785 §3.2.2.3 prescribes
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      break;
    default:
      throw notCanonical(typeof value);
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value as { [key: string]: JsonValue })
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

function notCanonical(actual: string) {
  return fail(R.canonical, { expected: 'a JSON value', actual });
}
