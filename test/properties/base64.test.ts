/** base64: of each byte string exactly one text is read, and of each text at most one byte string. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromBase64, fromBase64Url, toBase64, toBase64Url } from '#base/bytes';
import { attempt } from '#base/result';

const alphabets = [
  { name: 'standard', read: fromBase64, write: toBase64, characters: 'AZaz09+/=-_ \n', pad: true },
  { name: 'url', read: fromBase64Url, write: toBase64Url, characters: 'AZaz09+/=-_ \n', pad: false },
] as const;

for (const { name, read, write, characters, pad } of alphabets) {
  test(`base64 (${name}): what is written is read, as the same bytes`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = write(bytes);
        assert.equal(text.length, pad ? 4 * Math.ceil(bytes.length / 3) : Math.ceil((bytes.length * 4) / 3));
        assert.deepEqual(new Uint8Array(read(text)), bytes);
      }),
      { seed: 4648, numRuns: 1000 },
    );
  });

  test(`base64 (${name}): whatever is read is written the same way again`, () => {
    const text = fc.string({ unit: fc.constantFrom(...characters.split('')), maxLength: 12 });
    fc.assert(
      fc.property(text, (candidate) => {
        const decoded = attempt(() => read(candidate));
        if (decoded.ok) assert.equal(write(decoded.value), candidate);
        else assert.equal(decoded.error.code, 'WB-103');
      }),
      { seed: 4649, numRuns: 5000 },
    );
  });

  test(`base64 (${name}): one character more, less or other is another value or none`, () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.constantFrom(...characters.split('')),
        (bytes, pick, character) => {
          const text = write(bytes);
          const at = pick % text.length;
          for (const changed of [
            text.slice(0, at) + character + text.slice(at + 1),
            text.slice(0, at) + character + text.slice(at),
            text.slice(0, at) + text.slice(at + 1),
          ]) {
            if (changed === text) continue;
            const decoded = attempt(() => read(changed));
            if (decoded.ok) assert.notDeepEqual(new Uint8Array(decoded.value), bytes);
          }
        },
      ),
      { seed: 4650, numRuns: 2000 },
    );
  });
}
