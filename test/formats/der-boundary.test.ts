/** DER at its borders: which rule refuses what, told by its own words, and what lies just inside. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, utf8 } from '#base/bytes';
import { attempt } from '#base/result';
import {
  contextTag,
  type DerNode,
  der,
  ia5Text,
  oidText,
  readDer,
  readSequence,
  smallInteger,
  stringText,
  tags,
  utf8Value,
  wholeBits,
} from '#formats/der';
import { timeMs } from '#formats/der-time';

/** `ok`, or code and words of the refusal. */
function said(body: () => unknown): string {
  const read = attempt(body);
  return read.ok ? 'ok' : `${read.error.code} ${read.error.expected}`;
}
const parsed = (hex: string): string => said(() => readDer(fromHex(hex)));

const refused: readonly (readonly [hex: string, words: string])[] = [
  ['', 'an identifier and a length'],
  ['30', 'an identifier and a length'],
  ['300104', 'an identifier and a length'],
  ['1f00', 'a tag number below 31'],
  ['bf00', 'a tag number below 31'],
  ['3080', 'a definite length'],
  ['3080050000', 'a definite length'],
  ['0485000000000100', 'a length of at most 4 bytes'],
  ['048200', 'a whole length'],
  ['0481', 'a whole length'],
  ['04817f', 'a minimal length'],
  [`048200ff${'00'.repeat(255)}`, 'a minimal length'],
  ['0401', '1 bytes of content'],
  ['0480', 'a definite length'],
  ['0500 00', 'nothing after the element'],
  ['2400', 'a primitive encoding'],
  ['2100', 'a primitive encoding'],
  ['3f00', 'a tag number below 31'],
  ['0100', 'BOOLEAN 00 or FF'],
  ['01020000', 'BOOLEAN 00 or FF'],
  ['0102ffff', 'BOOLEAN 00 or FF'],
  ['010101', 'BOOLEAN 00 or FF'],
  ['0101fe', 'BOOLEAN 00 or FF'],
  ['0200', 'a minimal INTEGER'],
  ['02020000', 'a minimal INTEGER'],
  ['0202007f', 'a minimal INTEGER'],
  ['0202ff80', 'a minimal INTEGER'],
  ['0a00', 'a minimal INTEGER'],
  ['0300', 'a BIT STRING with zero padding bits'],
  ['030101', 'a BIT STRING with zero padding bits'],
  ['03020800', 'a BIT STRING with zero padding bits'],
  ['03020101', 'a BIT STRING with zero padding bits'],
  ['03020740', 'a BIT STRING with zero padding bits'],
  ['050100', 'an empty NULL'],
  ['0600', 'a whole OID'],
  ['060180', 'minimal OID arcs'],
  ['06022a80', 'minimal OID arcs'],
  ['0601ff', 'a whole OID'],
  ['0608ffffffffffffff7f', 'OID arcs below 2^49'],
  ['0000', 'a universal type'],
  ['1000', 'a universal type'],
  ['1100', 'a universal type'],
];

for (const [hex, words] of refused) {
  test(`DER ${hex.slice(0, 20) || '(nothing)'} is refused for the rule "${words}" (WB-121)`, () => {
    assert.equal(parsed(hex.replaceAll(' ', '')), `WB-121 ${words}`);
  });
}

const accepted = [
  ...['0400', '3000', '3100', 'a000', 'bc00', '8000', '1e00', `048180${'00'.repeat(128)}`],
  ...[
    `04820100${'00'.repeat(256)}`,
    '010100',
    '0101ff',
    '020100',
    '02020080',
    '0202ff7f',
    '020180',
    '0a0100',
  ],
  ...['030100', '03020000', '03020180', '030207 80', '03020001', '06022a03', '060100', '060702ffffffffff7f'],
  ...['0607ffffffffffff7f', '0500', '6000', '7e00', '4000'],
];

