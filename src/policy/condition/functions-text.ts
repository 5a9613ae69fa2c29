/** Kyverno's functions over text, objects and lists. Regular expressions are RE2. */
import { RE2JS } from 're2js';
import { fromBase64, toBase64, toHex, utf8, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { attempt } from '#base/result';
import { type Json, readYaml } from '../document.ts';
import { kyvernoText, parseImageName } from '../image/name.ts';
import { wildcardMatch } from '../image/wildcard.ts';
import { type FunctionTable, integerArg, refuse, spec } from './functions.ts';
import { deepEqual } from './operators.ts';
import { inRange, parseVersion } from './version.ts';

const text = (value: unknown): string => value as string;
const list = (value: unknown): Json[] => value as Json[];
const map = (value: unknown): { [name: string]: Json } => value as { [name: string]: Json };

const programs = new Map<string, RE2JS>();
const PROGRAMS_MAX = 1000;

/** A compiled RE2 expression; undefined when it does not compile. */
export function regexpProgram(pattern: string): RE2JS | undefined {
  const known = programs.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > limits.regexpChars) return undefined;
  try {
    const program = RE2JS.compile(pattern);
    if (programs.size >= PROGRAMS_MAX) programs.clear();
    programs.set(pattern, program);
    return program;
  } catch {
    return undefined;
  }
}

function program(name: string, pattern: unknown): RE2JS {
  const compiled = regexpProgram(text(pattern));
  if (compiled === undefined) throw refuse(name, 'an RE2 regular expression', JSON.stringify(pattern));
  return compiled;
}

/** Go's replacement language: `$1`, `${2}`, `${name}`; a group that is not there is empty. */
function replacedAll(program: RE2JS, source: string, template: string): string {
  const matcher = program.matcher(source);
  const names = program.namedGroups();
  let out = '';
  let at = 0;
  while (matcher.find()) {
    out += source.slice(at, matcher.start());
    out += template.replace(/\$\$|\$\{(\w+)\}|\$(\w+)/g, (all, braced, bare) => {
      if (all === '$$') return '$';
      const group = (braced ?? bare) as string;
      const index = Number(group);
      if (!Number.isInteger(index)) return Object.hasOwn(names, group) ? (matcher.group(group) ?? '') : '';
      return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
    });
    at = matcher.end();
  }
  return out + source.slice(at);
}

function replaceTimes(source: string, from: string, to: string, times: number): string {
  if (times < 0) return source.replaceAll(from, () => to);
  let out = source;
  let at = 0;
  for (let i = 0; i < times; i++) {
    const found = out.indexOf(from, at);
    if (found < 0) break;
    out = out.slice(0, found) + to + out.slice(found + from.length);
    at = found + to.length;
  }
  return out;
}

function trimSet(source: string, set: string): string {
  const cut = new Set(Array.from(set));
  const runes = Array.from(source);
  let start = 0;
  let end = runes.length;
  while (start < end && cut.has(runes[start] as string)) start++;
  while (end > start && cut.has(runes[end - 1] as string)) end--;
  return runes.slice(start, end).join('');
}

function canonicalPath(path: string): string {
  const isRooted = path.startsWith('/');
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out.at(-1) !== '..') out.pop();
    else if (!isRooted) out.push('..');
  }
  return isRooted ? `/${out.join('/')}` : out.join('/') || '.';
}

function lookup(where: Json, key: Json): Json {
  if (Array.isArray(where)) {
    if (typeof key !== 'number') throw refuse('lookup', 'a number', 'argument #2 is not of type Number');
    const at = integerArg('lookup', 2, key);
    return where[at] ?? null;
  }
  if (typeof key !== 'string') throw refuse('lookup', 'a string', 'argument #2 is not of type String');
  return Object.hasOwn(map(where), key) ? (map(where)[key] as Json) : null;
}

function items(where: Json, keyName: string, valueName: string): Json[] {
  if (Array.isArray(where)) return where.map((value, i) => ({ [keyName]: i, [valueName]: value }));
  const names = Object.keys(map(where)).sort();
  return names.map((name) => ({ [keyName]: name, [valueName]: map(where)[name] as Json }));
}

function truncate(source: string, length: number): string {
  const graphemes = Array.from(new Intl.Segmenter('en').segment(source), ({ segment }) => segment);
  return graphemes.slice(0, Math.max(0, Math.trunc(length))).join('');
}

function semverCompare(version: string, range: string): boolean {
  const parsed = parseVersion(version.replace(/^v/, ''));
  // An unreadable version is an error, never 0.0.0, which every `<x` accepts.
  if (parsed === undefined) throw refuse('semver_compare', 'a semantic version', JSON.stringify(version));
  const holds = inRange(parsed, range);
  if (holds === undefined) throw refuse('semver_compare', 'a version range', JSON.stringify(range));
  return holds;
}

