import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upgrade } from '../soak/upgrade.ts';

test('data of every earlier format is read and finished, data of a newer one is refused untouched', async (t) => {
  const { read, refused } = await upgrade();
  t.diagnostic(`read ${read.join(', ')}; refused a newer ${refused.join(', ')}`);
  assert.deepEqual(read, ['format-0', 'format-1']);
  assert.equal(refused.length, 3);
});
