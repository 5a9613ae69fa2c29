/**
 * Upgrade (P17): data directories that earlier versions left, each in the middle of a commit, are opened, finished
 * and proven; data of a newer version is refused and stays as it is, byte by byte.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { toHex } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { openLog } from '#tlog';
import { GOLDEN_BEFORE, GOLDEN_LAST, GOLDEN_NOW, goldenEntry, goldenSigner } from './golden/write.ts';

const GOLDEN = join(import.meta.dirname, 'golden');
const DATABASES = ['staging.db', 'lock.db', 'index.db'];

export interface UpgradeReport {
  /** Names of the directories that were read. */
  readonly read: readonly string[];
  readonly entries: number;
  /** Databases whose newer format was refused. */
  readonly refused: readonly string[];
}

export async function upgrade(): Promise<UpgradeReport> {
  const files = readdirSync(GOLDEN).filter((name) => name.endsWith('.json.gz'));
  assert.ok(files.length > 0, 'there is no golden data directory');
  const read: string[] = [];
  for (const file of files) {
    await inFolder(file, readOld);
    read.push(file.replace('.json.gz', ''));
  }
  const refused: string[] = [];
  for (const database of DATABASES) {
    await inFolder(files.at(-1) as string, async (folder) => refuseNewer(folder, database));
    refused.push(database);
  }
  return { read, entries: GOLDEN_BEFORE + GOLDEN_LAST, refused };
}

async function inFolder(file: string, act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-upgrade-'));
  try {
    const bytes = gunzipSync(readFileSync(join(GOLDEN, file)));
    for (const [path, content] of Object.entries(JSON.parse(bytes.toString()) as Record<string, string>)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), Buffer.from(content, 'base64'));
    }
    await act(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const open = (directory: string) =>
  openLog({
    store: embeddedLogStore({ directory }),
    signer: goldenSigner(),
    clock: new FixedClock(GOLDEN_NOW),
  });

async function readOld(directory: string): Promise<void> {
  const published = unwrap(goldenSigner().open(readFileSync(join(directory, 'checkpoint'), 'utf8')));
  assert.equal(published.size, GOLDEN_BEFORE, 'the log was ended in the middle of a commit');
  for (const more of [0, 1]) {
    const log = await open(directory);
    const size = GOLDEN_BEFORE + GOLDEN_LAST + more;
    assert.equal(log.tree.size, size);
    for (let index = 0; index < size; index++) {
      assert.deepEqual(Buffer.from((await log.record(index)).entry), goldenEntry(index));
    }
    assert.deepEqual(Buffer.from(await log.rootAt(published.size)), Buffer.from(published.root));
    assert.equal((await log.append(goldenEntry(7))).logged.index, 7, 'an entry of the old version is found');
    assert.equal((await log.append(goldenEntry(size))).logged.index, size);
    assert.deepEqual((await log.check()).problems, []);
    await log.close();
  }
}

async function refuseNewer(directory: string, database: string): Promise<void> {
  await (await open(directory)).close();
  const connection = new DatabaseSync(join(directory, database));
  const { user_version: format } = connection.prepare('PRAGMA user_version').get() as {
    user_version: number;
  };
  connection.exec(`PRAGMA user_version = ${format + 1}`);
  connection.close();
  const before = bytesIn(directory);
  const isRefusal = (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === 'WB-215';
  await assert.rejects(async () => open(directory), isRefusal, `${database} of format ${format + 1}`);
  assert.deepEqual(bytesIn(directory), before, 'a refused folder stays as it is');
}

function bytesIn(directory: string): ReadonlyMap<string, string> {
  const names = readdirSync(directory, { withFileTypes: true }).filter((one) => one.isFile());
  return new Map(names.map(({ name }) => [name, toHex(sha256(readFileSync(join(directory, name))))]));
}