for (const hex of accepted) {
  test(`DER ${hex.slice(0, 20)} is read`, () => assert.equal(parsed(hex.replaceAll(' ', '')), 'ok'));
}

test('an element ends where its parent ends, to the byte', () => {
  assert.equal(parsed('30040402aaaa'), 'ok');
  assert.equal(parsed('30030402aaaa'), 'WB-121 2 bytes of content');
  assert.equal(parsed('30050402aaaa05'), 'WB-121 an identifier and a length');
  assert.equal(parsed('3003040080'), 'WB-121 an identifier and a length');
  assert.equal(parsed('3004040004 00'.replace(' ', '')), 'ok');
});

const seq = (...parts: Uint8Array[]): DerNode => readDer(der.seq(...parts));

test('a cursor takes the elements in order and nothing else', () => {
  const cursor = seq(der.int(1), der.nul()).cursor('Thing');
  assert.equal(cursor.peek(), tags.int);
  assert.equal(
    said(() => cursor.take(tags.nul, 'x')),
    'WB-122 Thing: x tag 0x05',
  );
  assert.equal(cursor.maybe(tags.nul), undefined);
  assert.equal(smallInteger(cursor.take(tags.int, 'n')), 1);
  assert.equal(
    said(() => cursor.finish()),
    'WB-122 Thing: no more elements',
  );
  assert.equal(cursor.maybe(tags.nul)?.tag, tags.nul);
  cursor.finish();
  assert.equal(cursor.peek(), -1);
  assert.equal(
    said(() => cursor.any('more')),
    'WB-122 Thing: element more',
  );
});

test('a primitive element has nothing inside, whatever its bytes look like', () => {
  const octets = readDer(fromHex('04020500'));
  assert.deepEqual(octets.children(), []);
  assert.equal(octets.cursor('Thing').peek(), -1);
  assert.equal(readDer(fromHex('30020500')).children().length, 1);
  assert.equal(readDer(der.explicit(0, der.nul())).cursor('Thing').peek(), tags.nul);
  assert.equal(contextTag(2, false), 0x82);
  assert.equal(contextTag(2), 0xa2);
});

test('a sequence is demanded where one is', () => {
  assert.equal(
    said(() => readSequence(fromHex('3000'), 'Thing')),
    'ok',
  );
  assert.equal(
    said(() => readSequence(fromHex('3100'), 'Thing')),
    'WB-122 Thing: tag 0x30',
  );
});

test('identifiers have the text of their arcs, also at the borders of the first two', () => {
  for (const [hex, text] of [
    ['060100', '0.0'],
    ['060127', '0.39'],
    ['060128', '1.0'],
    ['06014f', '1.39'],
    ['060150', '2.0'],
    ['06018837', '2.999'],
    ['06022a03', '1.2.3'],
    ['06032a8100', '1.2.128'],
    ['06042a030000', '1.2.3.0.0'],
  ] as const) {
    const bytes = fromHex(hex);
    bytes[1] = bytes.length - 2;
    assert.equal(oidText(readDer(bytes)), text);
    assert.equal(oidText(readDer(bytes)), text, 'once more, from memory');
  }
});

test('identifiers that share a hash of their bytes are still two', () => {
  // 31·1 + 32 = 31·2 + 1: arcs of one byte each, so both hash alike.
  const pairs: [string, string][] = [
    ['06030120 01', '06030201 01'],
    ['0602 2a20', '0602 2b01'],
  ].map(([a, b]) => [(a as string).replaceAll(' ', ''), (b as string).replaceAll(' ', '')]);
  for (const [first, second] of pairs) {
    const [a, b] = [oidText(readDer(fromHex(first))), oidText(readDer(fromHex(second)))];
    assert.notEqual(a, b);
    assert.equal(oidText(readDer(fromHex(first))), a);
    assert.equal(oidText(readDer(fromHex(second))), b);
  }
});

