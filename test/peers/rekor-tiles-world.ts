/** The real Rekor v2 as a process on loopback, and our log with API v2, both empty. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { startLog } from '../services/log-fixture.ts';
import { temporaryFolder } from '../stack/helper.ts';
import { freePort, Processes } from './real-services.ts';

export interface RekorTilesWorld {
  readonly theirs: string;
  /** Where the real one shows its metrics. */
  readonly metrics: string;
  readonly ours: string;
}

export async function rekorTilesWorld(): Promise<RekorTilesWorld> {
  const home = await temporaryFolder();
  const processes = new Processes(home);
  const log = await startLog('v2');
  after(async () => {
    await processes.close();
    await log.close();
  });
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(join(home, 'log.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const [http, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
  processes.start('rekor-tiles', [
    ...['serve', '--storage-dir', join(home, 'log'), '--signer-filepath', join(home, 'log.pem')],
    ...['--hostname', '127.0.0.1', '--http-port', `${http}`, '--grpc-port', `${grpc}`],
    ...['--http-metrics-port', `${metrics}`, '--log-level', 'error'],
    ...['--checkpoint-interval', '100ms', '--batch-max-age', '20ms'],
  ]);
  const theirs = `http://127.0.0.1:${http}`;
  await processes.answer('rekor-tiles', `${theirs}/healthz`);
  return { theirs, metrics: `http://127.0.0.1:${metrics}/metrics`, ours: log.url };
}
