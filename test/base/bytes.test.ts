/** Bytes from outside as text, and base64: one text for each sequence of bytes, however it is decoded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toBase64, tryBase64, utf8, utf8Text } from '#base/bytes';
import { WaybillError } from '#base/reason';

/** Lengths on both sides of where another way of decoding begins. */
const bytes = fc.uint8Array({ maxLength: 100 });

test('what is encoded decodes to the same bytes', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      const decoded = tryBase64(toBase64(value));
      assert.ok(decoded);
      assert.deepEqual([...decoded], [...value]);
    }),
  );
});

test('a text is decoded exactly when encoding gives it back', () => {
  const characters = fc.constantFrom(...Array.from('ABab01+/=-_ \n\t.é\u0000'));
  const altered = fc
    .tuple(bytes, fc.nat(), characters, fc.boolean())
    .map(([value, at, character, replaces]) => {
      const text = toBase64(value);
      const place = at % (text.length + 1);
      return text.slice(0, place) + character + text.slice(place + (replaces ? 1 : 0));
    });
  fc.assert(
    fc.property(fc.oneof(altered, fc.stringMatching(/^[AQgw/+=]{0,12}$/)), (text) => {
      const isCanonical = Buffer.from(text, 'base64').toString('base64') === text;
      assert.equal(tryBase64(text) !== undefined, isCanonical, JSON.stringify(text));
    }),
    { numRuns: 1000 },
  );
});

test('UTF-8 is read as a strict decoder reads it, U+FFFD and byte order marks included', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const read = (decode: (value: Uint8Array) => string, value: Uint8Array): string | undefined => {
    try {
      return decode(value);
    } catch (error) {
      assert.ok(
        error instanceof TypeError || (error instanceof WaybillError && error.reason.code === 'WB-101'),
      );
      return undefined;
    }
  };
  const same = (value: Uint8Array): void =>
    assert.equal(
      read(utf8Text, value),
      read((one) => strict.decode(one), value),
    );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), same), { numRuns: 2000 });
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => same(utf8(text))));
  for (const text of ['\ufffd', '\ufeff{}', 'é\ufffd', '']) assert.equal(utf8Text(utf8(text)), text);
});
