/**
 * YAML with positions. A `YamlNode` is a cursor: it knows its path and its place in the file, and every
 * refusal names both. Anchors and aliases are refused (a policy is read by people), as are duplicate keys and
 * the plain words that YAML 1.1 readers (Kubernetes among them) take for booleans.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
} from 'yaml';
import { limits } from '#base/limits';
import { nearestWord } from '#base/nearest';
import { fail, type ReasonSpec } from '#base/reason';
import { R } from './reasons.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Position {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

export const positionText = (at: Position): string => `${at.file}:${at.line}:${at.column}`;

interface Source {
  readonly file: string;
  /** Characters; and whether the last of them ends a line. */
  readonly length: number;
  readonly isLineEnded: boolean;
  readonly lines: LineCounter;
}

/** Every non-empty document of a YAML stream. Throws WB-720 with the position. */
export function readYaml(text: string, file: string): YamlNode[] {
  if (text.length > limits.policyBytes) {
    const expected = `at most ${limits.policyBytes} characters`;
    throw fail(R.yaml, { expected, actual: `${file}: ${text.length} characters` });
  }
  const lines = new LineCounter();
  const source: Source = { file, length: text.length, isLineEnded: text.endsWith('\n'), lines };
  const found: YamlNode[] = [];
  for (const document of documentsOf(text, file, lines)) {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) {
      const at = placeOf(source, problem.pos[0]);
      const actual = `${positionText(at)}: ${problem.message.split('\n')[0]}`;
      throw fail(R.yaml, { expected: 'YAML', actual });
    }
    if (document.contents === null || isNullScalar(document.contents)) continue;
    found.push(new YamlNode(source, document.contents as Node, '', 0));
  }
  return found;
}

/** The parser is recursive: text nested beyond its stack is refused, not fatal. */
function documentsOf(text: string, file: string, lineCounter: LineCounter): Document.Parsed[] {
  try {
    return parseAllDocuments(text, { lineCounter, merge: false, prettyErrors: false }) as Document.Parsed[];
  } catch (error) {
    throw fail(R.yaml, { expected: 'YAML', actual: `${file}: ${(error as Error).message}` });
  }
}

/** The documents of a YAML or JSON text as plain values. Throws WB-720. */
export const readObjects = (text: string, file: string): Json[] =>
  readYaml(text, file).map((document) => document.json());

