import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import {
  applyOperator,
  deprecatedOperators,
  type Operator,
  operators,
} from '../../src/policy/condition/operators.ts';
import type { Json } from '../../src/policy/document.ts';
import { globMatch } from '../../src/policy/image/glob.ts';
import { kyvernoText, kyvernoTextWithTag, parseImageName } from '../../src/policy/image/name.ts';
import { wildcardMatch, wildcardRegexp } from '../../src/policy/image/wildcard.ts';
import { vectorRows } from './vectors.ts';

interface WildcardRow {
  readonly name: string;
  readonly pattern: string;
  readonly text: string;
  readonly match: boolean;
}

const wildcards = vectorRows<WildcardRow>('kyverno/wildcard.json');
if (wildcards !== undefined) {
  test(`Kyverno's wildcard table agrees in every row, as matcher and as regular expression`, () => {
    assert.ok(wildcards.length >= 52);
    for (const row of wildcards) {
      assert.equal(wildcardMatch(row.pattern, row.text), row.match, JSON.stringify(row));
      const program = RE2JS.compile(wildcardRegexp(row.pattern));
      assert.equal(program.matches(row.text), row.match, `as RE2: ${JSON.stringify(row)}`);
    }
  });
}

test('a wildcard of many stars on a long text comes to an end', () => {
  // A matcher that backtracks over every star would take longer than the age of the universe.
  assert.equal(wildcardMatch(`${'*a'.repeat(50)}b`, 'a'.repeat(20_000)), false);
});

interface OperatorRow {
  readonly operator: Operator;
  readonly key: Json;
  readonly value: Json;
  readonly result: boolean;
}

const operatorRows = vectorRows<OperatorRow>('kyverno/operators.json');
if (operatorRows !== undefined) {
  test(`Kyverno's operator table agrees in every row`, () => {
    assert.ok(operatorRows.length >= 475);
    const wrong = operatorRows.filter(
      (row) => applyOperator(row.operator, row.key, row.value) !== row.result,
    );
    assert.deepEqual(wrong, []);
  });
}

test('the wildcard matcher and its regular expression agree on any pattern and text', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '*', '?', 'é', '😀'), maxLength: 12 });
  fc.assert(
    fc.property(text, text, (pattern, tested) => {
      assert.equal(wildcardMatch(pattern, tested), RE2JS.compile(wildcardRegexp(pattern)).matches(tested));
    }),
    { numRuns: 2000, seed: 20261121 },
  );
});

test('a star in tested data is a star, not a pattern', () => {
  const data = { isKeyData: true, isValueData: false };
  assert.equal(applyOperator('AnyIn', '*', ['LOW', 'MEDIUM'], data), false);
  assert.equal(applyOperator('AnyIn', 'LOW', ['L*'], data), true);
  assert.equal(applyOperator('Equals', 'x', '*', { isKeyData: false, isValueData: true }), false);
});

interface NameRow {
  readonly check: 'alternatives' | 'valid' | 'deprecated';
  readonly operator: string;
  readonly result: boolean | string[];
}

const nameRows = vectorRows<NameRow>('kyverno/operator-names.json');
if (nameRows !== undefined) {
  test(`Kyverno's operator names agree in every row`, () => {
    for (const row of nameRows) {
      const known: readonly string[] = operators;
      const actual = {
        alternatives: deprecatedOperators[row.operator] ?? [],
        valid: known.includes(row.operator),
        deprecated: row.operator in deprecatedOperators,
      }[row.check];
      assert.deepEqual(actual, row.result, JSON.stringify(row));
    }
  });
}

interface ImageRow {
  readonly input: string;
  readonly defaultRegistry: string;
  readonly enableDefaultRegistryMutation: boolean;
  readonly result?: Record<string, string>;
  readonly error?: boolean;
}

const imageRows = vectorRows<ImageRow>('kyverno/image-reference.json');
if (imageRows !== undefined) {
  test(`Kyverno's image reference table agrees in every row`, () => {
    assert.ok(imageRows.length >= 28);
    for (const row of imageRows) {
      const parsed = parseImageName(row.input, {
        defaultRegistry: row.defaultRegistry,
        completeRegistry: row.enableDefaultRegistryMutation,
      });
      assert.equal(parsed.ok, row.error !== true, JSON.stringify(row));
      if (!parsed.ok) continue;
      const name = parsed.value;
      const written = row.input.includes(':') || row.input.includes('@') ? kyvernoText(name) : '';
      const facts: Record<string, string> = {
        registry: name.registry,
        path: name.path,
        name: name.name,
        tag: name.tag,
        digest: name.digest,
        string: kyvernoText(name),
        reference: kyvernoText(name),
        referenceWithTag: kyvernoTextWithTag(name),
        withDefaultRegistry: written,
      };
      for (const [field, expected] of Object.entries(row.result ?? {})) {
        assert.equal(facts[field], expected, `${field} of ${JSON.stringify(row)}`);
      }
    }
  });
}

interface GlobRow {
  readonly image: string;
  readonly glob: string;
  readonly match: boolean;
  readonly error: boolean;
}

const globRows = vectorRows<GlobRow>('policy-controller/glob.json');
if (globRows !== undefined) {
  test(`policy-controller's glob table agrees in every row`, () => {
    assert.ok(globRows.length >= 42);
    for (const row of globRows) {
      const result = globMatch(row.glob, row.image);
      assert.equal(result.ok, !row.error, JSON.stringify(row));
      if (result.ok) assert.equal(result.value, row.match, JSON.stringify(row));
    }
  });
}

test('other spellings of a registry do not leave its pattern', () => {
  for (const text of ['GHCR.IO/acme/x', 'ghcr.io:443/acme/x', 'ghcr.io./acme/x', 'Ghcr.io.:443/acme/x']) {
    const name = parseImageName(text);
    assert.ok(name.ok, text);
    assert.equal(kyvernoText(name.value), 'ghcr.io/acme/x:latest', text);
  }
  for (const text of ['ghcr.io/acme%2fx', 'ghcr.io/acme/../evil', 'ghcr.io//x', 'ghcr.io/acme/x@sha256:12']) {
    const name = parseImageName(text);
    assert.ok(!name.ok && name.error.code === 'WB-733', text);
  }
});
