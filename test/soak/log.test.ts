/** What `npm run soak` does at length, for as long as `npm test` has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killLoop } from './kill.ts';
import { killServer } from './kill-server.ts';
import { powerLoss } from './power-loss.ts';
import { canTrace, sweep } from './syscalls.ts';
import { twins } from './twin.ts';

const SEED = 2026;

test('200 kills of a log at random moments lose and change nothing it acknowledged', async (t) => {
  const report = await killLoop({ count: 200, seed: SEED, lanes: 2, told: () => {}, afterAnswer: true });
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(report)}`);
  assert.ok(report.kills >= 200 && report.whileOpening > 0, 'kills hit the recovery and the work');
  // Two lives of three are ended in their work.
  assert.ok(report.acknowledged > report.kills / 3, 'the loop wrote next to nothing');
});

test('a log server that is killed under load answers for everything it acknowledged', async (t) => {
  // A life costs the start of a server, half a second and more: `npm run soak -- kill-server` has the time.
  const report = await killServer(3, SEED, () => {}, { afterAnswer: true });
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.acknowledged > report.kills);
});

if (!canTrace()) console.log('note: strace cannot trace here; system calls and power loss were not tried');
else {
  test('a rename that fails, or is the last thing a process does, loses nothing', async (t) => {
    const report = await sweep({ faults: ['EIO', 'KILL'], calls: ['rename'], lanes: 2, told: () => {} });
    t.diagnostic(JSON.stringify({ ...report, injected: [...report.injected] }));
    assert.deepEqual([...report.injected.keys()].sort(), ['rename EIO', 'rename KILL']);
    // Which entries share a batch is chance: a count may be of one more.
    assert.ok(report.missed <= report.runs / 4, `${report.missed} of ${report.runs} missed`);
  });

  test('no disk that a power failure leaves of a recorded run lacks what was acknowledged', async (t) => {
    const report = await powerLoss({ count: 1, seed: 18, sets: 1, told: () => {} });
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.images > 100 && report.acknowledged > 100);
  });
}

test('the log answers as its naive twin over a random history', async () => {
  await twins(600, SEED);
});