function placeOf(source: Source, offset: number): Position {
  const { line, col } = source.lines.linePos(offset);
  return { file: source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

const isNullScalar = (node: unknown): boolean => isScalar(node) && node.value === null;
/** What sigs.k8s.io/yaml turns into a boolean although YAML 1.2 says text. */
const bareBooleans = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;

export type Fields = ReadonlyMap<string, YamlNode>;

export class YamlNode {
  readonly #source: Source;
  readonly #node: Node;
  /** Dotted path in the document, for example `spec.rules[0].name`. */
  readonly path: string;

  readonly #depth: number;

  constructor(source: Source, node: Node, path: string, depth: number) {
    this.#depth = depth;
    this.#source = source;
    this.#node = node;
    this.path = path;
    if (depth > limits.jsonDepth) {
      throw this.refusal(R.yaml, `at most ${limits.jsonDepth} levels`, 'deeper nesting');
    }
    if (isAlias(node) || (node as { anchor?: string }).anchor !== undefined) {
      throw this.refusal(R.yaml, 'YAML without anchors and aliases', 'an anchor or alias');
    }
  }

  get position(): Position {
    return placeOf(this.#source, this.#node.range?.[0] ?? 0);
  }

  /** An error that names this place. */
  refusal(spec: ReasonSpec, expected: string, actual: string, hint?: string): Error {
    const where = this.path === '' ? '' : `${this.path}: `;
    return fail(spec, {
      expected,
      actual: `${positionText(this.position)}: ${where}${actual}`,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  isObject(): boolean {
    return isMap(this.#node);
  }

  isList(): boolean {
    return isSeq(this.#node);
  }

  /** Fields of an object without a judgement on their names; nulls count as absent. */
  anyFields(): Fields {
    if (!isMap(this.#node)) throw this.refusal(R.value, 'an object', this.#kind());
    const fields = new Map<string, YamlNode>();
    for (const pair of this.#node.items) {
      const key = pair.key as Scalar;
      const name = isScalar(key) ? String(key.value) : '';
      if (!isScalar(key) || name === '__proto__') throw this.refusal(R.yaml, 'plain keys', 'another key');
      if (pair.value === null || isNullScalar(pair.value)) continue;
      fields.set(
        name,
        new YamlNode(this.#source, pair.value as Node, joinPath(this.path, name), this.#depth + 1),
      );
    }
    return fields;
  }

  /** Fields of an object of a known schema. An unknown name is refused with its place and the nearest name. */
  fields(known: readonly string[]): Fields {
    const fields = this.anyFields();
    for (const name of this.keys()) {
      if (known.includes(name)) continue;
      const close = nearestWord(name, known);
      const at = this.#keyPosition(name);
      throw fail(R.unknownField, {
        expected: `one of the fields ${known.join(', ')}`,
        actual: `${positionText(at)}: ${joinPath(this.path, name)}`,
        ...(close === undefined ? {} : { hint: `did you mean ${close}?` }),
      });
    }
    return fields;
  }

  keys(): string[] {
    return isMap(this.#node) ? this.#node.items.map((pair) => String((pair.key as Scalar).value)) : [];
  }

  #keyPosition(name: string): Position {
    const pair = isMap(this.#node)
      ? this.#node.items.find((item) => String((item.key as Scalar).value) === name)
      : undefined;
    return placeOf(this.#source, (pair?.key as Scalar | undefined)?.range?.[0] ?? 0);
  }

  items(): YamlNode[] {
    if (!isSeq(this.#node)) throw this.refusal(R.value, 'a list', this.#kind());
    return this.#node.items.map(
      (item, index) => new YamlNode(this.#source, item as Node, `${this.path}[${index}]`, this.#depth + 1),
    );
  }

  text(): string {
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value !== 'string') throw this.refusal(R.value, 'a string', this.#kind());
    if ((this.#node as Scalar).type === 'PLAIN' && bareBooleans.test(value)) {
      throw this.refusal(R.yaml, 'quotes around a word that Kubernetes reads as a boolean', value);
    }
    return value;
  }

  nonEmptyText(): string {
    const value = this.text();
    if (value === '') throw this.refusal(R.missing, 'a value', 'an empty string');
    return value;
  }

  texts(): string[] {
    return this.items().map((item) => item.text());
  }

  flag(): boolean {
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value !== 'boolean') throw this.refusal(R.value, 'true or false', this.#kind());
    return value;
  }

  integer(min: number, max: number): number {
    const value = isScalar(this.#node) ? this.#node.value : undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw this.refusal(R.value, `an integer from ${min} to ${max}`, this.#kind());
    }
    return value;
  }

  oneOf<const T extends string>(values: readonly T[]): T {
    const value = this.text();
    const found = values.find((candidate) => candidate === value);
    if (found === undefined)
      throw this.refusal(R.value, `one of ${values.join(', ')}`, JSON.stringify(value));
    return found;
  }

  stringMap(): Record<string, string> {
    const out: Record<string, string> = {};
    for (const [name, node] of this.anyFields()) out[name] = node.text();
    return out;
  }

  /** The value as JSON; anchors below are refused on the way. */
  json(): Json {
    if (isMap(this.#node)) {
      const out: { [name: string]: Json } = Object.fromEntries(this.keys().map((name) => [name, null]));
      for (const [name, node] of this.anyFields()) out[name] = node.json();
      return out;
    }
    if (isSeq(this.#node)) return this.items().map((item) => item.json());
    const value = isScalar(this.#node) ? this.#node.value : null;
    if (typeof value === 'string') return this.#blockText(value);
    if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
    throw this.refusal(R.value, 'a JSON value', this.#kind());
  }

  /** A block scalar that the end of the file cuts off has no line end to keep. */
  #blockText(value: string): string {
    const isBlock = /^BLOCK_/.test((this.#node as Scalar).type ?? '');
    const isLast = (this.#node.range?.[1] ?? 0) >= this.#source.length;
    return isBlock && isLast && !this.#source.isLineEnded ? value.replace(/\n$/, '') : value;
  }

  #kind(): string {
    if (isMap(this.#node)) return 'an object';
    if (isSeq(this.#node)) return 'a list';
    return isScalar(this.#node) ? JSON.stringify(this.#node.value) : 'nothing';
  }
}

/** A required field; throws WB-723 naming the place of the object that lacks it. */
export function required(owner: YamlNode, fields: Fields, name: string): YamlNode {
  const found = fields.get(name);
  if (found !== undefined) return found;
  throw owner.refusal(R.missing, `a field ${name}`, 'none');
}

const joinPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
