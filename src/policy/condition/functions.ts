/** What a JMESPath function is: the types of its arguments, and the function. */
import { fail } from '#base/reason';
import type { Json } from '../document.ts';
import { R } from '../reasons.ts';

export type ArgType = 'any' | 'array' | 'boolean' | 'expression' | 'null' | 'number' | 'object' | 'string';

/** `&expression`: applied to an element by functions such as sort_by. */
export interface Reference {
  readonly reference: (item: Json) => Json;
}

/** What a function may know besides its arguments. */
export interface Surroundings {
  /** Time of the evaluation in milliseconds since the epoch. */
  readonly nowMs: number;
}

export interface FunctionSpec {
  readonly args: readonly (readonly ArgType[])[];
  /** The last argument may repeat. */
  readonly isVariadic?: boolean;
  readonly run: (args: readonly (Json | Reference)[], surroundings: Surroundings) => Json;
}

export type FunctionTable = Readonly<Record<string, FunctionSpec>>;

export function typeName(value: Json | Reference): ArgType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value !== 'object') return typeof value as ArgType;
  return typeof (value as Partial<Reference>).reference === 'function' ? 'expression' : 'object';
}

export const spec = (
  args: readonly (ArgType | readonly ArgType[])[],
  run: FunctionSpec['run'],
  isVariadic = false,
): FunctionSpec => ({
  args: args.map((arg) => (typeof arg === 'string' ? [arg] : arg)),
  run,
  isVariadic,
});

export function refuse(name: string, expected: string, actual: string): Error {
  return fail(R.expressionFailed, { expected, actual: `JMESPath function '${name}': ${actual}` });
}

export function integerArg(name: string, position: number, value: number): number {
  if (Number.isInteger(value)) return value;
  const actual = `argument #${position}: expected an integer number but got: ${value}`;
  throw refuse(name, 'an integer', actual);
}
