/** Kyverno's arithmetic: numbers, Kubernetes quantities and Go durations, in the mixes that mean something. */
import type { Json } from '../document.ts';
import { type FunctionTable, integerArg, type Reference, refuse, spec } from './functions.ts';
import { durationText, parseDuration, parseQuantity, type Quantity, quantityText } from './quantity.ts';

type Operand =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'quantity'; readonly value: Quantity }
  | { readonly kind: 'duration'; readonly value: bigint };

const NANO = 1_000_000_000n;

function operand(name: string, position: number, value: Json | Reference): Operand {
  if (typeof value === 'number') return { kind: 'number', value };
  if (typeof value === 'string') {
    const quantity = parseQuantity(value);
    if (quantity !== undefined) return { kind: 'quantity', value: quantity };
    const duration = parseDuration(value);
    if (duration !== undefined) return { kind: 'duration', value: duration };
  }
  throw refuse(name, 'a number, quantity or duration', `argument #${position} is ${JSON.stringify(value)}`);
}

const result = (value: Operand): Json => {
  if (value.kind === 'number') return value.value;
  return value.kind === 'quantity' ? quantityText(value.value) : durationText(value.value);
};

const mismatch = (name: string): Error => refuse(name, 'operands of types that fit', 'types mismatch');
const byZero = (name: string): Error => refuse(name, 'a divisor other than 0', '0');

function added(name: string, a: Operand, b: Operand, sign: 1 | -1): Operand {
  if (a.kind === 'number' && b.kind === 'number') return { kind: 'number', value: a.value + sign * b.value };
  if (a.kind === 'quantity' && b.kind === 'quantity') {
    const nano = a.value.nano + BigInt(sign) * b.value.nano;
    return { kind: 'quantity', value: { nano, format: a.value.format } };
  }
  if (a.kind === 'duration' && b.kind === 'duration') {
    return { kind: 'duration', value: a.value + BigInt(sign) * b.value };
  }
  throw mismatch(name);
}

/** An exact fraction for a double as it is written in decimal. */
function fraction(value: number): { top: bigint; bottom: bigint } {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:e([+-][0-9]+))?$/.exec(String(value));
  if (match === null) throw refuse('multiply', 'a finite number', String(value));
  const digits = match[3] ?? '';
  const exponent = Number(match[4] ?? 0) - digits.length;
  const top = BigInt(`${match[1]}${match[2]}${digits}`);
  return exponent >= 0
    ? { top: top * 10n ** BigInt(exponent), bottom: 1n }
    : { top, bottom: 10n ** BigInt(-exponent) };
}

function scaled(name: string, a: Operand, factor: { top: bigint; bottom: bigint }): Operand {
  if (a.kind === 'quantity') {
    const nano = (a.value.nano * factor.top) / factor.bottom;
    return { kind: 'quantity', value: { nano, format: a.value.format } };
  }
  if (a.kind === 'duration') return { kind: 'duration', value: (a.value * factor.top) / factor.bottom };
  throw mismatch(name);
}

function multiplied(a: Operand, b: Operand): Operand {
  if (a.kind === 'number' && b.kind === 'number') return { kind: 'number', value: a.value * b.value };
  if (b.kind === 'number') return scaled('multiply', a, fraction(b.value));
  if (a.kind === 'number') return scaled('multiply', b, fraction(a.value));
  throw mismatch('multiply');
}

/** Quotient of two exact values as the nearest double. */
function ratio(top: bigint, bottom: bigint): number {
  const whole = top / bottom;
  return Number(whole) + Number(top % bottom) / Number(bottom);
}

function divided(a: Operand, b: Operand): Operand {
  const zero = b.kind === 'number' ? b.value === 0 : (b.kind === 'quantity' ? b.value.nano : b.value) === 0n;
  if (zero) throw byZero('divide');
  if (a.kind === 'number' && b.kind === 'number') return { kind: 'number', value: a.value / b.value };
  if (a.kind === 'quantity' && b.kind === 'quantity') {
    return { kind: 'number', value: ratio(a.value.nano, b.value.nano) };
  }
  if (a.kind === 'duration' && b.kind === 'duration') {
    return { kind: 'number', value: ratio(a.value, b.value) };
  }
  if (b.kind !== 'number') throw mismatch('divide');
  const { top, bottom } = fraction(b.value);
  return scaled('divide', a, { top: bottom, bottom: top });
}

function remainder(a: Operand, b: Operand): Operand {
  if (a.kind !== b.kind) throw mismatch('modulo');
  if (a.kind === 'number' && b.kind === 'number') {
    if (b.value === 0) throw byZero('modulo');
    return {
      kind: 'number',
      value: integerArg('modulo', 1, a.value) % integerArg('modulo', 2, b.value),
    };
  }
  if (a.kind === 'duration' && b.kind === 'duration') {
    if (b.value === 0n) throw byZero('modulo');
    return { kind: 'duration', value: a.value % b.value };
  }
  if (a.kind !== 'quantity' || b.kind !== 'quantity') throw mismatch('modulo');
  if (b.value.nano === 0n) throw byZero('modulo');
  if (a.value.nano % NANO !== 0n || b.value.nano % NANO !== 0n) {
    throw refuse('modulo', 'whole quantities', 'a fraction');
  }
  return { kind: 'quantity', value: { nano: a.value.nano % b.value.nano, format: a.value.format } };
}

function total(values: readonly Json[]): Json {
  const [first, ...rest] = values.map((value, i) => operand('sum', i + 1, value));
  if (first === undefined) throw refuse('sum', 'at least one element', 'an empty array');
  return result(rest.reduce((sum, value) => added('sum', sum, value, 1), first));
}

function rounded(value: number, digits: number): number {
  const places = integerArg('round', 2, digits);
  if (places < 0) throw refuse('round', 'a number of places of 0 or more', String(places));
  const shift = 10 ** places;
  return Math.round(Math.abs(value) * shift) / shift === 0
    ? 0
    : (Math.sign(value) * Math.round(Math.abs(value) * shift)) / shift;
}

type Args = readonly (Json | Reference)[];
const pair = (name: string, body: (a: Operand, b: Operand) => Operand) =>
  spec(['any', 'any'], (args: Args) =>
    result(body(operand(name, 1, args[0] as Json), operand(name, 2, args[1] as Json))),
  );

export const arithmeticFunctions: FunctionTable = {
  add: pair('add', (a, b) => added('add', a, b, 1)),
  subtract: pair('subtract', (a, b) => added('subtract', a, b, -1)),
  multiply: pair('multiply', multiplied),
  divide: pair('divide', divided),
  modulo: pair('modulo', remainder),
  sum: spec(['array'], ([a]) => total(a as Json[])),
  round: spec(['number', 'number'], ([a, b]) => rounded(a as number, b as number)),
};
