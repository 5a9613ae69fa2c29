import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt } from '#base/result';
import { callFunction, compileQuery } from '../../src/policy/condition/jmespath.ts';
import type { Json } from '../../src/policy/document.ts';
import { vectorRows } from './vectors.ts';

const surroundings = { nowMs: Date.UTC(2026, 10, 21) };

/** Refused by name: they need a network, a weak hash or a certificate reader inside a policy. */
const absent = new Set(['is_external_url', 'md5', 'sha1', 'x509_decode', 'random']);
const callsAbsent = (expression: string): boolean =>
  [...absent].some((name) => expression.includes(`${name}(`));

interface Row {
  readonly expression: string;
  readonly input: Json;
  readonly result?: Json;
  readonly error?: boolean;
  readonly errorText?: string;
}

const rows = vectorRows<Row>('kyverno/jmespath.json');
if (rows !== undefined) {
  test(`Kyverno's JMESPath table agrees in every row of a function that is implemented`, () => {
    let ran = 0;
    for (const row of rows) {
      if (callsAbsent(row.expression)) continue;
      const outcome = attempt(() => compileQuery(row.expression).run(row.input, surroundings));
      assert.equal(outcome.ok, row.error !== true, `${row.expression} → ${JSON.stringify(outcome)}`);
      if (outcome.ok) assert.deepEqual(outcome.value, row.result, row.expression);
      else if (row.errorText !== undefined) {
        assert.ok(outcome.error.actual.includes(row.errorText), `${row.expression}: ${outcome.error.actual}`);
      }
      ran++;
    }
    assert.ok(ran >= 225, `${ran} rows ran`);
  });
}

interface CallRow {
  readonly function: string;
  readonly arguments: readonly Json[];
  readonly result?: Json;
  readonly error?: boolean;
}

const calls = vectorRows<CallRow>('kyverno/jmespath-calls.json');
if (calls !== undefined) {
  test(`Kyverno's table of calls agrees in every row of a function that is implemented`, () => {
    for (const row of calls) {
      if (absent.has(row.function)) continue;
      const outcome = attempt(() => callFunction(row.function, row.arguments, surroundings));
      assert.equal(outcome.ok, row.error !== true, JSON.stringify(row));
      if (outcome.ok) assert.deepEqual(outcome.value, row.result, JSON.stringify(row));
    }
  });
}

const run = (text: string, data: Json): Json => compileQuery(text).run(data, surroundings);

test('the grammar of JMESPath reads as specified', () => {
  const data = { a: { b: [{ c: 1, d: 'x' }, { c: 2 }, { c: 3, d: 'y' }] }, e: [[1, 2], [3]], 'f-g': true };
  assert.equal(run('a.b[0].c', data), 1);
  assert.equal(run('a.b[-1].d', data), 'y');
  assert.deepEqual(run('a.b[*].d', data), ['x', 'y']);
  assert.deepEqual(run('a.b[?c > `1`].c', data), [2, 3]);
  assert.deepEqual(run('a.b[?d == `"x"` || c == `2`].c', data), [1, 2]);
  assert.deepEqual(run('e[]', data), [1, 2, 3]);
  assert.deepEqual(run('e[*][0]', data), [1, 3]);
  assert.deepEqual(run('a.b[:2].c', data), [1, 2]);
  assert.deepEqual(run('a.b[::-1].c', data), [3, 2, 1]);
  assert.deepEqual(run('{x: a.b[0].c, y: "f-g"}', data), { x: 1, y: true });
  assert.deepEqual(run('[a.b[0].c, `7`]', data), [1, 7]);
  assert.equal(run('a.b | length(@)', data), 3);
  assert.equal(run("missing || 'default'", data), 'default');
  assert.equal(run('!(a.b[0].c == `2`) && "f-g"', data), true);
  assert.deepEqual(run('sort_by(a.b, &c)[-1].c', data), 3);
  assert.deepEqual(run('a.*[]', { a: { x: [1], y: [2] } }), [1, 2]);
  assert.equal(run('missing.deeper', data), null);
});

test('an expression that does not parse is refused with its place', () => {
  for (const text of ['a.', 'a[', "regex_match('x'", 'a ==', 'a b', '[?a', '`{`x', 'a[::0]', '#']) {
    const outcome = attempt(() => compileQuery(text));
    assert.ok(!outcome.ok && outcome.error.code === 'WB-730', text);
  }
});

test('a function that does not exist is refused with the nearest name', () => {
  const outcome = attempt(() => compileQuery("regex_mach('a', b)"));
  assert.ok(!outcome.ok);
  assert.match(outcome.error.hint, /regex_match/);
});

test('a version that cannot be read is an error, not version 0.0.0', () => {
  const outcome = attempt(() => run("semver_compare('not-a-version', '<2.0.0')", null));
  assert.ok(!outcome.ok && outcome.error.code === 'WB-745');
});