test('an identifier is remembered by its own bytes, not by the buffer they came in', () => {
  const bytes = fromHex('06052a8765040a');
  const text = oidText(readDer(bytes));
  bytes[6] = 11;
  const other = oidText(readDer(bytes));
  assert.equal(text, '1.2.997.4.10');
  assert.equal(other, '1.2.997.4.11');
});

test('small integers end below zero and above 2^53 - 1 (WB-121)', () => {
  assert.equal(smallInteger(readDer(fromHex('02020080'))), 128);
  assert.equal(smallInteger(readDer(fromHex('0207' + '1fffffffffffff'))), Number.MAX_SAFE_INTEGER);
  const words = 'WB-121 a small non-negative INTEGER';
  assert.equal(
    said(() => smallInteger(readDer(fromHex('020180')))),
    words,
  );
  assert.equal(
    said(() => smallInteger(readDer(fromHex('0201ff')))),
    words,
  );
  assert.equal(
    said(() => smallInteger(readDer(fromHex('020720000000000000')))),
    words,
  );
});

test('a bit string of whole bytes has no unused bits (WB-121)', () => {
  assert.deepEqual([...wholeBits(readDer(fromHex('03020080')))], [0x80]);
  assert.equal(
    said(() => wholeBits(readDer(fromHex('03020180')))),
    'WB-121 a BIT STRING of whole bytes',
  );
});

const text = (tag: number, bytes: Uint8Array): DerNode =>
  readDer(Buffer.concat([Buffer.of(tag, bytes.length), bytes]));

test('each type of text has its own characters', () => {
  assert.equal(stringText(text(tags.utf8, utf8('é_'))), 'é_');
  assert.equal(stringText(text(tags.ia5, utf8('a_@\x7f'))), 'a_@\x7f');
  assert.equal(stringText(text(tags.printable, utf8("aZ09 '()+,-./:=?"))), "aZ09 '()+,-./:=?");
  for (const stray of ['a_', '_a', 'a@', '*', 'a\n']) {
    const words = 'WB-121 the characters of PrintableString';
    assert.equal(
      said(() => stringText(text(tags.printable, utf8(stray)))),
      words,
      stray,
    );
  }
  assert.equal(
    said(() => stringText(text(tags.ia5, utf8('é')))),
    'WB-121 ASCII',
  );
  assert.equal(
    said(() => stringText(text(tags.printable, utf8('é')))),
    'WB-121 ASCII',
  );
  assert.equal(
    said(() => stringText(text(tags.octets, utf8('a')))),
    'WB-121 a text type',
  );
});

test('ASCII ends at 0x7f, at the first byte and at the last', () => {
  assert.equal(ia5Text(Uint8Array.of(0x7f, 0x41)), '\x7fA');
  assert.equal(ia5Text(new Uint8Array()), '');
  assert.equal(
    said(() => ia5Text(Uint8Array.of(0x80))),
    'WB-121 ASCII',
  );
  assert.equal(
    said(() => ia5Text(Uint8Array.of(0x41, 0x80))),
    'WB-121 ASCII',
  );
  assert.equal(
    said(() => utf8Value(Uint8Array.of(0x41, 0x80))),
    'WB-101 valid UTF-8',
  );
  assert.equal(
    said(() => utf8Value(Uint8Array.of(0x80))),
    'WB-101 valid UTF-8',
  );
  assert.equal(utf8Value(utf8('aé')), 'aé');
});

const utcTime = (value: string): number => timeMs(text(tags.utcTime, utf8(value)));
const longTime = (value: string, fraction = false): number =>
  timeMs(text(tags.generalizedTime, utf8(value)), { fraction });

