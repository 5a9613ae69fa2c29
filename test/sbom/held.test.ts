/** Threads that look at large files: one at a time has more than its share, whatever becomes of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { freeTurn, HeldMemory, newTurn } from '../../src/sbom/held.ts';
import type { Given } from './held-thread.ts';

const MiB = 1024 * 1024;

function startThread(given: Given): Worker {
  return new Worker(new URL('./held-thread.ts', import.meta.url), { workerData: given });
}

test('a thread that wants more than its share waits for the one that has it', async () => {
  const cell = newTurn();
  const seen = new Int32Array(new SharedArrayBuffer(4));
  const memory = new HeldMemory({ cell, me: 1 });
  memory.take(90 * MiB);
  const thread = startThread({ cell, seen, bytes: 20 * MiB });
  try {
    assert.deepEqual(await once(thread, 'message'), ['asks']);
    Atomics.store(seen, 0, 1);
    memory.give(90 * MiB);
    assert.deepEqual(await once(thread, 'message'), [1]);
    assert.equal(cell[0], 2);
  } finally {
    await thread.terminate();
  }
});

test('a thread that wants no more than its share waits for nobody', async () => {
  const cell = newTurn();
  new HeldMemory({ cell, me: 1 }).take(90 * MiB);
  const thread = startThread({ cell, seen: new Int32Array(new SharedArrayBuffer(4)), bytes: 8 * MiB });
  try {
    assert.deepEqual(await once(thread, 'message'), ['asks']);
    assert.deepEqual(await once(thread, 'message'), [0]);
    assert.equal(cell[0], 1);
  } finally {
    await thread.terminate();
  }
});

test('the turn is kept while archives in an archive come and go, and given back with the last of them', () => {
  const cell = newTurn();
  const memory = new HeldMemory({ cell, me: 1 });
  memory.take(4 * MiB);
  assert.equal(cell[0], 0);
  memory.take(5 * MiB);
  memory.take(40 * MiB);
  memory.give(40 * MiB);
  assert.equal(cell[0], 1);
  memory.give(5 * MiB);
  assert.equal(cell[0], 0);
});

test('a layer that fails, and a thread that ends, leave the turn to others', () => {
  const cell = newTurn();
  const memory = new HeldMemory({ cell, me: 1 });
  memory.take(90 * MiB);
  freeTurn(cell, 2);
  assert.equal(cell[0], 1);
  memory.clear();
  assert.equal(cell[0], 0);
  memory.take(90 * MiB);
  freeTurn(cell, 1);
  assert.equal(cell[0], 0);
});
