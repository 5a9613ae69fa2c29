/** The fuzzer on every target for a fixed number of runs: the same inputs each time. `npm run fuzz` goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Finding, fuzz, type Target } from './engine.ts';
import { bytes } from './mutate.ts';
import { targets } from './targets.ts';

const RUNS = 400;

function shown({ target, execution, input, error }: Finding): string {
  return `${target}, execution ${execution}: ${String(error)}\n${Buffer.from(input).toString('base64')}`;
}

for (const target of targets) {
  test(`fuzz ${target.name}: whatever comes, an answer, and the promises hold`, () => {
    const { executions, answers, finding } = fuzz(target, 1, (done) => done < RUNS);
    assert.equal(finding, undefined, finding === undefined ? '' : shown(finding));
    assert.equal(executions, RUNS);
    assert.ok(answers > 2, 'more than one kind of answer was seen');
  });
}

const fragile: Target = {
  name: 'fragile',
  seeds: [Uint8Array.of(1, 2, 3, 4)],
  mutate: bytes,
  run: (input) => {
    if (input[0] === 0xff) throw new Error('the fault to find');
    return `${input.length}`;
  },
};

test('a parser that throws is found, with the input that makes it', () => {
  const { finding } = fuzz(fragile, 1, (done) => done < 10_000);
  assert.equal(finding?.input[0], 0xff);
  assert.match(String(finding.error), /the fault to find/);
});

test('the same seed is the same run', () => {
  const inputs = [1, 2].map(() => fuzz(fragile, 7, (done) => done < 10_000).finding);
  assert.deepEqual(inputs[0]?.execution, inputs[1]?.execution);
  assert.deepEqual(inputs[0]?.input, inputs[1]?.input);
  const other = fuzz(fragile, 8, (done) => done < 10_000).finding;
  assert.notDeepEqual(other?.input, inputs[0]?.input);
});
