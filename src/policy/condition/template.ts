/**
 * `{{ expression }}` in the values of a policy. A value that is one variable takes the type of its result; a
 * variable inside other text becomes text. `\{{` is text. A variable that resolves to nothing is an error.
 */
import { fail } from '#base/reason';
import type { Json } from '../document.ts';
import { R } from '../reasons.ts';
import type { Surroundings } from './functions.ts';
import { jsonText } from './functions-standard.ts';
import { compileQuery, type Query } from './jmespath.ts';

export interface Template {
  /** As written, for messages. */
  readonly source: Json;
  /** True when a part comes from the object or an attestation. */
  readonly isData: boolean;
  resolve(data: Json, surroundings: Surroundings): Json;
}

type Part = string | Query;

/** Throws WB-730 for an expression that does not compile. */
export function compileTemplate(source: Json): Template {
  if (typeof source === 'string') return textTemplate(source);
  if (Array.isArray(source)) {
    const items = source.map(compileTemplate);
    return {
      source,
      isData: items.some((item) => item.isData),
      resolve: (data, surroundings) => items.map((item) => item.resolve(data, surroundings)),
    };
  }
  if (typeof source === 'object' && source !== null) {
    const entries = Object.entries(source).map(([name, item]) => [name, compileTemplate(item)] as const);
    return {
      source,
      isData: entries.some(([, item]) => item.isData),
      resolve: (data, surroundings) =>
        Object.fromEntries(entries.map(([name, item]) => [name, item.resolve(data, surroundings)])),
    };
  }
  return { source, isData: false, resolve: () => source };
}

function textTemplate(source: string): Template {
  if (/\$\(\.{1,2}\//.test(source)) {
    throw fail(R.unsupported, { expected: 'variables of the form {{ … }}', actual: source });
  }
  const parts = partsOf(source);
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined && typeof only !== 'string') {
    return { source, isData: true, resolve: (data, surroundings) => found(only, data, surroundings) };
  }
  return {
    source,
    isData: parts.some((part) => typeof part !== 'string'),
    resolve: (data, surroundings) =>
      parts
        .map((part) => {
          if (typeof part === 'string') return part;
          const value = found(part, data, surroundings);
          return typeof value === 'string' ? value : jsonText(value);
        })
        .join(''),
  };
}

function partsOf(source: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  while (at < source.length) {
    const start = source.slice(at).search(/(?<!\\)\{\{/);
    if (start < 0) break;
    if (start > 0) parts.push(unescaped(source.slice(at, at + start)));
    const end = endOfVariable(source, at + start);
    parts.push(compileQuery(withoutNested(source.slice(at + start + 2, end - 2), source).trim()));
    at = end;
  }
  if (at < source.length || parts.length === 0) parts.push(unescaped(source.slice(at)));
  return parts;
}

/** The place after the braces that close the variable opened at `start`. Braces inside are balanced. */
function endOfVariable(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source[at] === '{') depth++;
    else if (source[at] === '}' && --depth === 0) return at + 1;
  }
  throw fail(R.expression, { expected: 'a variable closed with }}', actual: source });
}

/**
 * `f('{{ a.b }}')` means the text of a.b. It becomes `f(to_string(a.b))`: data is never pasted into an
 * expression, where it could be read as code.
 */
function withoutNested(expression: string, source: string): string {
  const flat = expression.replace(
    /'\{\{([^{}']*)\}\}'/g,
    (_all, inner: string) => `to_string(${inner.trim()})`,
  );
  if (!flat.includes('{{')) return flat;
  throw fail(R.unsupported, {
    expected: "a nested variable as a quoted argument: '{{ path }}'",
    actual: source,
  });
}

const unescaped = (text: string): string => text.replaceAll('\\{{', '{{');

function found(query: Query, data: Json, surroundings: Surroundings): Json {
  const value = query.run(data, surroundings);
  if (value !== null) return value;
  const isElement = /\belement\./.test(query.text);
  throw fail(R.expressionFailed, {
    expected: `a value for {{ ${query.text} }}`,
    actual: 'nothing at this path',
    ...(isElement
      ? { hint: 'the fields of the predicate are at the root: write the path without element.predicate' }
      : {}),
  });
}
