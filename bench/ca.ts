/**
 * The certificate authority with its promise durable in our own CT log, against a server that makes and checks the
 * same signatures and keeps nothing. Rounds take turns, medians are compared. Gate: 40 % of the floor (aim 65 %).
 * The latency is printed, with the figure it aims at on a quiet machine. `npm run bench -- ca`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { startServer } from './lib/log-load.ts';
import { againstFloor, type Post } from './lib/post-load.ts';
import { report } from './lib/report.ts';

const ROUNDS = 5;
const REQUESTS = 128;
const CLIENTS = 64;
const GATE = 0.4;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-ca-'));
const program = 'bench/lib/authority-server.ts';
const [stack, floor] = await Promise.all([
  startServer(program, ['stack', join(folder, 'data')]),
  startServer(program, ['ca-floor']),
]);
const { oidc, ca } = JSON.parse(stack.url) as { readonly oidc: string; readonly ca: string };

async function token(email: string): Promise<string> {
  const asked = await fetch(`${oidc}/token`, { method: 'POST', body: JSON.stringify({ email }) });
  return ((await asked.json()) as { readonly id_token: string }).id_token;
}

/** A key and a proof of its own for each; the person is one of a few. */
const bearers = await Promise.all(Array.from({ length: 8 }, (_, i) => token(`p${i}@example.com`)));
function request(i: number): Post {
  const key = generateKey('p256');
  const proof = Buffer.from(key.sign(utf8(`p${i % 8}@example.com`))).toString('base64');
  const publicKey = { algorithm: 'ECDSA', content: publicKeyPem(key.publicKey) };
  const body = { publicKeyRequest: { publicKey, proofOfPossession: proof } };
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${bearers[i % 8]}` };
  return { body: Buffer.from(JSON.stringify(body)), headers };
}
const posts = Array.from({ length: REQUESTS }, (_, i) => request(i));

const url = `${ca}/api/v2/signingCert`;
const {
  rate,
  floor: floorRate,
  p99,
  ofFloor,
} = await againstFloor(url, floor.url, posts, {
  rounds: ROUNDS,
  clients: CLIENTS,
  warmUp: 50,
});
console.log(
  `${rate.toFixed(0)} certificates/s with ${CLIENTS} clients, p99 ${p99.toFixed(0)} ms (aim 50, bound 120); ` +
    `floor ${floorRate.toFixed(0)}/s; ${stack.peakMiB().toFixed(0)} MiB`,
);
await Promise.all([stack.stop(), floor.stop()]);
rmSync(folder, { recursive: true, force: true });
report('ca', { 'of floor': Number(ofFloor.toFixed(3)) }, ofFloor >= GATE);
