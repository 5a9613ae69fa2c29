/**
 * A place in a YAML file: what stands there and where. GitHub reads YAML 1.2 (`on` is a word, not a boolean),
 * takes anchors and aliases, and no merge keys; so does this.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface Position {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
}

export const positionText = (at: Position): string => `${at.file}:${at.line}:${at.column}`;

export interface Field {
  readonly name: string;
  readonly key: Spot;
  readonly value: Spot;
}

interface Source {
  readonly file: string;
  readonly lines: LineCounter;
  resolve(node: Node): Node | undefined;
}

/** The root of a YAML file. Throws WB-770 with the position. */
export function readSpot(text: string, file: string): Spot {
  if (text.length > limits.workflowBytes) {
    const expected = `at most ${limits.workflowBytes} characters`;
    throw fail(R.yaml, { expected, actual: `${file}: ${text.length} characters` });
  }
  const lines = new LineCounter();
  const document = parse(text, file, lines);
  const problem = document.errors[0];
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    const at = positionText({ file, line: Math.max(line, 1), column: Math.max(col, 1) });
    throw fail(R.yaml, { expected: 'YAML', actual: `${at}: ${problem.message.split('\n')[0]}` });
  }
  const source: Source = {
    file,
    lines,
    resolve: (node) => (isAlias(node) ? (node.resolve(document) as Node | undefined) : node),
  };
  return new Spot(source, document.contents as Node | null);
}

/** The parser is recursive: text nested beyond its stack is refused, not fatal. */
function parse(text: string, file: string, lineCounter: LineCounter): ReturnType<typeof parseDocument> {
  try {
    return parseDocument(text, { lineCounter, merge: false, prettyErrors: false });
  } catch (error) {
    throw fail(R.yaml, { expected: 'YAML', actual: `${file}: ${(error as Error).message}` });
  }
}

export class Spot {
  readonly #source: Source;
  /** As written; an alias is a place of its own. */
  readonly #written: Node | null;
  readonly #node: Node | null;

  constructor(source: Source, node: Node | null) {
    this.#source = source;
    this.#written = node;
    this.#node = node === null ? null : (source.resolve(node) ?? null);
    if (isAlias(node) && this.#node === null) throw this.refusal('an anchor of that name before it');
  }

  get position(): Position {
    return this.#positionOf(this.#written?.range?.[0] ?? 0);
  }

  /** The last line that belongs to the value, from 1. */
  get lastLine(): number {
    return this.#positionOf(Math.max(0, (this.#written?.range?.[1] ?? 1) - 1)).line;
  }

  /** Written in block style, and not by an alias: lines of it can be edited. */
  get isBlock(): boolean {
    return !isAlias(this.#written) && isMap(this.#node) && this.#node.flow !== true;
  }

  get isAlias(): boolean {
    return isAlias(this.#written);
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  get isList(): boolean {
    return isSeq(this.#node);
  }

  get isEmpty(): boolean {
    return this.#node === null || (isScalar(this.#node) && this.#node.value === null);
  }

  /** The text of a scalar; numbers and booleans as they are read. Undefined for everything else. */
  get text(): string | undefined {
    if (!isScalar(this.#node)) return undefined;
    const { value } = this.#node;
    return value === null || value === undefined ? undefined : String(value);
  }

  /** Fields of a map in their order; none for anything else. */
  get fields(): readonly Field[] {
    if (!isMap(this.#node)) return [];
    return this.#node.items.flatMap((pair: Pair) => {
      const key = new Spot(this.#source, pair.key as Node | null);
      const name = key.text;
      // GitHub takes no merge keys: what they would bring in must not be overlooked here.
      if (name === '<<') throw key.refusal('fields written out, or an alias for the whole value');
      return name === undefined
        ? []
        : [{ name, key, value: new Spot(this.#source, pair.value as Node | null) }];
    });
  }

  field(name: string): Field | undefined {
    return this.fields.find((one) => one.name === name);
  }

  get(name: string): Spot | undefined {
    return this.field(name)?.value;
  }

  get items(): readonly Spot[] {
    return isSeq(this.#node) ? this.#node.items.map((item) => new Spot(this.#source, item as Node)) : [];
  }

  /** One text, or a list of them. */
  get texts(): readonly string[] {
    const { text } = this;
    return text === undefined ? this.items.flatMap((item) => item.text ?? []) : [text];
  }

  /** Refuses the form of what stands here: WB-771. */
  refusal(expected: string): Error {
    const kind = this.isMap ? 'a map' : this.isList ? 'a list' : JSON.stringify(this.text ?? null);
    return fail(R.workflow, { expected, actual: `${positionText(this.position)}: ${kind}` });
  }

  #positionOf(offset: number): Position {
    const { line, col } = this.#source.lines.linePos(offset);
    return { file: this.#source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}
