import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MIB = 1024 * 1024;

/**
 * Survivors in every turn of the event loop, and some that die old; gives the largest size of each generation. V8 chooses
 * how far the old one grows by how quick the machine is: `wide` is a bounded heap that is told the widest it would choose.
 */
const program = `
  import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { boundHeap } from '#platform/memory';
  if (process.argv[1] !== 'free') boundHeap();
  if (process.argv[1] === 'wide') setFlagsFromString('--heap-growing-percent=300');
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

/** Collected in one thread, and never because nothing happens: when, depends on what is allocated. */
const settled = ['--single-threaded-gc', '--no-memory-reducer'];

function largest(word: string): { readonly young: number; readonly old: number } {
  const args = [
    ...settled,
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '--eval',
    program,
    word,
  ];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test('a bounded heap stops growing its young generation, and grows its old one less far than V8 may', () => {
  const bounded = largest('bounded');
  const free = largest('free');
  const wide = largest('wide');
  assert.ok(bounded.young <= 32 * MIB, `${bounded.young}`);
  assert.ok(free.young > bounded.young, `${free.young}`);
  assert.ok(wide.old > 1.1 * bounded.old, `${wide.old} against ${bounded.old}`);
});
