import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MIB = 1024 * 1024;

/** Survivors in every turn of the event loop; gives the size the young generation has then. */
const program = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { setImmediate as nextTurn } from 'node:timers/promises';
  import { boundYoungGeneration } from '#platform/memory';
  if (process.argv[1] === 'bounded') boundYoungGeneration();
  let kept = [];
  for (let turn = 0; turn < 400; turn++) {
    kept = kept.slice(-20_000);
    for (let i = 0; i < 5_000; i++) kept.push({ turn, i, text: 'x' + i });
    await nextTurn();
  }
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  console.log(young.space_size);
`;

function youngBytes(word: string): number {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program, word];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

test('a bounded young generation stays near its bound where an unbounded one grows on', () => {
  const bounded = youngBytes('bounded');
  assert.ok(bounded <= 32 * MIB, `${bounded}`);
  assert.ok(youngBytes('free') > bounded);
});
