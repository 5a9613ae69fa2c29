/**
 * The timestamp authority against a server that makes one signature an answer. Rounds take turns, medians are
 * compared; the ratio to the floor gates, the latency is printed. `npm run bench -- tsa`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '#base/crypto';
import { buildTimeStampRequest } from '#formats/tsp';
import { startServer } from './lib/log-load.ts';
import { againstFloor, type Post } from './lib/post-load.ts';
import { report } from './lib/report.ts';

const ROUNDS = 5;
const REQUESTS = 400;
const CLIENTS = 64;
const GATE = 0.5;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-tsa-'));
const program = 'bench/lib/authority-server.ts';
const [stack, floor] = await Promise.all([
  startServer(program, ['stack', join(folder, 'data')]),
  startServer(program, ['tsa-floor']),
]);
const { tsa } = JSON.parse(stack.url) as { readonly tsa: string };
const headers = { 'content-type': 'application/timestamp-query' };
const posts = Array.from({ length: REQUESTS }, (): Post => {
  const nonce = Uint8Array.of(1, ...randomBytes(7));
  const der = buildTimeStampRequest({
    hashName: 'sha256',
    hash: sha256(randomBytes(32)),
    nonce,
    certReq: false,
  });
  return { body: Buffer.from(der), headers };
});

const url = `${tsa}/api/v1/timestamp`;
const {
  rate,
  floor: floorRate,
  p99,
  ofFloor,
} = await againstFloor(url, floor.url, posts, {
  rounds: ROUNDS,
  clients: CLIENTS,
  warmUp: 200,
});
console.log(
  `${rate.toFixed(0)} timestamps/s with ${CLIENTS} clients, p99 ${p99.toFixed(0)} ms; ` +
    `floor ${floorRate.toFixed(0)}/s`,
);
await Promise.all([stack.stop(), floor.stop()]);
rmSync(folder, { recursive: true, force: true });
report('tsa', { 'of floor': Number(ofFloor.toFixed(3)) }, ofFloor >= GATE);
