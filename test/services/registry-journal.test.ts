/**
 * The journal of a registry in a bucket is cut while machines sleep, die and begin: a crash at every call that changes
 * the bucket, done and not done, and after each of them a machine that slept, one that starts again and a new one.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import type { Digest } from '#base/brand';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { type Database, openDatabase } from '#platform/sqlite';
import type { Bucket, BucketObject } from '#platform/store-s3-bucket';
import { systemRandom } from '#platform/system';
import { prepareTables } from '../../src/services/registry/changes.ts';
import { openJournal } from '../../src/services/registry/journal.ts';
import { cutJournal, readFloor } from '../../src/services/registry/journal-floor.ts';
import { fetchSnapshot, writeSnapshot } from '../../src/services/registry/snapshots.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-test-journal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What machines share. */
type Objects = Map<string, Buffer>;

class Died extends Error {}

/** One machine's way to the bucket. At its `dieAt`th change it dies, before the change or after it. */
function wayTo(objects: Objects, dieAt = Infinity, isDone = false) {
  const state = { changes: 0, isDead: false };
  const look = <T>(read: () => T): T => {
    if (state.isDead) throw new Died();
    return read();
  };
  const change = <T>(write: () => T): T => {
    if (state.isDead) throw new Died();
    state.isDead = ++state.changes >= dieAt;
    if (!state.isDead) return write();
    if (isDone) write();
    throw new Died();
  };
  const tagOf = (bytes: Buffer): string => toHex(sha256(bytes));
  const bucket: Bucket = {
    get: async (key) =>
      look((): BucketObject | undefined => {
        const bytes = objects.get(key);
        return bytes === undefined ? undefined : { bytes, etag: tagOf(bytes) };
      }),
    put: async (key, bytes, condition) =>
      change(() => {
        const held = objects.get(key);
        if (condition !== undefined && 'absent' in condition && held !== undefined) return false;
        const isOther =
          held === undefined ||
          ('etag' in (condition ?? {}) && tagOf(held) !== (condition as { etag: string }).etag);
        if (condition !== undefined && 'etag' in condition && isOther) return false;
        objects.set(key, Buffer.from(bytes));
        return true;
      }),
    delete: async (key) => change(() => void objects.delete(key)),
    read: async (key, start, end) =>
      look(() => {
        const bytes = objects.get(key);
        return bytes === undefined ? undefined : Readable.from([bytes.subarray(start, end + 1)]);
      }),
    putFile: async (key, path) => change(() => void objects.set(key, readFileSync(path))),
    list: async (prefix) => look(() => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()),
    close: () => {},
  };
  return { bucket, state };
}

let made = 0;
const newFile = (): string => join(folder, `names-${made++}.sqlite`);

/** One that is there from the beginning, and needs no file to come back to. */
const early = (bucket: Bucket) => machine(bucket, newFile(), ':memory:');

async function machine(bucket: Bucket, file = newFile(), tables?: string) {
  if (tables === undefined) await fetchSnapshot(bucket, file);
  const db = openDatabase(tables ?? file, { mode: 'fast' });
  prepareTables(db);
  const ledger = await openJournal({ bucket, db, random: systemRandom, file: `${file}.begin` });
  const digest = (tag: string): Digest => `sha256:${toHex(sha256(utf8(tag)))}` as Digest;
  return {
    file,
    ledger,
    position: () => ledger.position(),
    tag: (tag: string) => ledger.commit(() => [{ kind: 'tag', repo: 'a', tag, digest: digest(tag) }]),
    tags: async () => {
      await ledger.fresh();
      return tagsOf(db);
    },
    tidy: async () => {
      await writeSnapshot(bucket, db, ledger.position(), file);
      return cutJournal(bucket, KEPT);
    },
    close: () => {
      ledger.close();
      db.close();
    },
  };
}

const tagsOf = (db: Database): string[] =>
  db
    .prepare('SELECT tag FROM tags ORDER BY tag')
    .all()
    .map((row) => String(row['tag']));

const KEPT = 2;
const SNAPSHOT_EVERY = 3;
const WRITES = 6;

