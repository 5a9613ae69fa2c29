/**
 * Our timestamp authority against Sigstore's: the same requests of the same clients in turns, each answer counted only
 * with status 200 and some of each round verified. Gate: 1.3 times its rate (aim 2). `npm run bench:peers -- tsa`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Certificate } from '#formats/x509';
import { freePort, Processes } from '../../test/peers/real-services.ts';
import { checkTimestamp, type TimestampAsk, timestampAsks, timestampChain } from '../lib/authority-load.ts';
import { startServer } from '../lib/log-load.ts';
import { inRounds, line, rateRatio } from '../lib/post-load.ts';
import { processorMs } from '../lib/processes.ts';
import { report } from '../lib/report.ts';

const ROUNDS = 7;
const REQUESTS = 1600;
const CLIENTS = 32;
const GATE = 1.3;

const folder = mkdtempSync(join(tmpdir(), 'waybill-bench-peers-tsa-'));
const processes = new Processes(folder);

/** The timestamp server with a key in memory; `url` is that of requests. */
async function startTimestampServer(): Promise<{ readonly url: string; readonly pid: number | undefined }> {
  const [host, port] = ['127.0.0.1', await freePort()];
  const { pid } = processes.start('timestamp-server', [
    ...['serve', '--host', host, '--port', `${port}`, '--timestamp-signer', 'memory'],
    ...['--disable-ntp-monitoring', '--log-type', 'prod'],
  ]);
  const url = `http://${host}:${port}/api/v1/timestamp`;
  await processes.answer('timestamp-server', `${url}/certchain`);
  return { url, pid };
}

const stack = await startServer('bench/lib/authority-server.ts', ['stack', join(folder, 'data')]);
try {
  const { tsa } = JSON.parse(stack.url) as { readonly tsa: string };
  const theirs = await startTimestampServer();
  const targets = { waybill: `${tsa}/api/v1/timestamp`, 'timestamp-server': theirs.url };
  const pids = { waybill: stack.child.pid, 'timestamp-server': theirs.pid };
  const before = { waybill: 0, 'timestamp-server': 0 };
  const names = ['waybill', 'timestamp-server'] as const;
  const authorities = {
    waybill: (await timestampChain(targets.waybill))[0] as Certificate,
    'timestamp-server': (await timestampChain(targets['timestamp-server']))[0] as Certificate,
  };
  // Clients ask for the certificate: cosign and the libraries do.
  const asks = timestampAsks(REQUESTS, true);
  const measured = await inRounds(
    targets,
    asks.map(({ post }) => post),
    { rounds: ROUNDS, clients: CLIENTS, warmUp: 4 * REQUESTS },
    (target, index, answer) => checkTimestamp(answer, asks[index] as TimestampAsk, authorities[target]),
    () => {
      for (const name of names) before[name] = processorMs(pids[name]);
    },
  );
  for (const name of names) {
    console.log(line(name, measured[name], CLIENTS, processorMs(pids[name]) - before[name]));
  }
  const times = rateRatio(measured.waybill, measured['timestamp-server']);
  report('peers-tsa', { 'times timestamp-server': Number(times.toFixed(2)) }, times >= GATE);
} finally {
  await Promise.all([stack.stop(), processes.close()]);
  rmSync(folder, { recursive: true, force: true });
}
