import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unwrap } from '#base/result';
import { pemDecode, pemEncode } from '#formats/pem';

test('PEM survives the round trip, with text around the blocks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 }),
      (list) => {
        const text = `note\n${list.map((der) => pemEncode('CERTIFICATE', der)).join('\nmore\n')}`;
        const blocks = unwrap(pemDecode(text, 'CERTIFICATE'));
        assert.deepEqual(
          blocks.map((block) => [...block.der]),
          list.map((der) => [...der]),
        );
      },
    ),
  );
});

test('PEM with Windows line ends is read', () => {
  const text = pemEncode('PUBLIC KEY', Uint8Array.of(1, 2, 3)).replaceAll('\n', '\r\n');
  assert.deepEqual([...unwrap(pemDecode(text))[0].der], [1, 2, 3]);
});

const refused: readonly (readonly [name: string, text: string])[] = [
  ['text without a block', 'hello'],
  ['a block without an end', '-----BEGIN X-----\nAQID\n'],
  ['a block inside a block', '-----BEGIN X-----\n-----BEGIN Y-----\nAQID\n-----END Y-----\n'],
  ['an end with another label', '-----BEGIN X-----\nAQID\n-----END Y-----\n'],
  ['base64 that is not canonical', '-----BEGIN X-----\nAQIE====\n-----END X-----\n'],
  ['base64 with trailing bits', '-----BEGIN X-----\nAR==\n-----END X-----\n'],
  ['an empty block', '-----BEGIN X-----\n-----END X-----\n'],
  ['headers inside a block', '-----BEGIN X-----\nProc-Type: 4\n\nAQID\n-----END X-----\n'],
];

for (const [name, text] of refused) {
  test(`PEM refuses ${name}`, () => {
    const decoded = pemDecode(text);
    assert.equal(!decoded.ok && decoded.error.code, 'WB-120');
  });
}

test('PEM refuses a block of another kind than asked for', () => {
  const decoded = pemDecode(pemEncode('PRIVATE KEY', Uint8Array.of(1)), 'CERTIFICATE');
  assert.equal(!decoded.ok && decoded.error.code, 'WB-120');
});