/** Writes and tidies until it dies; what was acknowledged. */
async function work(bucket: Bucket, file: string): Promise<string[]> {
  const acknowledged: string[] = [];
  const one = await machine(bucket, file).catch(() => undefined);
  if (one === undefined) return acknowledged;
  try {
    for (let n = 1; n <= WRITES; n++) {
      const tag = `t${String(n).padStart(2, '0')}`;
      await one.tag(tag);
      acknowledged.push(tag);
      if (n % SNAPSHOT_EVERY === 0) await one.tidy();
    }
  } catch (error) {
    assert.ok(error instanceof Died, String(error));
  } finally {
    one.close();
  }
  return acknowledged;
}

const has = (tags: readonly string[], wanted: readonly string[]): void =>
  assert.deepEqual(
    wanted.filter((tag) => !tags.includes(tag)),
    [],
  );

test('a journal is bounded: what a snapshot holds is cut, and a machine that begins has everything', async () => {
  const objects: Objects = new Map();
  const acknowledged = await work(wayTo(objects).bucket, newFile());
  assert.equal(acknowledged.length, WRITES);
  const entries = [...objects.keys()].filter((key) => key.startsWith('journal/'));
  assert.equal(entries.length, KEPT);
  const { bucket } = wayTo(objects);
  assert.equal(await readFloor(bucket), WRITES - KEPT + 1);
  const fresh = await machine(bucket);
  assert.deepEqual(await fresh.tags(), acknowledged);
  fresh.close();
});

test('after a crash at every change of the bucket nothing acknowledged is lost, and sleepers join in', async (t) => {
  const whole = wayTo(new Map());
  await work(whole.bucket, newFile());
  const points = whole.state.changes;
  for (let point = 1; point <= points; point++) {
    for (const isDone of [false, true]) {
      const objects: Objects = new Map();
      const { bucket } = wayTo(objects);
      // One that has seen the first entries and sleeps through the rest, and one that has seen none.
      const [sleeper, oldest] = [await early(bucket), await early(bucket)];
      await sleeper.tag('s0');
      const file = newFile();
      const acknowledged = ['s0', ...(await work(wayTo(objects, point, isDone).bucket, file))];
      await sleeper.tag('sleeper');
      acknowledged.push('sleeper');
      has(await oldest.tags(), acknowledged);
      const again = await machine(bucket, file, file);
      has(await again.tags(), acknowledged);
      await again.tag('again');
      const fresh = await machine(bucket);
      await oldest.tag('oldest');
      await fresh.tidy();
      acknowledged.push('again', 'oldest');
      const all = [sleeper, oldest, again, fresh];
      const seen = await Promise.all(all.map((one) => one.tags()));
      for (const tags of seen) assert.deepEqual(tags, seen[0], `change ${point}, done: ${isDone}`);
      has(seen[0] ?? [], acknowledged);
      for (const one of all) one.close();
    }
  }
  t.diagnostic(`${2 * points} crashes`);
});

test('a name that was cut is given to nobody: a machine that slept takes it back and writes after the newest', async () => {
  const objects: Objects = new Map();
  const { bucket } = wayTo(objects);
  const [sleeper, reader] = [await early(bucket), await early(bucket)];
  const worker = await early(bucket);
  for (const tag of ['t1', 't2', 't3', 't4', 't5']) await worker.tag(tag);
  assert.equal(await worker.tidy(), 3);
  assert.equal(sleeper.position(), 0);
  await sleeper.tag('late');
  assert.equal(sleeper.position(), 6);
  const entries = [...objects.keys()]
    .filter((key) => key.startsWith('journal/'))
    .map((key) => Number(key.slice(8)));
  assert.deepEqual(
    entries.toSorted((a, b) => a - b),
    [4, 5, 6],
  );
  // A write that its machine did not live to take back counts for nobody.
  const stray = Buffer.from(objects.get('journal/0000000000000006') ?? '');
  objects.set('journal/0000000000000001', Buffer.from(stray.toString().replaceAll('late', 'lost')));
  assert.deepEqual(await reader.tags(), ['late', 't1', 't2', 't3', 't4', 't5']);
  for (const one of [sleeper, reader, worker]) one.close();
});

test('a bucket of the version before is taken over, so that programs that cut nothing stay away', async () => {
  const objects: Objects = new Map([['format', Buffer.from(`waybill-registry 1 ${'ab'.repeat(16)}`)]]);
  const one = await machine(wayTo(objects).bucket);
  assert.equal(String(objects.get('format')), `waybill-registry 2 ${'ab'.repeat(16)}`);
  one.close();
});
