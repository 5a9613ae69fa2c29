/**
 * The timestamp authority against a server that makes one signature an answer. Rounds take turns, medians are
 * compared; the ratio to the floor gates, the latency is printed. `npm run bench -- tsa`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certificate } from '#formats/x509';
import { checkTimestamp, type TimestampAsk, timestampAsks, timestampChain } from './lib/authority-load.ts';
import { startServer } from './lib/log-load.ts';
import { inRounds, rateRatio } from './lib/post-load.ts';
import { report } from './lib/report.ts';

const ROUNDS = 5;
const REQUESTS = 1200;
const CLIENTS = 32;
const GATE = 0.5;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-tsa-'));
const program = 'bench/lib/authority-server.ts';
const [stack, floor] = await Promise.all([
  startServer(program, ['stack', join(folder, 'data')]),
  startServer(program, ['tsa-floor']),
]);
const { tsa } = JSON.parse(stack.url) as { readonly tsa: string };
const url = `${tsa}/api/v1/timestamp`;
const asks = timestampAsks(REQUESTS, false);
const [authority] = await timestampChain(url);
const measured = await inRounds(
  { waybill: url, floor: floor.url },
  asks.map(({ post }) => post),
  { rounds: ROUNDS, clients: CLIENTS, warmUp: 2 * REQUESTS },
  (target, index, answer) => {
    if (target === 'waybill') checkTimestamp(answer, asks[index] as TimestampAsk, authority as Certificate);
  },
);
const { perSecond, p50, p99 } = measured.waybill;
const ofFloor = rateRatio(measured.waybill, measured.floor);
console.log(
  `${perSecond.toFixed(0)} timestamps/s with ${CLIENTS} clients, p50 ${p50.toFixed(0)} ms, ` +
    `p99 ${p99.toFixed(0)} ms; floor ${measured.floor.perSecond.toFixed(0)}/s`,
);
await Promise.all([stack.stop(), floor.stop()]);
rmSync(folder, { recursive: true, force: true });
report('tsa', { 'of floor': Number(ofFloor.toFixed(3)) }, ofFloor >= GATE);
