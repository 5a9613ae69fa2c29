/** An S3-compatible store for benchmarks: versitygw, where it is installed, over a folder of this machine. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requirePeer } from '../../test/peers/cache.ts';
import { freePort } from '../../test/peers/real-services.ts';

export interface ObjectStore {
  /** `s3://BUCKET/PREFIX?…` for `--objects`. */
  url(bucket: string, prefix: string): string;
  /** Credentials, for the environment. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
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
