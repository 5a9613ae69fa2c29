/** Evaluates a JMESPath tree. A missing field is null; a wrong type in a function is an error (WB-745). */

import { limits } from '#base/limits';
import { nearestWord } from '#base/nearest';
import { fail } from '#base/reason';
import type { Json } from '../document.ts';
import { R } from '../reasons.ts';
import { type FunctionTable, type Reference, type Surroundings, typeName } from './functions.ts';
import { arithmeticFunctions } from './functions-arithmetic.ts';
import { standardFunctions } from './functions-standard.ts';
import { textFunctions } from './functions-text.ts';
import { timeFunctions } from './functions-time.ts';
import { type Expression, parseJmespath } from './jmespath-parse.ts';
import { deepEqual } from './operators.ts';

/** Kyverno's own definitions come last: they replace a standard function of the same name. */
const functions: FunctionTable = {
  ...standardFunctions,
  ...textFunctions,
  ...arithmeticFunctions,
  ...timeFunctions,
};

export interface Query {
  readonly text: string;
  /** Throws WB-745 when a function refuses its arguments or the work exceeds its bound. */
  run(data: Json, surroundings: Surroundings): Json;
}

/** Throws WB-730 when the text does not parse or calls a function that does not exist. */
export function compileQuery(text: string): Query {
  const tree = parseJmespath(text);
  checkCalls(tree, text);
  return { text, run: (data, surroundings) => new Evaluation(surroundings).value(tree, data) };
}

function checkCalls(tree: Expression, text: string): void {
  const stack: unknown[] = [tree];
  while (stack.length > 0) {
    const node = stack.pop();
    if (typeof node !== 'object' || node === null) continue;
    const call = node as { kind?: string; name?: string };
    if (call.kind === 'literal') continue;
    if (call.kind === 'call' && !Object.hasOwn(functions, call.name as string)) {
      const close = nearestWord(call.name as string, Object.keys(functions));
      throw fail(R.expression, {
        expected: 'a function of JMESPath or Kyverno',
        actual: `${call.name}() in ${text}`,
        ...(close === undefined ? {} : { hint: `did you mean ${close}()?` }),
      });
    }
    stack.push(...Object.values(node));
  }
}

const isTruthy = (value: Json): boolean => {
  if (value === null || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
};

class Evaluation {
  readonly #surroundings: Surroundings;
  #steps = 0;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  value(tree: Expression, data: Json): Json {
    if (++this.#steps > limits.jmespathSteps) {
      throw fail(R.expressionFailed, { expected: `at most ${limits.jmespathSteps} steps`, actual: 'more' });
    }
    switch (tree.kind) {
      case 'field':
        return isObject(data) && Object.hasOwn(data, tree.name) ? (data[tree.name] as Json) : null;
      case 'literal':
        return tree.value;
      case 'current':
        return data;
      case 'index':
        return Array.isArray(data) ? (data.at(tree.index) ?? null) : null;
      case 'slice':
        return Array.isArray(data) ? slice(data, tree.parts) : null;
      case 'chain':
      case 'pipe':
        return this.#chain(tree.left, tree.right, data);
      case 'or': {
        const left = this.value(tree.left, data);
        return isTruthy(left) ? left : this.value(tree.right, data);
      }
      case 'and': {
        const left = this.value(tree.left, data);
        return isTruthy(left) ? this.value(tree.right, data) : left;
      }
      case 'not':
        return !isTruthy(this.value(tree.of, data));
      case 'compare':
        return compare(tree.operator, this.value(tree.left, data), this.value(tree.right, data));
      case 'list':
        return data === null ? null : tree.of.map((item) => this.value(item, data));
      case 'hash':
        if (data === null) return null;
        return Object.fromEntries(tree.entries.map(([name, item]) => [name, this.value(item, data)]));
      case 'reference':
        throw fail(R.expressionFailed, { expected: 'a value', actual: 'an expression reference' });
      case 'call':
        return this.#call(tree.name, tree.args, data);
      default:
        return this.#project(tree, data);
    }
  }

  #chain(left: Expression, right: Expression, data: Json): Json {
    const value = this.value(left, data);
    // `null.f()` is a call on null; every other step on null stays null.
    return this.value(right, value);
  }

  #project(
    tree: Extract<Expression, { kind: 'flatten' | 'projection' | 'valueProjection' | 'filter' }>,
    data: Json,
  ): Json {
    if (tree.kind === 'flatten') {
      const list = this.value(tree.of, data);
      return Array.isArray(list) ? list.flatMap((item) => (Array.isArray(item) ? item : [item])) : null;
    }
    const base = this.value(tree.left, data);
    const items = tree.kind === 'valueProjection' && isObject(base) ? Object.values(base) : base;
    if (!Array.isArray(items) || (tree.kind === 'valueProjection' && !isObject(base))) return null;
    const out: Json[] = [];
    for (const item of items) {
      if (tree.kind === 'filter' && !isTruthy(this.value(tree.test, item))) continue;
      const value = this.value(tree.right, item);
      if (value !== null) out.push(value);
    }
    return out;
  }

  #call(name: string, args: readonly Expression[], data: Json): Json {
    const values = args.map((arg): Json | Reference =>
      arg.kind === 'reference'
        ? { reference: (item: Json) => this.value(arg.of, item) }
        : this.value(arg, data),
    );
    return callFunction(name, values, this.#surroundings);
  }
}

/** Calls a function with checked arguments. Exported for the tables of calls. */
export function callFunction(
  name: string,
  args: readonly (Json | Reference)[],
  surroundings: Surroundings,
): Json {
  const spec = functions[name];
  if (spec === undefined) throw fail(R.expressionFailed, { expected: 'a known function', actual: name });
  const least = spec.args.length;
  const fits = spec.isVariadic === true ? args.length >= least : args.length === least;
  if (!fits) {
    const actual = `${args.length} arguments of ${name}`;
    throw fail(R.expressionFailed, { expected: `${least} arguments`, actual });
  }
  for (const [i, arg] of args.entries()) {
    const wanted = spec.args[Math.min(i, least - 1)] as readonly string[];
    const actual = typeName(arg);
    if (wanted.includes('any') ? actual !== 'expression' : wanted.includes(actual)) continue;
    const names = wanted.map((type) => `${type.charAt(0).toUpperCase()}${type.slice(1)}`).join(' or ');
    throw fail(R.expressionFailed, {
      expected: `${name}() with arguments of its types`,
      actual: `argument #${i + 1} is not of type ${names}: ${actual}`,
    });
  }
  return spec.run(args, surroundings);
}

const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function compare(operator: string, left: Json, right: Json): Json {
  if (operator === '==') return deepEqual(left, right);
  if (operator === '!=') return !deepEqual(left, right);
  if (typeof left !== 'number' || typeof right !== 'number') return null;
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

function slice(list: Json[], parts: readonly (number | undefined)[]): Json[] {
  const step = parts[2] ?? 1;
  const length = list.length;
  const bound = (value: number | undefined, fallback: number): number => {
    if (value === undefined) return fallback;
    const at = value < 0 ? value + length : value;
    return step > 0 ? Math.min(Math.max(at, 0), length) : Math.min(Math.max(at, -1), length - 1);
  };
  const start = bound(parts[0], step > 0 ? 0 : length - 1);
  const stop = bound(parts[1], step > 0 ? length : -1);
  const out: Json[] = [];
  for (let i = start; step > 0 ? i < stop : i > stop; i += step) out.push(list[i] as Json);
  return out;
}
