import assert from 'node:assert/strict';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { attempt, type Result, unwrap } from '#base/result';
import { canonicalJson, type JsonValue, own, parseJson, protoReader, reader } from '#formats/json';

const codeOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

test('what the engine reads we read the same, when every key is written once', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const parsed = parseJson(text);
      if (parsed.ok) assert.deepEqual(parsed.value, JSON.parse(text));
      else assert.equal(parsed.error.code, 'WB-151');
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test('whatever text comes, the answer is a value or a reason', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const parsed = parseJson(text);
      assert.ok(parsed.ok || /^WB-15[012]$/.test(parsed.error.code), text);
    }),
    { seed: 2, numRuns: 2000 },
  );
});

const refusals: readonly [string, string | Uint8Array, string][] = [
  ['nothing', '', 'WB-150'],
  ['two documents', '{}{}', 'WB-150'],
  ['a trailing comma', '[1,]', 'WB-150'],
  ['a comment', '{}//', 'WB-150'],
  ['a leading zero', '[01]', 'WB-150'],
  ['NaN', '[NaN]', 'WB-150'],
  ['single quotes', "{'a':1}", 'WB-150'],
  ['a raw control character', '["\u0001"]', 'WB-150'],
  ['an unclosed string', '{"a', 'WB-150'],
  ['a byte order mark', '\ufeff{}', 'WB-150'],
  ['a lone surrogate', '["\\udc00"]', 'WB-150'],
  ['a lone surrogate in a key', '{"\\ud800":1}', 'WB-150'],
  ['a key twice', '{"a":1,"a":1}', 'WB-151'],
  ['a key twice, once escaped', '{"a":1,"\\u0061":1}', 'WB-151'],
  ['a key twice, deep inside', '[[{"x":[{"a":1,"b":{"c":1,"c":2}}]}]]', 'WB-151'],
  ['a key twice with quotes in between', '{"a\\"":"}\\\\\\"{","a\\"":1}', 'WB-151'],
  ['__proto__', '{"__proto__":1}', 'WB-151'],
  ['__proto__ escaped', '{"__pr\\u006fto__":1}', 'WB-151'],
  ['depth over the cap', '['.repeat(limits.jsonDepth + 1) + ']'.repeat(limits.jsonDepth + 1), 'WB-152'],
  ['depth of objects over the cap', '{"a":'.repeat(100_000), 'WB-152'],
  ['invalid UTF-8', Uint8Array.of(0x22, 0xc3, 0x28, 0x22), 'WB-101'],
  ['an overlong encoding', Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), 'WB-101'],
];
for (const [name, input, code] of refusals) {
  test(`refuses ${name} (${code})`, () => assert.equal(codeOf(parseJson(input)), code));
}

test('accepts what lies at the caps', () => {
  assert.equal(codeOf(parseJson('['.repeat(limits.jsonDepth) + ']'.repeat(limits.jsonDepth))), 'ok');
  assert.equal(codeOf(parseJson('"abc"', { maxBytes: 5 })), 'ok');
  assert.equal(codeOf(parseJson('"abc"', { maxBytes: 4 })), 'WB-152');
});

test('equal keys in different objects are no repetition', () => {
  assert.equal(codeOf(parseJson('[{"a":{"a":1}},{"a":1}]')), 'ok');
});

test('keys named like inherited properties are ordinary', () => {
  const value = unwrap(parseJson('{"constructor":1,"toString":2}')) as { [key: string]: JsonValue };
  assert.equal(own(value, 'constructor'), 1);
  assert.equal(own(value, 'hasOwnProperty'), undefined);
  assert.equal(codeOf(attempt(() => reader(value).string('valueOf'))), 'WB-153');
});

test('canonical JSON is that of RFC 8785', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      assert.equal(canonicalJson(value as JsonValue), canonicalize(value));
    }),
    { seed: 3, numRuns: 1000 },
  );
  const sample = {
    '\u20ac': 'Euro',
    '\r': 'CR',
    '\ufb33': 'x',
    '1': 'One',
    '\ud83d\ude00': 'y',
    '\u0080': 'C',
    ö: 'z',
  };
  const keys = Object.keys(JSON.parse(canonicalJson(sample)) as object).filter((key) => key !== '1');
  assert.deepEqual(keys, ['\r', '\u0080', 'ö', '\u20ac', '\ud83d\ude00', '\ufb33']);
  assert.equal(
    canonicalJson([1e21, 1e-7, -0, 0.1, 333333333.3333333]),
    '[1e+21,1e-7,0,0.1,333333333.3333333]',
  );
});

