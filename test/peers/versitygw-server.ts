/** versitygw, an S3-compatible store over a folder of its own, for one test file. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret } from '#base/secret';
import type { BucketOptions } from '#platform/store-s3-bucket';
import { freePortBase } from '../free-ports.ts';
import { requirePeer } from './cache.ts';

export interface RunningVersitygw {
  /** For further files of the test; removed at its end. */
  readonly root: string;
  bucketOptions(prefix: string): BucketOptions;
}

/** Starts it with one bucket; it ends with the test file. */
export async function startVersitygw(bucket: string): Promise<RunningVersitygw> {
  const binary = requirePeer('versitygw');
  const root = mkdtempSync(join(tmpdir(), 'waybill-s3-'));
  const files = join(root, 'files');
  mkdirSync(join(files, bucket), { recursive: true });
  const address = `127.0.0.1:${await freePortBase()}`;
  const server = spawn(binary, ['--port', address, 'posix', files], {
    env: { ...process.env, ROOT_ACCESS_KEY: 'access', ROOT_SECRET_KEY: 'secret' },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => server.once('close', resolve));
  after(async () => {
    server.kill('SIGTERM');
    await ended;
    rmSync(root, { recursive: true, force: true });
  });
  const endpoint = `http://${address}`;
  for (let i = 0; (await fetch(endpoint).catch(() => undefined)) === undefined; i++) {
    assert.ok(i < 200, 'versitygw did not start');
    await sleep(50);
  }
  return {
    root,
    bucketOptions: (prefix) => ({
      ...{ endpoint, region: 'us-east-1', bucket, prefix },
      ...{ accessKeyId: 'access', secretAccessKey: new Secret('secret') },
    }),
  };
}