test('times are read to the second at every border', () => {
  const cases: readonly [number, number][] = [
    [utcTime('000101000000Z'), Date.UTC(2000, 0, 1)],
    [utcTime('491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59)],
    [utcTime('500101000000Z'), Date.UTC(1950, 0, 1)],
    [utcTime('240229120000Z'), Date.UTC(2024, 1, 29, 12)],
    [utcTime('261228010203Z'), Date.UTC(2026, 11, 28, 1, 2, 3)],
    [longTime('20500101000000Z'), Date.UTC(2050, 0, 1)],
    [longTime('99991231235959Z'), Date.UTC(9999, 11, 31, 23, 59, 59)],
    [longTime('20260601120000.5Z', true), Date.UTC(2026, 5, 1, 12) + 500],
    [longTime('20260601120000.0019Z', true), Date.UTC(2026, 5, 1, 12) + 1],
    [longTime('20260601120000Z', true), Date.UTC(2026, 5, 1, 12)],
    [longTime('01000101000000Z'), Date.UTC(100, 0, 1)],
  ];
  for (const [actual, expected] of cases) assert.equal(actual, expected, new Date(expected).toISOString());
  assert.equal(new Date(longTime('00990101000000Z')).getUTCFullYear(), 99);
});

test('times of another form, and days and hours that are none, are refused (WB-121)', () => {
  const form = 'WB-121 a UTC time with seconds';
  for (const value of [
    '2601010000Z',
    '260101000000',
    '260101000000+0000',
    '26010100000aZ',
    '20260101000000Z',
  ]) {
    assert.equal(
      said(() => utcTime(value)),
      form,
      value,
    );
  }
  for (const value of ['260101000000Z', '20260101000000', '20260601120000.5Z', '2026060112000aZ']) {
    assert.equal(
      said(() => longTime(value)),
      form,
      value,
    );
  }
  for (const value of ['20260601120000.50Z', '20260601120000.Z', '20260601120000,5Z']) {
    assert.equal(
      said(() => longTime(value, true)),
      form,
      value,
    );
  }
  assert.equal(
    said(() => timeMs(text(tags.ia5, utf8('260101000000Z')))),
    form,
  );
  assert.equal(
    said(() => timeMs(text(tags.ia5, utf8('20260101000000Z')))),
    form,
  );
  const date = 'WB-121 a date that exists';
  for (const value of ['260229000000Z', '260230000000Z', '261301000000Z', '260001000000Z', '260100000000Z']) {
    assert.equal(
      said(() => utcTime(value)),
      date,
      value,
    );
  }
  assert.equal(
    said(() => utcTime('260132000000Z')),
    date,
  );
  assert.equal(
    said(() => utcTime('260101000060Z')),
    date,
  );
  const time = 'WB-121 a time that exists';
  assert.equal(
    said(() => utcTime('260131006000Z')),
    time,
  );
  assert.equal(
    said(() => utcTime('260101006000Z')),
    time,
  );
});

let fresh = 0;

test('identifiers never met before have their text, also at the borders of the first two arcs', () => {
  fresh++;
  for (const [head, text] of [
    ['00', '0.0'],
    ['27', '0.39'],
    ['28', '1.0'],
    ['4f', '1.39'],
    ['50', '2.0'],
    ['8837', '2.999'],
  ] as const) {
    // A third arc of three bytes, another one in every run.
    const hex = `${head}8${(fresh & 7) | 1}${(0x80 | ((fresh >> 3) & 0x7f)).toString(16)}05`;
    const body = fromHex(hex);
    const bytes = Buffer.concat([Buffer.of(tags.oid, body.length), body]);
    const arc = body.subarray(head.length / 2).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
    assert.equal(oidText(readDer(bytes)), `${text}.${arc}`);
    assert.equal(oidText(readDer(bytes)), `${text}.${arc}`, 'once more, from memory');
  }
});

test('a length of four bytes is read where the content is as long', () => {
  const bytes = Buffer.alloc(6 + 2 ** 24);
  bytes.set([tags.octets, 0x84, 1, 0, 0, 0]);
  assert.equal(readDer(bytes).length, 2 ** 24);
});

test('the largest first byte of a number that is not negative is 0x7f', () => {
  assert.equal(smallInteger(readDer(fromHex('02017f'))), 127);
});
