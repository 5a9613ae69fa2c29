import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedReads } from '#platform/shared-reads';

const bytes = Uint8Array.of(1);

test('reads of one path at a time are one, later ones and other paths are their own', async () => {
  const asked: string[] = [];
  const read = sharedReads(async (path) => {
    asked.push(path);
    return bytes;
  });
  const found = await Promise.all(['a', 'a', 'b', 'a'].map(read));
  assert.deepEqual(found, [bytes, bytes, bytes, bytes]);
  assert.deepEqual(asked, ['a', 'b']);
  await read('a');
  assert.deepEqual(asked, ['a', 'b', 'a']);
});

test('who joined a read that found nothing sees what was there when it was called', async () => {
  const first = Promise.withResolvers<Uint8Array | undefined>();
  const answers = [first.promise, Promise.resolve(bytes)];
  let calls = 0;
  const read = sharedReads(() => answers[calls++] as Promise<Uint8Array | undefined>);
  const early = read('a');
  const late = [read('a'), read('a')];
  first.resolve(undefined);
  assert.equal(await early, undefined);
  assert.deepEqual(await Promise.all(late), [bytes, bytes]);
  assert.equal(calls, 2);
});

test('a read that fails fails for all who share it, and the next begins anew', async () => {
  let calls = 0;
  const read = sharedReads(async () => {
    calls++;
    if (calls === 1) throw new Error('no answer');
    return bytes;
  });
  const both = await Promise.allSettled([read('a'), read('a')]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await read('a'), bytes);
});
