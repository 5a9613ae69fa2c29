/** Random numbers drawn ahead. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#base/bytes';
import { drawnAhead } from '#base/random';

test('numbers drawn ahead are the bytes of the source, each once, and nobody shares them', () => {
  let next = 0;
  const asked: number[] = [];
  const source = {
    bytes: (length: number) => {
      asked.push(length);
      return Uint8Array.from({ length }, () => next++ % 251);
    },
  };
  const draw = drawnAhead(source, 5);
  assert.deepEqual(asked, []);
  const drawn = Array.from({ length: 200 }, draw);
  const all = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  assert.equal(drawn.map(toHex).join(''), toHex(all));
  const before = toHex(drawn[1] as Uint8Array);
  (drawn[0] as Uint8Array).fill(0);
  assert.equal(toHex(drawn[1] as Uint8Array), before);
  assert.equal(asked.length < 5, true);
});
