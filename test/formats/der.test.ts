import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '#base/bytes';
import { limits } from '#base/limits';
import { attempt, unwrap } from '#base/result';
import { der, oidText, parseDer, readDer, smallInteger, stringText } from '#formats/der';
import { timeMs } from '#formats/der-time';
import { parseSctList } from '#formats/sct';
import { parseTimeStampRequest, parseTimeStampResponse, parseTimeStampToken } from '#formats/tsp';
import { parseCertificate } from '#formats/x509';
import { parseCsr } from '#formats/x509-build';

const code = (hex: string): string => {
  const parsed = parseDer(fromHex(hex));
  return parsed.ok ? 'ok' : parsed.error.code;
};

/** What X.690 forbids in DER, each with the smallest example and its accepting twin. */
const table: readonly (readonly [name: string, good: string, bad: string, expected: string])[] = [
  ['an indefinite length', '30020500', '308005000000', 'WB-121'],
  ['a length in more bytes than needed', '040100', '04810100', 'WB-121'],
  ['a long length with a leading zero', `048180${'00'.repeat(128)}`, `04820080${'00'.repeat(128)}`, 'WB-121'],
  ['bytes after the element', '0500', '050000', 'WB-121'],
  ['a body shorter than its length', '040100', '040200', 'WB-121'],
  ['a child longer than its parent', '3003040100', '3003040200', 'WB-121'],
  ['a padded positive integer', '02017f', '0202007f', 'WB-121'],
  ['a padded negative integer', '0201ff', '0202ffff', 'WB-121'],
  ['an empty integer', '020100', '0200', 'WB-121'],
  ['a boolean other than 00 and FF', '0101ff', '010101', 'WB-121'],
  ['a NULL with content', '0500', '050100', 'WB-121'],
  ['an object identifier with a padded arc', '06022a03', '06032a8003', 'WB-121'],
  ['an object identifier that ends inside an arc', '06022a03', '06022a83', 'WB-121'],
  ['an object identifier with an arc of 8 bytes', '06082affffffffffff7f', '06092affffffffffffff7f', 'WB-121'],
  ['a bit string with unused bits that are set', '03020780', '030207ff', 'WB-121'],
  ['a bit string with 8 unused bits', '03020780', '03020880', 'WB-121'],
  ['a constructed octet string', '0403040100', '2403040100', 'WB-121'],
  ['a tag number in more than one byte', '9e0100', '9f1f0100', 'WB-121'],
  ['a reserved tag', '0500', '0000', 'WB-121'],
  ['a length of five bytes', '040100', '04850000000001', 'WB-121'],
  ['no byte at all', '0500', '', 'WB-121'],
];

for (const [name, good, bad, expected] of table) {
  test(`DER refuses ${name}`, () => {
    assert.equal(code(bad), expected);
  });
  test(`DER accepts the twin of ${name}`, () => {
    assert.equal(code(good), 'ok');
  });
}

const nested = (depth: number): Uint8Array => {
  let bytes = der.nul();
  for (let i = 1; i < depth; i++) bytes = der.seq(bytes);
  return bytes;
};

test('nesting is accepted at the limit and refused above it', () => {
  assert.equal(parseDer(nested(limits.derDepth)).ok, true);
  const deep = parseDer(nested(limits.derDepth + 1));
  assert.equal(!deep.ok && deep.error.code, 'WB-123');
});

test('ten thousand levels are refused without exhausting the stack', () => {
  const deep = parseDer(Buffer.from('3080'.repeat(10_000), 'hex'));
  assert.equal(deep.ok, false);
  const honest = parseDer(nested(10_000));
  assert.equal(!honest.ok && honest.error.code, 'WB-123');
});

test('integers, identifiers, strings and times survive the round trip', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      fc.array(fc.nat({ max: 2 ** 40 }), { minLength: 1, maxLength: 8 }),
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 }),
      (number, arcs, text, seconds) => {
        assert.equal(smallInteger(readDer(der.int(number))), number);
        const oid = `1.3.${arcs.join('.')}`;
        assert.equal(oidText(readDer(der.oid(oid))), oid);
        assert.equal(stringText(readDer(der.utf8(text))), text.toWellFormed());
        assert.equal(timeMs(readDer(der.utcOrGeneralTime(seconds * 1000))), seconds * 1000);
      },
    ),
  );
});

test('what the writer makes is DER, also at the borders of the length forms', () => {
  for (const length of [0, 127, 128, 255, 256, 65_535, 65_536, 70_000]) {
    const bytes = der.seq(der.octets(new Uint8Array(length)));
    assert.equal(unwrap(parseDer(bytes)).children()[0]?.length, length);
  }
});

test('the two-digit year turns the century between 49 and 50', () => {
  const year = (text: string): number => new Date(timeMs(readDer(utc(text)))).getUTCFullYear();
  assert.equal(year('491231235959Z'), 2049);
  assert.equal(year('500101000000Z'), 1950);
});

const utc = (text: string): Uint8Array => {
  const bytes = der.octets(new TextEncoder().encode(text));
  bytes[0] = 0x17;
  return bytes;
};

test('dates that do not exist are refused', () => {
  for (const text of [
    '260230000000Z',
    '261301000000Z',
    '260101240000Z',
    '260101006000Z',
    '2601010000Z',
    '260101000000+0100',
  ]) {
    const read = attempt(() => timeMs(readDer(utc(text))));
    assert.equal(!read.ok && read.error.code, 'WB-121', text);
  }
});

test('nodes are windows into the input, never copies', () => {
  const bytes = der.seq(der.int(5), der.octets(Uint8Array.of(1, 2)));
  const [first, second] = unwrap(parseDer(bytes)).children();
  assert.equal(first?.raw.buffer, bytes.buffer);
  assert.equal(toHex(second?.body ?? new Uint8Array(0)), '0102');
  assert.equal(toHex(second?.header ?? new Uint8Array(0)), '0402');
});

test('no parser throws on arbitrary bytes', () => {
  const parsers = [
    parseDer,
    parseCertificate,
    parseCsr,
    parseSctList,
    parseTimeStampRequest,
    parseTimeStampResponse,
    parseTimeStampToken,
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const parse of parsers) assert.equal(typeof parse(bytes).ok, 'boolean');
    }),
    { numRuns: 2000 },
  );
});
