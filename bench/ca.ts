/**
 * The certificate authority with its promise durable in our own CT log, against a server that makes and checks the
 * same signatures and keeps nothing. Rounds take turns, medians are compared. Gate: 40 % of the floor (aim 65 %).
 * The latency is printed, with the figure it aims at on a quiet machine. `npm run bench -- ca`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateAsk, certificateAsks, checkCertificate } from './lib/authority-load.ts';
import { startServer } from './lib/log-load.ts';
import { inRounds, rateRatio } from './lib/post-load.ts';
import { report } from './lib/report.ts';

const ROUNDS = 5;
const REQUESTS = 640;
const CLIENTS = 32;
const GATE = 0.4;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-ca-'));
const program = 'bench/lib/authority-server.ts';
const [stack, floor] = await Promise.all([
  startServer(program, ['stack', join(folder, 'data')]),
  startServer(program, ['ca-floor']),
]);
const { oidc, ca } = JSON.parse(stack.url) as { readonly oidc: string; readonly ca: string };
const asks = await certificateAsks(oidc, REQUESTS);
const measured = await inRounds(
  { waybill: `${ca}/api/v2/signingCert`, floor: floor.url },
  asks.map(({ post }) => post),
  { rounds: ROUNDS, clients: CLIENTS, warmUp: 2 * REQUESTS },
  (target, index, answer) => {
    if (target === 'waybill') checkCertificate(answer, asks[index] as CertificateAsk);
  },
);
const { perSecond, p50, p99 } = measured.waybill;
const ofFloor = rateRatio(measured.waybill, measured.floor);
console.log(
  `${perSecond.toFixed(0)} certificates/s with ${CLIENTS} clients, p50 ${p50.toFixed(0)} ms, ` +
    `p99 ${p99.toFixed(0)} ms (aim 50, bound 120); ` +
    `floor ${measured.floor.perSecond.toFixed(0)}/s; ${stack.peakMiB().toFixed(0)} MiB`,
);
await Promise.all([stack.stop(), floor.stop()]);
rmSync(folder, { recursive: true, force: true });
report('ca', { 'of floor': Number(ofFloor.toFixed(3)) }, ofFloor >= GATE);
