import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MIB = 1024 * 1024;

/** Survivors in every turn of the event loop, and some that die old; gives the largest size of each generation. */
const program = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { boundHeap } from '#platform/memory';
  if (process.argv[1] === 'bounded') boundHeap();
  let kept = [];
  const largest = { young: 0, old: 0 };
  for (let turn = 0; turn < 500; turn++) {
    kept = kept.slice(-60_000);
    for (let i = 0; i < 5_000; i++) kept.push({ turn, i, text: 'x' + i });
    await nextTurn();
    const sizeOf = (name) => getHeapSpaceStatistics().find((space) => space.space_name === name).space_size;
    largest.young = Math.max(largest.young, sizeOf('new_space'));
    largest.old = Math.max(largest.old, sizeOf('old_space'));
  }
  console.log(JSON.stringify(largest));
`;

function largest(word: string): { readonly young: number; readonly old: number } {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program, word];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test('both generations of a bounded heap stay smaller than those of a heap that is not', () => {
  const bounded = largest('bounded');
  const free = largest('free');
  assert.ok(bounded.young <= 32 * MIB, `${bounded.young}`);
  assert.ok(free.young > bounded.young, `${free.young}`);
  assert.ok(free.old > 1.2 * bounded.old, `${free.old} against ${bounded.old}`);
});