test('what JSON cannot carry has no canonical form (WB-154)', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\ud800': 1 }]) {
    assert.equal(codeOf(attempt(() => canonicalJson(value))), 'WB-154');
  }
});

test('readers name the path of what is wrong (WB-153)', () => {
  const json = reader({ a: { b: [1, { c: 'x' }] } }, 'doc');
  const wrong = attempt(() => json.child('a').children('b'));
  assert.ok(!wrong.ok);
  assert.equal(wrong.error.code, 'WB-153');
  assert.match(wrong.error.check, /doc\.a\.b\[0\]$/);
});

test('integers of protobuf JSON are exact or refused', () => {
  const read = (value: JsonValue) => attempt(() => protoReader({ n: value }).integer('n'));
  for (const [value, expected] of [
    ['0', 0],
    ['9007199254740991', 2 ** 53 - 1],
    [7, 7],
  ] as const) {
    assert.deepEqual(read(value), { ok: true, value: expected });
  }
  for (const value of [
    '',
    '-1',
    '+1',
    '01',
    '1.0',
    '1e3',
    ' 1',
    '9007199254740992',
    2 ** 53,
    -1,
    1.5,
    true,
    null,
  ]) {
    assert.equal(codeOf(read(value)), 'WB-153', JSON.stringify(value));
  }
  assert.equal(codeOf(attempt(() => reader({ n: '7' }).integer('n'))), 'WB-153');
});

test('times are RFC 3339 and real', () => {
  const read = (value: string) => attempt(() => reader({ t: value }).time('t'));
  const good: [string, number][] = [
    ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['2022-12-31T23:59:59.999Z', Date.UTC(2022, 11, 31, 23, 59, 59, 999)],
    ['2026-01-02T03:04:05.123456789Z', Date.UTC(2026, 0, 2, 3, 4, 5, 123)],
    ['2026-01-02T03:04:05+01:30', Date.UTC(2026, 0, 2, 1, 34, 5)],
  ];
  for (const [text, ms] of good) assert.deepEqual(read(text), { ok: true, value: ms });
  for (const text of [
    '2026-02-30T00:00:00Z',
    '2026-01-02',
    '2026-01-02T24:00:00Z',
    '2026-01-02 03:04:05Z',
    '2026-01-02T03:04:05',
    '2026-13-01T00:00:00Z',
    '2026-01-02T03:04:05.1234567890Z',
  ]) {
    assert.equal(codeOf(read(text)), 'WB-153', text);
  }
});

test('base64 is canonical or refused', () => {
  const read = (value: string) => attempt(() => reader({ b: value }).bytes('b'));
  assert.deepEqual(unwrap(read('aGk=')), utf8('hi'));
  for (const text of ['aGk', 'aGk=\n', 'aGl=', 'a_-=', 'aGk==', '='])
    assert.equal(codeOf(read(text)), 'WB-153', text);
});

test('protobuf readers take either name of a field, never both', () => {
  assert.equal(protoReader({ log_index: '5' }).integer('logIndex'), 5);
  assert.equal(
    codeOf(attempt(() => protoReader({ log_index: '5', logIndex: '5' }).integer('logIndex'))),
    'WB-153',
  );
  assert.equal(protoReader({ x509_certificate_chain: null }).has('x509CertificateChain'), false);
  assert.equal(codeOf(attempt(() => reader({ log_index: 5 }).integer('logIndex'))), 'WB-153');
});

test('a large document without escapes is checked in linear time', () => {
  const text = `[${Array.from({ length: 60_000 }, (_, i) => `{"name":"package-${i}","version":"1.0.0"}`).join(',')}]`;
  assert.equal(codeOf(parseJson(utf8(text))), 'ok');
});
