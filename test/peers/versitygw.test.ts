/** A log in a real S3-compatible store: the whole store contract, a log over it, and two writers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { openStore } from '#platform/store-open';
import { s3LogStore } from '#platform/store-s3';
import { openBucket } from '#platform/store-s3-bucket';
import { logStoreConformance } from '../platform/log-store-conformance.ts';
import { checkLog, entry, fill, open } from '../tlog/fixture.ts';
import { requirePeer } from './cache.ts';

const binary = requirePeer('versitygw');
const root = mkdtempSync(join(tmpdir(), 'waybill-s3-'));
const files = join(root, 'files');
mkdirSync(join(files, 'logs'), { recursive: true });
const port = await freePort();
const server = spawn(binary, ['--port', `127.0.0.1:${port}`, 'posix', files], {
  env: { ...process.env, ROOT_ACCESS_KEY: 'access', ROOT_SECRET_KEY: 'secret' },
  stdio: 'ignore',
});
const ended = new Promise((resolve) => server.once('close', resolve));
after(async () => {
  server.kill('SIGTERM');
  await ended;
  rmSync(root, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

const endpoint = `http://127.0.0.1:${port}`;
const bucketOptions = (prefix: string) => ({
  ...{ endpoint, region: 'us-east-1', bucket: 'logs', prefix },
  ...{ accessKeyId: 'access', secretAccessKey: new Secret('secret') },
});
for (let i = 0; ; i++) {
  const answered = await fetch(endpoint).catch(() => undefined);
  if (answered !== undefined) break;
  assert.ok(i < 200, 'versitygw did not start');
  await sleep(50);
}

let made = 0;
logStoreConformance('versitygw', true, () => {
  const prefix = `log-${made++}`;
  const indexFile = join(root, `${prefix}.db`);
  return {
    open: async () => s3LogStore({ bucket: await openBucket(bucketOptions(prefix)), indexFile }),
    cleanUp: () => {},
  };
});

test('a log in versitygw passes a border of tiles, opens on a machine without an index, and keeps one writer', async () => {
  const place = () => openStore({ kind: 's3', bucket: bucketOptions('whole') });
  const first = await place();
  const log = await open(first.store);
  await fill(log, 0, 300);
  await checkLog(log);
  const second = await place();
  const rival = await open(second.store);
  assert.equal((await rival.append(entry(7))).duplicate, true, 'names are made again from the tiles');
  await rival.append(entry('by the rival'));
  await assert.rejects(
    log.append(entry('too late')),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-406',
  );
  assert.equal((await checkLog(rival)).length, 301);
  const anyone = await (await openBucket(bucketOptions('whole'))).get('tile/0/000');
  assert.equal(anyone?.bytes.length, 8192);
  for (const one of [first, second]) await one.close();
});
