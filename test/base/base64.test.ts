/** Base64 from outside: one text for each sequence of bytes, however it is decoded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toBase64, tryBase64 } from '#base/bytes';

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
  const characters = fc.constantFrom(...'ABab01+/=-_ \n\t.é\u0000');
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
