/** An S3-compatible store for benchmarks: versitygw, where it is installed, over a folder of this machine. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requirePeer } from '../../test/peers/cache.ts';

export interface ObjectStore {
  /** `s3://BUCKET/PREFIX?…` for `--objects`. */
  url(bucket: string, prefix: string): string;
  /** Credentials, for the environment. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((settle) => probe.listen(0, '127.0.0.1', settle));
  const address = probe.address();
  await new Promise((settle) => probe.close(settle));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

/** Throws, with the command that installs it, where it is not there. */
export async function startObjectStore(folder: string, buckets: readonly string[]): Promise<ObjectStore> {
  for (const bucket of buckets) mkdirSync(join(folder, bucket), { recursive: true });
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const [id, secret] = ['access', 'secret'];
  const server = spawn(requirePeer('versitygw'), ['--port', new URL(endpoint).host, 'posix', folder], {
    env: { ...process.env, ROOT_ACCESS_KEY: id, ROOT_SECRET_KEY: secret },
    stdio: 'ignore',
  });
  const ended = new Promise<void>((settle) => server.once('close', () => settle()));
  for (let i = 0; ; i++) {
    if ((await fetch(endpoint).catch(() => undefined)) !== undefined) break;
    if (i > 200) throw new Error('versitygw did not start');
    await sleep(50);
  }
  return {
    url: (bucket, prefix) =>
      `s3://${bucket}/${prefix}?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`,
    env: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret },
    stop: async () => {
      server.kill('SIGTERM');
      await ended;
    },
  };
}
