/** JSON from outside at its borders: which of the two ways of reading is taken changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { attempt } from '#base/result';
import { type JsonReader, type JsonValue, parseJson, protoReader, reader } from '#formats/json';

const codeOf = (input: string | Uint8Array, maxBytes?: number): string => {
  const parsed = parseJson(input, maxBytes === undefined ? {} : { maxBytes });
  return parsed.ok ? 'ok' : parsed.error.code;
};

/** An escape sends a document through the thorough reading: each case is read both ways. */
const escaped = (text: string): string => `["\\u0041",${text}]`;
const plain = (text: string): string => `["A",${text}]`;

const cases: readonly (readonly [text: string, code: string])[] = [
  ['{"a":1,"a":1}', 'WB-151'],
  ['{"a":1,"a":[0]}', 'WB-151'],
  ['{"a":[0,{"b":1}],"a":2}', 'WB-151'],
  ['{"a":null,"a":null}', 'WB-151'],
  ['{"a":{"b":1,"c":2},"b":1,"c":2}', 'ok'],
  ['{"a":"a","b":"a"}', 'ok'],
  ['{"a":"a"}', 'ok'],
  ['{"a":["b","b","b"],"c":["a"],"b":1}', 'ok'],
  ['{"a":[],"b":["a","b"],"c":{}}', 'ok'],
  ['[{"a":1},{"a":1}]', 'ok'],
  ['{"a":{"a":{"a":1}}}', 'ok'],
  ['{"a":[{"a":1,"a":2}]}', 'WB-151'],
  ['{"":1,"":2}', 'WB-151'],
  ['{"__proto__":1}', 'WB-151'],
  ['["__proto__"]', 'ok'],
  ['{"a":"__proto__"}', 'ok'],
  ['{"a\\"b":1,"a\\"b":2}', 'WB-151'],
  ['{"a\\\\":1,"b":2}', 'ok'],
  ['{"a\\\\":1,"a\\\\":2}', 'WB-151'],
  ['{"a":"x:y,{[","b":"}]"}', 'ok'],
  ['{"a":":","a":":"}', 'WB-151'],
  ['null', 'ok'],
  ['{"a":}', 'WB-150'],
  ['{"a"', 'WB-150'],
  ['{a:1}', 'WB-150'],
  ['"', 'WB-150'],
  ['"\\', 'WB-150'],
  ['{]', 'WB-150'],
  [']', 'WB-150'],
  ['}', 'WB-150'],
];

for (const [text, code] of cases) {
  test(`${text} is ${code === 'ok' ? 'read' : `refused (${code})`}, with an escape elsewhere and without`, () => {
    assert.equal(codeOf(plain(text)), code, 'plain');
    assert.equal(codeOf(escaped(text)), code, 'escaped');
    assert.equal(codeOf(utf8(escaped(text))), code, 'bytes');
  });
}

test('keys and values with escapes are read for what they say', () => {
  assert.equal(codeOf('{"\\u0061":1,"b":"\\u0061"}'), 'ok');
  assert.equal(codeOf('{"\\u0061":"a"}'), 'ok');
  assert.equal(codeOf('{"\\u0061":1,"a":1}'), 'WB-151');
  assert.equal(codeOf('{"a\\u0062":1,"ab":1}'), 'WB-151');
  assert.equal(codeOf('{"\\u0061":{"b":1},"b":2}'), 'ok');
  assert.equal(codeOf('{"\\u00":1,"\\u00":2}'), 'WB-150');
  assert.equal(codeOf('{"\\ud83d\\ude00":1}'), 'ok');
  assert.equal(codeOf('"\\u0041'), 'WB-150');
  assert.equal(codeOf('["\\u0041'), 'WB-150');
  assert.equal(codeOf('{"\\u0041'), 'WB-150');
  assert.equal(codeOf('""'), 'ok');
});

test('lone surrogates are refused, written or escaped, in keys and in values (WB-150)', () => {
  for (const text of ['["\\udc00"]', '{"\\udc00":1}', '{"a":"\\ud800"}', '["\ud800"]', '{"\udc00":1}']) {
    assert.equal(codeOf(text), 'WB-150', text);
  }
  assert.equal(codeOf('["\ud800","\\u0041"]'), 'WB-150');
  assert.equal(codeOf('["\ud83d\ude00"]'), 'ok');
});