function parsedJson(source: string): Json {
  try {
    return JSON.parse(source) as Json;
  } catch {
    throw refuse('parse_json', 'JSON', 'text that does not parse');
  }
}

function parsedYaml(source: string): Json {
  const read = attempt(() => readYaml(source, 'parse_yaml')[0]?.json() ?? null);
  if (!read.ok) throw refuse('parse_yaml', 'YAML', read.error.actual);
  return read.value;
}

function decoded(source: string): string {
  const read = attempt(() => utf8Text(fromBase64(source)));
  if (!read.ok) throw refuse('base64_decode', 'base64 of text', read.error.actual);
  return read.value;
}

function normalised(image: string): string {
  const name = parseImageName(image);
  if (name.ok) return kyvernoText(name.value);
  const shown = `bad image: docker.io/${image}, defaultRegistry: docker.io, enableDefaultRegistryMutation: true`;
  throw refuse('image_normalize', 'an image reference', `${shown}: invalid reference format`);
}

const labelsMatch = (wanted: { [name: string]: Json }, actual: { [name: string]: Json }): boolean =>
  Object.entries(wanted).every(
    ([name, value]) => Object.hasOwn(actual, name) && deepEqual(actual[name] as Json, value),
  );

function toBoolean(source: string): boolean {
  const lower = source.toLowerCase();
  if (lower === 'true' || lower === 'false') return lower === 'true';
  throw refuse('to_boolean', 'true or false', JSON.stringify(source));
}

export const textFunctions: FunctionTable = {
  compare: spec(['string', 'string'], ([a, b]) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0)),
  equal_fold: spec(['string', 'string'], ([a, b]) => text(a).toLowerCase() === text(b).toLowerCase()),
  replace: spec(['string', 'string', 'string', 'number'], ([a, b, c, n]) =>
    replaceTimes(text(a), text(b), text(c), integerArg('replace', 4, n as number)),
  ),
  replace_all: spec(['string', 'string', 'string'], ([a, b, c]) =>
    text(a).replaceAll(text(b), () => text(c)),
  ),
  to_upper: spec(['string'], ([a]) => text(a).toUpperCase()),
  to_lower: spec(['string'], ([a]) => text(a).toLowerCase()),
  trim: spec(['string', 'string'], ([a, b]) => trimSet(text(a), text(b))),
  trim_prefix: spec(['string', 'string'], ([a, b]) =>
    text(a).startsWith(text(b)) ? text(a).slice(text(b).length) : text(a),
  ),
  split: spec(['string', 'string'], ([a, b]) => text(a).split(text(b))),
  truncate: spec(['string', 'number'], ([a, b]) => truncate(text(a), b as number)),
  regex_match: spec(['string', ['string', 'number']], ([a, b]) =>
    program('regex_match', a).matcher(String(b)).find(),
  ),
  regex_replace_all: spec(['string', ['string', 'number'], ['string', 'number']], ([a, b, c]) =>
    replacedAll(program('regex_replace_all', a), String(b), String(c)),
  ),
  regex_replace_all_literal: spec(['string', ['string', 'number'], ['string', 'number']], ([a, b, c]) =>
    replacedAll(program('regex_replace_all_literal', a), String(b), String(c).replaceAll('$', '$$$$')),
  ),
  pattern_match: spec(['string', ['string', 'number']], ([a, b]) => wildcardMatch(text(a), String(b))),
  label_match: spec(['object', 'object'], ([a, b]) => labelsMatch(map(a), map(b))),
  to_boolean: spec(['string'], ([a]) => toBoolean(text(a))),
  base64_decode: spec(['string'], ([a]) => decoded(text(a))),
  base64_encode: spec(['string'], ([a]) => toBase64(utf8(text(a)))),
  path_canonicalize: spec(['string'], ([a]) => canonicalPath(text(a))),
  semver_compare: spec(['string', 'string'], ([a, b]) => semverCompare(text(a), text(b))),
  parse_json: spec(['string'], ([a]) => parsedJson(text(a))),
  parse_yaml: spec(['string'], ([a]) => parsedYaml(text(a))),
  lookup: spec(
    [
      ['object', 'array'],
      ['string', 'number'],
    ],
    ([a, b]) => lookup(a as Json, b as Json),
  ),
  items: spec([['object', 'array'], 'string', 'string'], ([a, b, c]) => items(a as Json, text(b), text(c))),
  object_from_lists: spec(['array', 'array'], ([a, b]) =>
    Object.fromEntries(list(a).map((name, i) => [String(name), list(b)[i] ?? null])),
  ),
  image_normalize: spec(['string'], ([a]) => normalised(text(a))),
  sha256: spec(['string'], ([a]) => toHex(sha256(utf8(text(a))))),
};
