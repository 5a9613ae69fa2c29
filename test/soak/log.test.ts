/** What `npm run soak` does at length, for as long as `npm test` has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killLoop } from './kill.ts';
import { twins } from './twin.ts';

/** A life costs the start of a server, half a second and more: 200 of them are `npm run soak -- kill --count 200`. */
const KILLS = 12;

test('a log server that is killed again and again under load loses and changes nothing it acknowledged', async (t) => {
  const report = await killLoop(KILLS, 2026, () => {});
  t.diagnostic(`${report.kills} kills, ${report.acknowledged} acknowledged, ${report.unanswered} unanswered`);
  assert.ok(report.acknowledged > KILLS, 'the loop wrote next to nothing');
});

test('the log answers as its naive twin over a random history', async () => {
  await twins(600, 2026);
});
