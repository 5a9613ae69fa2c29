/** A log in a real S3-compatible store: the whole store contract, a log over it, and two writers. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { WaybillError } from '#base/reason';
import { openStore } from '#platform/store-open';
import { s3LogStore } from '#platform/store-s3';
import { openBucket } from '#platform/store-s3-bucket';
import { logStoreConformance } from '../platform/log-store-conformance.ts';
import { checkLog, entry, fill, open } from '../tlog/fixture.ts';
import { startVersitygw } from './versitygw-server.ts';

const { root, bucketOptions } = await startVersitygw('logs');

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
