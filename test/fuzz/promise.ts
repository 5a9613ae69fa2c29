/** What every parser promises, as checks that throw. */
import assert from 'node:assert/strict';
import type { Result } from '#base/result';

/** The answer to an input: `ok` with what it was, or the code and check of the refusal; a defect is a finding. */
export function answer<T>(result: Result<T>, name: (value: T) => string = () => ''): string {
  assert.equal(typeof result.ok, 'boolean', 'a parser returns a result');
  if (result.ok) return `ok ${name(result.value)}`;
  const { code, check, side, expected, actual, hint } = result.error;
  assert.notEqual(side, 'defect', `${code}: ${actual}`);
  for (const text of [check, expected, actual, hint])
    assert.equal(typeof text, 'string', `${code} says everything`);
  // Paths hold positions: without them an answer is the same at every element of a list.
  return `${code} ${check.replace(/\d+/g, 'n')} ${expected.replace(/\d+/g, 'n').slice(0, 60)}`;
}

/** Parsed, written and parsed again: the same value and, from then on, the same bytes. */
export function stable<T>(
  input: Uint8Array,
  parse: (bytes: Uint8Array) => Result<T>,
  write: (value: T) => Uint8Array,
  name?: (value: T) => string,
): string {
  const first = parse(input);
  if (!first.ok) return answer(first);
  const written = write(first.value);
  const second = parse(written);
  assert.ok(second.ok, `what was written does not parse: ${second.ok ? '' : second.error.actual}`);
  assert.deepEqual(write(second.value), written, 'written twice, written the same');
  return answer(first, name);
}

/** Nothing an input says may reach the prototypes all objects share. */
export function unpolluted(): void {
  const extra = Object.keys(Object.prototype).concat(Object.keys(Array.prototype));
  assert.deepEqual(extra, []);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
}