test('depth is counted to the cap and no further, in both readings (WB-152)', () => {
  const { jsonDepth } = limits;
  for (const first of ['1', '"\\u0041"']) {
    const deep = (levels: number): string => `${'['.repeat(levels)}${first}${']'.repeat(levels)}`;
    assert.equal(codeOf(deep(jsonDepth)), 'ok', first);
    assert.equal(codeOf(deep(jsonDepth + 1)), 'WB-152', first);
    const wide = (levels: number): string => `[${first},${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}]`;
    assert.equal(codeOf(wide(jsonDepth)), 'ok', first);
    assert.equal(codeOf(wide(jsonDepth + 1)), 'WB-152', first);
    const objects = (levels: number): string =>
      `[${first},${'{"a":'.repeat(levels - 1)}1${'}'.repeat(levels - 1)}]`;
    assert.equal(codeOf(objects(jsonDepth)), 'ok', first);
    assert.equal(codeOf(objects(jsonDepth + 1)), 'WB-152', first);
    // Side by side is not deep.
    assert.equal(codeOf(`[${first}${',[{}]'.repeat(200)}]`), 'ok', first);
    // The cap comes before the grammar: what is too deep need not end.
    assert.equal(codeOf('['.repeat(jsonDepth + 1)), 'WB-152');
    assert.equal(codeOf(`[${first},${'['.repeat(jsonDepth)}`), 'WB-152');
    assert.equal(codeOf(`[${first},${'['.repeat(jsonDepth - 1)}`), 'WB-150');
  }
});

test('size is counted in bytes, to the cap and no further (WB-152)', () => {
  assert.equal(codeOf('[1,2]', 5), 'ok');
  assert.equal(codeOf('[1,2]', 4), 'WB-152');
  assert.equal(codeOf(utf8('[1,2]'), 5), 'ok');
  assert.equal(codeOf(utf8('[1,2]'), 4), 'WB-152');
});

/** `ok` with the value, or the path and words of the refusal. */
function said(read: () => unknown): unknown {
  const value = attempt(read);
  return value.ok ? value.value : `${value.error.check} ${value.error.expected}`;
}
const words = (path: string, expected: string): string =>
  `${reader({}).wrong(path, '', '').reason.check} ${expected}`;

const both: readonly ((value: JsonValue) => JsonReader)[] = [
  (value) => reader(value),
  (value) => protoReader(value),
];

test('a reader reads objects, and says so of others by their own path', () => {
  for (const read of both) {
    for (const value of [[], null, 'a', 1, true] as const) {
      assert.equal(
        said(() => read(value)),
        words('', 'an object'),
      );
    }
    assert.equal(
      said(() => read({ a: {} }).child('a').path),
      '$.a',
    );
    assert.equal(
      said(() => read({ a: [] }).child('a')),
      words('a', 'an object'),
    );
    assert.equal(
      said(() => read({ a: [{}, 1] }).children('a')),
      words('a[1]', 'an object'),
    );
  }
});

test('optional members are read where they are there, and refused where they are wrong', () => {
  for (const read of both) {
    const json = read({ s: 'x', n: 1, b: 'AA==', t: '2026-01-01T00:00:00Z', c: {}, wrong: false });
    assert.equal(json.optionalString('s'), 'x');
    assert.equal(json.optionalString('none'), undefined);
    assert.equal(
      said(() => json.optionalString('wrong')),
      words('wrong', 'a string'),
    );
    assert.equal(json.optionalInteger('n'), 1);
    assert.equal(json.optionalInteger('none'), undefined);
    assert.equal(
      said(() => json.optionalInteger('wrong')),
      words('wrong', 'an integer between 0 and 2^53 - 1'),
    );
    assert.deepEqual([...(json.optionalBytes('b') ?? [])], [0]);
    assert.equal(json.optionalBytes('none'), undefined);
    assert.equal(
      said(() => json.optionalBytes('s')),
      words('s', 'canonical base64'),
    );
    assert.equal(json.optionalTime('t'), Date.UTC(2026, 0, 1));
    assert.equal(json.optionalTime('none'), undefined);
    assert.equal(
      said(() => json.optionalTime('s')),
      words('s', 'an RFC 3339 time'),
    );
    assert.equal(json.optionalChild('c')?.path, '$.c');
    assert.equal(json.optionalChild('none'), undefined);
    assert.equal(
      said(() => json.optionalChild('s')),
      words('s', 'an object'),
    );
    assert.equal(json.has('s'), true);
    assert.equal(json.has('none'), false);
    assert.equal(json.has('toString'), false);
  }
});

