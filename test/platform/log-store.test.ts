import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { openDatabase } from '#platform/sqlite';
import { embeddedLogStore } from '#platform/store-embedded';
import { memoryLogStore } from '#platform/store-memory';
import { openStore } from '#platform/store-open';
import { openPostgres, postgresLogStore } from '#platform/store-postgres';
import { s3Cell, s3LogStore, s3Tiles } from '#platform/store-s3';
import { openBucket, requireConditionalWrites } from '#platform/store-s3-bucket';
import { hasPostgres, startPostgres } from '../double/postgres.ts';
import { startS3 } from '../double/s3.ts';
import { logStoreConformance } from './log-store-conformance.ts';

logStoreConformance('memory', false, () => {
  const store = memoryLogStore();
  return { open: () => store, cleanUp: () => {} };
});

logStoreConformance('embedded', true, () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-store-'));
  return {
    open: () => embeddedLogStore({ directory: join(directory, 'log'), lockFile: join(directory, 'lock.db') }),
    cleanUp: () => rmSync(directory, { recursive: true, force: true }),
  };
});

const s3 = await startS3('logs');
after(() => s3.close());
let made = 0;
const bucketOf = (prefix: string) =>
  openBucket({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    bucket: 'logs',
    prefix,
    accessKeyId: 'key',
    secretAccessKey: new Secret('secret'),
  });

logStoreConformance('S3', true, () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-store-'));
  const prefix = `log-${made++}`;
  return {
    open: async () => s3LogStore({ bucket: await bucketOf(prefix), indexFile: join(directory, 'index.db') }),
    cleanUp: () => rmSync(directory, { recursive: true, force: true }),
  };
});

const isFormat = (error: unknown): boolean => error instanceof WaybillError && error.reason.code === 'WB-215';

test('a folder of a newer version is refused and stays as it is', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-store-'));
  const database = openDatabase(join(directory, 'staging.db'));
  database.exec('PRAGMA user_version = 2');
  assert.throws(() => embeddedLogStore({ directory }), isFormat);
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 2);
  database.close();
  rmSync(directory, { recursive: true });
});

test('a folder is the same folder with a slash at its end', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-store-'));
  const store = embeddedLogStore({ directory: `${directory}/` });
  await store.writeTile('tile/0/x001/000', Uint8Array.of(1, 2));
  assert.deepEqual(await store.readTile('tile/0/x001/000'), new Uint8Array([1, 2]));
  await store.close();
  rmSync(directory, { recursive: true });
});

test('a bucket of another version is refused', async () => {
  const settings = {
    ...{ kind: 's3' as const, region: 'us-east-1', bucket: 'logs', prefix: 'newer' },
    ...{ endpoint: s3.endpoint, accessKeyId: 'key', secretAccessKey: new Secret('secret') },
  };
  const { kind, ...bucket } = settings;
  const opened = await openStore({ kind, bucket });
  await opened.close();
  await (await openStore({ kind, bucket })).close();
  s3.objects.set('logs/newer/format', Buffer.from('2'));
  await assert.rejects(openStore({ kind, bucket }), isFormat);
});

test('a bucket that ignores conditions is refused, one that honours them is taken', async () => {
  const bucket = await bucketOf('probe');
  await requireConditionalWrites(bucket);
  s3.ignoreConditions = true;
  try {
    await assert.rejects(
      requireConditionalWrites(bucket),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-214',
    );
  } finally {
    s3.ignoreConditions = false;
  }
});

test('a swap whose answer was lost is told as unknown, and never tried twice', async () => {
  const bucket = await bucketOf('unknown');
  const cell = s3Cell(bucket, 'lock');
  s3.failNext('PUT', true);
  await assert.rejects(
    cell.swap(undefined, 'a'),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-214',
  );
  assert.equal(await cell.read(), 'a');
  s3.failNext('PUT', false);
  await assert.rejects(cell.swap('a', 'b'));
  assert.equal(await cell.read(), 'a');
});

test('a read and a tile that fail once are tried again', async () => {
  const tiles = s3Tiles(await bucketOf('again'));
  s3.failNext('PUT', false);
  await tiles.writeTile('tile/0/000', Uint8Array.of(1));
  s3.failNext('GET', false);
  assert.deepEqual([...((await tiles.readTile('tile/0/000')) ?? [])], [1]);
});

test('a missing bucket is an error, not an empty log', async () => {
  const bucket = await openBucket({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    bucket: 'elsewhere',
    accessKeyId: 'key',
    secretAccessKey: new Secret('secret'),
  });
  await assert.rejects(
    s3LogStore({ bucket }).lock.read(),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-214',
  );
});

if (hasPostgres()) {
  const server = await startPostgres();
  const db = await openPostgres(server.url);
  after(async () => {
    await db.close();
    await server.stop();
  });
  logStoreConformance('PostgreSQL', true, () => {
    const log = `log-${made++}`;
    return { open: () => postgresLogStore(db, { log }), cleanUp: () => {} };
  });
  logStoreConformance('PostgreSQL with tiles in S3', true, () => {
    const log = `log-${made++}`;
    return {
      open: async () => postgresLogStore(db, { log, tiles: s3Tiles(await bucketOf(log)) }),
      cleanUp: () => {},
    };
  });
  test('a database that is gone is unavailable, and a log name is checked', async () => {
    const gone = await openPostgres(`${server.url}&application_name=gone`);
    await gone.close();
    await assert.rejects(postgresLogStore(gone, { log: 'x' }).indexed(), WaybillError);
    assert.throws(() => postgresLogStore(db, { log: "x'; --" }), WaybillError);
    await assert.rejects(
      openPostgres('postgres://waybill@/postgres?host=/nonexistent'),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-213',
    );
  });
} else {
  console.log('note: no PostgreSQL on this machine; its store did not run');
}
