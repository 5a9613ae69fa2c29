import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tufCases } from './cases.ts';
import { executable, inside, inWorld } from './client.ts';

/** Cases of the field's suite; ours are at least as many, none of them expected to fail. */
const CASES_OF_THE_FIELD = 113;

test('there are as many cases as the field has, each under its own name', () => {
  assert.ok(tufCases.length >= CASES_OF_THE_FIELD, `${tufCases.length} cases`);
  assert.equal(new Set(tufCases.map(({ group, name }) => `${group}: ${name}`)).size, tufCases.length);
});

for (const { group, name, run } of tufCases) test(`${group}: ${name}`, () => inWorld(inside, run));

for (const name of ['asks for each role once, in order', 'the clock is the one of the system']) {
  const found = tufCases.find((one) => one.name === name);
  test(`the executable: ${name}`, () => {
    assert.ok(found !== undefined);
    return inWorld(executable, found.run);
  });
}
