/**
 * JMESPath (jmespath.org specification) to a tree. Own, because Kyverno's functions and type errors are part
 * of the policy language and the interpreter must stay free of I/O. Depth and length are bounded.
 */
import { fail } from '#base/reason';
import type { Json } from '../document.ts';
import { R } from '../reasons.ts';

export type Expression =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'current' }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'slice'; readonly parts: readonly (number | undefined)[] }
  | { readonly kind: 'flatten'; readonly of: Expression }
  | { readonly kind: 'chain'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'pipe'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'projection'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'valueProjection'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'filter';
      readonly left: Expression;
      readonly test: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'compare';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'or' | 'and'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'list'; readonly of: readonly Expression[] }
  | { readonly kind: 'hash'; readonly entries: readonly (readonly [string, Expression])[] }
  | { readonly kind: 'reference'; readonly of: Expression }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] };

interface Token {
  readonly kind: 'name' | 'quoted' | 'literal' | 'number' | 'sign' | 'end';
  readonly text: string;
  readonly value?: Json;
  readonly at: number;
}

const CHARS_MAX = 4096;
const DEPTH_MAX = 64;
const signs = /^(?:\[\?|\[\]|\|\||&&|==|!=|<=|>=|[.*[\]{}(),:|&!<>@])/;

const problem = (expression: string, at: number, what: string): Error =>
  fail(R.expression, {
    expected: 'a JMESPath expression',
    actual: `${what} at character ${at + 1} of ${expression}`,
  });

function tokens(expression: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  while (at < expression.length) {
    const rest = expression.slice(at);
    const space = /^\s+/.exec(rest);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const token = nextToken(expression, rest, at);
    out.push(token.token);
    at += token.length;
  }
  out.push({ kind: 'end', text: 'the end', at });
  return out;
}

function nextToken(expression: string, rest: string, at: number): { token: Token; length: number } {
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
  if (name !== undefined) return { token: { kind: 'name', text: name, at }, length: name.length };
  const number = /^-?[0-9]+/.exec(rest)?.[0];
  if (number !== undefined) return { token: { kind: 'number', text: number, at }, length: number.length };
  const quoted = /^"(?:[^"\\]|\\[\s\S])*"/.exec(rest)?.[0];
  if (quoted !== undefined) {
    const value = jsonOf(quoted) as Json | undefined;
    if (typeof value !== 'string') throw problem(expression, at, 'a malformed quoted name');
    return { token: { kind: 'quoted', text: value, at }, length: quoted.length };
  }
  const raw = /^'((?:[^'\\]|\\[\s\S])*)'/.exec(rest);
  if (raw !== null) {
    const value = (raw[1] as string).replaceAll("\\'", "'");
    return { token: { kind: 'literal', text: raw[0], value, at }, length: raw[0].length };
  }
  const literal = /^`((?:[^`\\]|\\[\s\S])*)`/.exec(rest);
  if (literal !== null) {
    const text = (literal[1] as string).replaceAll('\\`', '`').trim();
    const value = jsonOf(text) ?? jsonOf(`"${text}"`);
    if (value === undefined) throw problem(expression, at, 'a malformed literal');
    return { token: { kind: 'literal', text: literal[0], value, at }, length: literal[0].length };
  }
  const sign = signs.exec(rest)?.[0];
  if (sign === undefined) throw problem(expression, at, `the character ${JSON.stringify(rest[0])}`);
  return { token: { kind: 'sign', text: sign, at }, length: sign.length };
}

function jsonOf(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

const power: Readonly<Record<string, number>> = {
  '|': 1,
  '||': 2,
  '&&': 3,
  '==': 5,
  '!=': 5,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  '[]': 9,
  '*': 20,
  '[?': 21,
  '.': 40,
  '!': 45,
  '{': 50,
  '[': 55,
  '(': 60,
};
/** A projection ends before any operator that binds less than this. */
const PROJECTION_STOP = 10;

/** Throws WB-730 with the character position. */
export function parseJmespath(expression: string): Expression {
  if (expression.length > CHARS_MAX) throw problem(expression.slice(0, 40), CHARS_MAX, 'too many characters');
  return new Parser(expression).whole();
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokens(text);
  }

  whole(): Expression {
    const tree = this.#expression(0);
    if (this.#peek().kind !== 'end') throw this.#unexpected(this.#peek());
    return tree;
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #isSign(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.kind === 'sign' && token.text === text;
  }

  #expect(text: string): void {
    const token = this.#next();
    if (token.kind !== 'sign' || token.text !== text) throw this.#unexpected(token);
  }

  #unexpected(token: Token): Error {
    return problem(this.#text, token.at, `unexpected ${token.text}`);
  }

  #expression(binding: number): Expression {
    if (++this.#depth > DEPTH_MAX) throw problem(this.#text, this.#peek().at, 'too deep nesting');
    let left = this.#prefix(this.#next());
    while (this.#peek().kind === 'sign' && binding < (power[this.#peek().text] ?? 0)) {
      left = this.#infix(this.#next(), left);
    }
    this.#depth--;
    return left;
  }

  #prefix(token: Token): Expression {
    if (token.kind === 'literal') return { kind: 'literal', value: token.value as Json };
    if (token.kind === 'quoted') return { kind: 'field', name: token.text };
    if (token.kind === 'name') {
      return this.#isSign('(') ? this.#call(token.text) : { kind: 'field', name: token.text };
    }
    if (token.kind !== 'sign') throw this.#unexpected(token);
    return this.#prefixSign(token);
  }

  #prefixSign(token: Token): Expression {
    const current: Expression = { kind: 'current' };
    switch (token.text) {
      case '@':
        return current;
      case '!':
        return { kind: 'not', of: this.#expression(power['!'] as number) };
      case '&':
        return { kind: 'reference', of: this.#expression(0) };
      case '*':
        return { kind: 'valueProjection', left: current, right: this.#projectionEnd(power['*'] as number) };
      case '[]':
        return this.#flattened(current);
      case '[?':
        return this.#filter(current);
      case '{':
        return this.#hash();
      case '(': {
        const inner = this.#expression(0);
        this.#expect(')');
        return inner;
      }
      case '[':
        return this.#bracket(current, true);
      default:
        throw this.#unexpected(token);
    }
  }

  #infix(token: Token, left: Expression): Expression {
    const strength = power[token.text] as number;
    switch (token.text) {
      case '.':
        return this.#afterDot(left);
      case '|':
        return { kind: 'pipe', left, right: this.#expression(strength) };
      case '||':
        return { kind: 'or', left, right: this.#expression(strength) };
      case '&&':
        return { kind: 'and', left, right: this.#expression(strength) };
      case '[]':
        return this.#flattened(left);
      case '[?':
        return this.#filter(left);
      case '[':
        return this.#bracket(left, false);
      case '==':
      case '!=':
      case '<':
      case '<=':
      case '>':
      case '>=':
        return { kind: 'compare', operator: token.text, left, right: this.#expression(strength) };
      default:
        throw this.#unexpected(token);
    }
  }

  #afterDot(left: Expression): Expression {
    if (this.#isSign('*')) {
      this.#next();
      return { kind: 'valueProjection', left, right: this.#projectionEnd(power['*'] as number) };
    }
    return { kind: 'chain', left, right: this.#dotted(power['.'] as number) };
  }

  #dotted(binding: number): Expression {
    const token = this.#peek();
    if (token.kind === 'name' || token.kind === 'quoted') return this.#expression(binding);
    if (this.#isSign('[')) {
      this.#next();
      return { kind: 'list', of: this.#listOf(']') };
    }
    if (this.#isSign('{')) {
      this.#next();
      return this.#hash();
    }
    throw this.#unexpected(token);
  }

  /** What follows a projection and is applied to each element. */
  #projectionEnd(binding: number): Expression {
    const token = this.#peek();
    if (token.kind === 'end' || (power[token.text] ?? 0) < PROJECTION_STOP) return { kind: 'current' };
    if (this.#isSign('.')) {
      this.#next();
      return this.#isSign('*') ? this.#expression(binding) : this.#dotted(binding);
    }
    if (this.#isSign('[') || this.#isSign('[?')) return this.#expression(binding);
    throw this.#unexpected(token);
  }

  #flattened(left: Expression): Expression {
    const of: Expression = { kind: 'flatten', of: left };
    return { kind: 'projection', left: of, right: this.#projectionEnd(power['[]'] as number) };
  }

  #filter(left: Expression): Expression {
    const test = this.#expression(0);
    this.#expect(']');
    const right: Expression = this.#isSign('[]')
      ? { kind: 'current' }
      : this.#projectionEnd(power['[?'] as number);
    return { kind: 'filter', left, test, right };
  }

  /** After `[`: an index, a slice, `*`, or (as a prefix) a list of expressions. */
  #bracket(left: Expression, isPrefix: boolean): Expression {
    if (this.#isSign('*') && this.#isSign(']', 1)) {
      this.#next();
      this.#next();
      return { kind: 'projection', left, right: this.#projectionEnd(power['*'] as number) };
    }
    if (this.#peek().kind === 'number' || this.#isSign(':')) return this.#indexOrSlice(left);
    if (isPrefix) return { kind: 'list', of: this.#listOf(']') };
    throw this.#unexpected(this.#peek());
  }

  #indexOrSlice(left: Expression): Expression {
    const parts: (number | undefined)[] = [undefined];
    while (!this.#isSign(']')) {
      const token = this.#next();
      if (token.kind === 'number') parts[parts.length - 1] = Number(token.text);
      else if (token.kind === 'sign' && token.text === ':' && parts.length < 3) parts.push(undefined);
      else throw this.#unexpected(token);
    }
    this.#expect(']');
    if (parts.length === 1) {
      return { kind: 'chain', left, right: { kind: 'index', index: parts[0] as number } };
    }
    if (parts[2] === 0) throw problem(this.#text, this.#peek().at, 'a slice with step 0');
    const sliced: Expression = { kind: 'chain', left, right: { kind: 'slice', parts } };
    return { kind: 'projection', left: sliced, right: this.#projectionEnd(power['*'] as number) };
  }

  #listOf(end: string): Expression[] {
    const out: Expression[] = [];
    while (!this.#isSign(end)) {
      out.push(this.#expression(0));
      if (!this.#isSign(end)) this.#expect(',');
    }
    this.#next();
    return out;
  }

  #hash(): Expression {
    const entries: (readonly [string, Expression])[] = [];
    while (true) {
      const key = this.#next();
      if (key.kind !== 'name' && key.kind !== 'quoted') throw this.#unexpected(key);
      this.#expect(':');
      entries.push([key.text, this.#expression(0)]);
      if (this.#isSign('}')) break;
      this.#expect(',');
    }
    this.#next();
    return { kind: 'hash', entries };
  }

  #call(name: string): Expression {
    this.#expect('(');
    return { kind: 'call', name, args: this.#listOf(')') };
  }
}
