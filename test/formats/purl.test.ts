import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildPurl, type Purl, type PurlParts, parsePurl, purlText } from '#formats/purl';

interface PurlCase {
  readonly description: string;
  readonly test_type: 'parse' | 'build' | 'validate';
  readonly input: string | Record<string, unknown>;
  readonly expected_output?: unknown;
  readonly expected_failure: boolean;
}

const suite = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors/purl/tests');

function shape(purl: Purl): object {
  const qualifiers = purl.qualifiers.size === 0 ? null : Object.fromEntries(purl.qualifiers);
  return {
    type: purl.type,
    namespace: purl.namespace ?? null,
    name: purl.name,
    version: purl.version ?? null,
    qualifiers,
    subpath: purl.subpath ?? null,
  };
}

function run(one: PurlCase): unknown {
  if (one.test_type === 'build') {
    const input = one.input as Record<string, unknown>;
    const qualifiers = new Map(Object.entries((input['qualifiers'] ?? {}) as Record<string, string>));
    const built = buildPurl({ ...(input as unknown as PurlParts), qualifiers });
    return built.ok ? built.value : undefined;
  }
  const lenient = one.test_type === 'validate';
  const parsed = parsePurl(one.input as string, { lenient });
  if (!parsed.ok) return undefined;
  return lenient ? purlText(parsed.value) : shape(parsed.value);
}

if (existsSync(suite)) {
  const files = [
    'spec/specification-test.json',
    ...readdirSync(join(suite, 'types')).map((f) => `types/${f}`),
  ];
  for (const file of files) {
    test(`purl-spec ${file}: every case holds`, () => {
      const { tests } = JSON.parse(readFileSync(join(suite, file), 'utf8')) as { tests: PurlCase[] };
      assert.ok(tests.length > 0);
      for (const one of tests) {
        const got = run(one);
        const label = `${one.test_type} ${JSON.stringify(one.input)}: ${one.description}`;
        if (one.expected_failure) assert.equal(got, undefined, label);
        else assert.deepEqual(got, one.expected_output, label);
      }
    });
  }
} else {
  console.log(`purl suite did not run: ${suite} is absent`);
}

test('a purl with hostile parts stays data', () => {
  const built = buildPurl({ type: 'npm', name: '__proto__', version: 'a b?c#d@e/f%' });
  assert.ok(built.ok);
  assert.equal(built.value, 'pkg:npm/__proto__@a%20b%3Fc%23d%40e%2Ff%25');
  const back = parsePurl(built.value);
  assert.ok(back.ok);
  assert.equal(back.value.version, 'a b?c#d@e/f%');
});

test('a broken purl is refused with WB-190', () => {
  for (const text of [
    'npm/x',
    'pkg:npm',
    'pkg:npm/%zz',
    'pkg:npm/x?a=1&a=2',
    'pkg:npm/a%2fb/c',
    'pkg:npm/x#a%2F..',
    `pkg:npm/${'x'.repeat(9000)}`,
  ]) {
    const parsed = parsePurl(text);
    assert.ok(!parsed.ok, text);
    assert.equal(parsed.error.code, 'WB-190');
  }
});