test('texts, truth values and hex have their form', () => {
  const json = reader({ text: 'x', empty: '', yes: true, no: false, hex: '00ff', bad: '0F', one: 1 });
  assert.equal(json.text('text'), 'x');
  assert.equal(
    said(() => json.text('empty')),
    words('empty', 'a string that is not empty'),
  );
  assert.equal(json.boolean('yes'), true);
  assert.equal(json.boolean('no'), false);
  assert.equal(
    said(() => json.boolean('one')),
    words('one', 'true or false'),
  );
  assert.equal(
    said(() => json.boolean('text')),
    words('text', 'true or false'),
  );
  assert.deepEqual([...json.hex('hex')], [0, 255]);
  assert.equal(
    said(() => json.hex('bad')),
    words('bad', 'lower-case hex'),
  );
});

test('integers are whole, not negative and exact; as text in protobuf JSON alone', () => {
  const expected = 'an integer between 0 and 2^53 - 1';
  const good: JsonValue[] = [0, 1, Number.MAX_SAFE_INTEGER];
  for (const value of good) for (const read of both) assert.equal(read({ n: value }).integer('n'), value);
  const bad: JsonValue[] = [-1, 0.5, 2 ** 53, -0, '', '-1', '01', '1.0', ' 1', '1 ', '1x', 'x1', true, [1]];
  for (const value of bad) {
    for (const read of both) {
      const words_ = said(() => read({ n: value }).integer('n'));
      assert.equal(words_, words('n', expected), JSON.stringify(value));
    }
  }
  assert.equal(protoReader({ n: '9007199254740991' }).integer('n'), Number.MAX_SAFE_INTEGER);
  assert.equal(protoReader({ n: '0' }).integer('n'), 0);
  assert.equal(
    said(() => protoReader({ n: '9007199254740992' }).integer('n')),
    words('n', expected),
  );
  assert.equal(
    said(() => reader({ n: '1' }).integer('n')),
    words('n', expected),
  );
});

test('arrays are read to their cap; absent ones are empty in protobuf JSON alone', () => {
  for (const read of both) {
    const json = read({ list: ['a', 'b'], mixed: ['a', 1], other: {}, text: 'ab' });
    assert.deepEqual(json.strings('list'), ['a', 'b']);
    assert.deepEqual(json.strings('list', 2), ['a', 'b']);
    assert.equal(
      said(() => json.strings('list', 1)),
      words('list', 'at most 1 elements'),
    );
    assert.equal(
      said(() => json.strings('mixed')),
      words('mixed[1]', 'a string'),
    );
    assert.equal(
      said(() => json.array('other')),
      words('other', 'an array'),
    );
    assert.equal(
      said(() => json.array('text')),
      words('text', 'an array'),
    );
  }
  assert.deepEqual(protoReader({}).array('none'), []);
  assert.deepEqual(protoReader({ none: null }).array('none'), []);
  assert.equal(
    said(() => reader({}).array('none')),
    words('none', 'an array'),
  );
  assert.equal(
    said(() => reader({ none: null }).array('none')),
    words('none', 'an array'),
  );
});

let fresh = 0;

test('snake_case names are read in protobuf JSON for fields never met before, both at once never', () => {
  fresh++;
  const field = `someFieldName${fresh}`;
  const alias = `some_field_name${fresh}`;
  for (let again = 0; again < 2; again++) {
    assert.equal(protoReader({ [alias]: 'x' }).string(field), 'x');
    assert.equal(protoReader({ [field]: 'x' }).string(field), 'x');
    assert.equal(reader({ [alias]: 'x' }).has(field), false);
    const words_ = said(() => protoReader({ [alias]: 'x', [field]: 'x' }).string(field));
    assert.equal(words_, words(field, `either ${field} or ${alias}`));
  }
});

test('times are RFC 3339 from end to end', () => {
  const at = (text: string): unknown => said(() => reader({ t: text }).time('t'));
  const base = Date.UTC(2026, 5, 1, 12);
  assert.equal(at('2026-06-01T12:00:00Z'), base);
  assert.equal(at('2026-06-01T12:00:00.5Z'), base + 500);
  assert.equal(at('2026-06-01T12:00:00.123456789Z'), base + 123);
  assert.equal(at('2026-06-01T12:00:00+02:00'), base - 7_200_000);
  assert.equal(at('0000-01-01T00:00:00+23:59'), -62_167_305_540_000);
  for (const bad of [
    'x2026-06-01T12:00:00Z',
    '2026-06-01T12:00:00Zx',
    '2026-06-01T12:00:00',
    '2026-06-01T12:00:00.Z',
    '2026-06-01T12:00:00+24:00',
    '2026-02-30T12:00:00Z',
    '2026-06-01T24:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-06-01T12:00:60Z',
  ]) {
    assert.equal(at(bad), words('t', 'an RFC 3339 time'), bad);
  }
});
