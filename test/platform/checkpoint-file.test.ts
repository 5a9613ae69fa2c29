/** The checkpoint file of the embedded store: whoever writes, one of those who saw the same text wins. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { embeddedLogStore } from '#platform/store-embedded';

const folder = mkdtempSync(join(tmpdir(), 'waybill-checkpoint-'));
after(() => rmSync(folder, { recursive: true, force: true }));

// One that waited for the other's lock on this thread would keep the other from giving it back, and find it busy.
test('two stores of one process publish and swap by turns, neither holding the thread of the other', async () => {
  const directory = join(folder, 'data');
  const first = embeddedLogStore({ directory });
  symlinkSync(directory, join(folder, 'same'));
  const second = embeddedLogStore({ directory: join(folder, 'same') });
  let [locked, published]: [string | undefined, string | undefined] = [undefined, undefined];
  for (let round = 0; round < 20; round++) {
    const tries = [first, second, first, second];
    const next = (i: number): string => `${round} by ${i}`;
    const outcomes = await Promise.all(
      tries.flatMap((store, i) => [store.publish(published, next(i)), store.lock.swap(locked, next(i))]),
    );
    const won = (kind: number): number[] =>
      tries.map((_, i) => i).filter((i) => outcomes[2 * i + kind] === true);
    assert.deepEqual([won(0).length, won(1).length], [1, 1], `round ${round}`);
    published = next(won(0)[0] as number);
    locked = next(won(1)[0] as number);
    assert.equal(await second.published(), published);
    assert.equal(await first.lock.read(), locked);
  }
  await first.close();
  await second.close();
});

test('what could not be published leaves the checkpoint, and the next one is published', async () => {
  const directory = join(folder, 'other');
  const store = embeddedLogStore({ directory });
  assert.equal(await store.publish(undefined, 'one'), true);
  assert.equal(await store.publish(undefined, 'two'), false);
  assert.equal(await store.publish('another', 'two'), false);
  assert.equal(readFileSync(join(directory, 'checkpoint'), 'utf8'), 'one');
  assert.equal(await store.publish('one', 'two'), true);
  assert.equal(await store.published(), 'two');
  assert.equal(
    readdirSync(directory).some((name) => name.endsWith('.tmp')),
    false,
  );
  await store.close();
});
