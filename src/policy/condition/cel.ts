/**
 * CEL programs of a policy: compiled and type-checked when the policy is read, evaluated over plain JSON. No
 * function reaches the network or the clock. `matches` is RE2, not the host's regular expressions.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { fail } from '#base/reason';
import type { Json } from '../document.ts';
import { R } from '../reasons.ts';
import { regexpProgram } from './functions-text.ts';

export interface CelProgram {
  readonly text: string;
  /** True or false; throws WB-745 when the expression fails on this data or yields something else. */
  run(variables: Readonly<Record<string, Json>>): boolean;
}

const CHARS_MAX = 8192;
const limits = { maxAstNodes: 2000, maxDepth: 64, maxListElements: 1000, maxMapEntries: 1000 };

function matchesRe2(text: string, pattern: string): boolean {
  const program = regexpProgram(pattern);
  if (program === undefined) throw new Error(`not an RE2 regular expression: ${pattern}`);
  return program.matcher(text).find();
}

function environmentWith(names: readonly string[]): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits,
  }).registerFunction('string.re2Matches(string): bool', matchesRe2);
  for (const name of names) environment.registerVariable(name, 'dyn');
  return environment;
}

/** `.matches(` outside of string literals becomes our own function; the library's own cannot be replaced. */
function withRe2(text: string): string {
  const tokens =
    /[rR]?(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\.\s*matches\s*\(/g;
  return text.replace(tokens, (token) => (token.startsWith('.') ? '.re2Matches(' : token));
}

function usesHostRegexp(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(usesHostRegexp);
  if (typeof node !== 'object' || node === null) return false;
  const { op, args } = node as Partial<ASTNode>;
  if ((op === 'rcall' || op === 'call') && Array.isArray(args) && args[0] === 'matches') return true;
  return usesHostRegexp(args);
}

/** Throws WB-730 for text that does not parse, names an unknown variable, or cannot yield a boolean. */
export function compileCel(text: string, variables: readonly string[]): CelProgram {
  const bad = (actual: string): Error => fail(R.expression, { expected: 'a CEL expression', actual });
  if (text.length > CHARS_MAX) throw bad(`${text.length} characters`);
  const environment = environmentWith(variables);
  const parsed = (() => {
    try {
      return environment.parse(withRe2(text));
    } catch (error) {
      throw bad(firstLine(error));
    }
  })();
  if (usesHostRegexp(parsed.ast)) throw bad('matches() in a form that is not a call on a string');
  const checked = parsed.check();
  if (!checked.valid) throw bad(firstLine(checked.error));
  if (checked.type !== 'bool' && checked.type !== 'dyn') throw bad(`an expression of type ${checked.type}`);
  return { text, run: (values) => runProgram(text, parsed, values) };
}

function runProgram(
  text: string,
  program: (context: Record<string, unknown>) => unknown,
  values: Readonly<Record<string, Json>>,
): boolean {
  const context = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, celValue(value)]));
  let result: unknown;
  try {
    result = program(context);
  } catch (error) {
    throw fail(R.expressionFailed, { expected: `a result of ${text}`, actual: firstLine(error) });
  }
  if (typeof result === 'boolean') return result;
  throw fail(R.expressionFailed, { expected: `true or false from ${text}`, actual: typeof result });
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;

/** JSON integers are CEL ints. */
function celValue(value: Json): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, celValue(item)]));
}
