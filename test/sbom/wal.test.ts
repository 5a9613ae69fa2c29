/** Databases whose last changes are in a write-ahead log that SQLite had not put into the file yet. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { catalogueLayers, cataloguers } from '#sbom';
import { type Entry, image, options } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-wal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const table = 'CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)';
const path = 'var/lib/rpm/rpmdb.sqlite';

interface Pair {
  readonly database: Uint8Array;
  readonly log: Uint8Array;
  /** Frames with which SQLite goes on, by its own count. */
  readonly frames: number;
}

/** What a process leaves that ends without closing; `open` runs in a transaction that is not committed. */
function left(name: string, statements: readonly string[], open: readonly string[] = []): Pair {
  const file = join(folder, name);
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 2');
    for (const one of statements) database.exec(one);
    const pair = { database: readFileSync(file), log: readFileSync(`${file}-wal`) };
    if (open.length > 0) {
      database.exec('BEGIN');
      for (const one of open) database.exec(one);
      pair.log = readFileSync(`${file}-wal`);
      database.exec('ROLLBACK');
    }
    const counted = database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()?.['log'];
    return { ...pair, frames: Number(counted) };
  } finally {
    database.close();
  }
}

async function reasons(entries: readonly Entry[], ...upper: (readonly Entry[])[]): Promise<string[]> {
  const chosen = cataloguers.filter(({ name }) => name === 'rpm' || name === 'conan');
  const { input } = await image(entries, ...upper);
  const { sbom } = await catalogueLayers(input, { ...options, cataloguers: chosen });
  return sbom.unknowns
    .filter(({ wantedBy }) => wantedBy === 'rpm' || wantedBy === 'conan')
    .map((one) => `${one.path}: ${one.reason}`);
}

const unread = (frames: number, at = path): string =>
  `${at}-wal: ${frames} pages committed to a write-ahead log, which was not read: the last changes are missing`;
const both = ({ database, log }: Pair, at = path): Entry[] => [
  { path: at, text: database },
  { path: `${at}-wal`, text: log },
];
const large = (count: number): string =>
  `INSERT INTO Packages (blob) SELECT randomblob(3000) FROM generate_series LIMIT ${count}`.replace(
    'generate_series',
    `(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n)`,
  );

test('a log beside a database of rpm or Conan is an unknown, in the same layer or one above', async () => {
  const pair = left('plain', ['PRAGMA wal_checkpoint', table, 'PRAGMA wal_checkpoint', large(5)]);
  assert.ok(pair.frames > 1, String(pair.frames));
  const [database, log] = both(pair) as [Entry, Entry];
  assert.deepEqual(await reasons([database, log]), [unread(pair.frames)]);
  assert.deepEqual(await reasons([log, database]), [unread(pair.frames)]);
  assert.deepEqual(await reasons([database], [log]), [unread(pair.frames)]);
  const cache = 'root/.conan2/p/cache.sqlite3';
  assert.ok((await reasons(both(pair, cache))).includes(unread(pair.frames, cache)));
});

test('no log counts that is empty, of another salt, without its database, or none at all', async () => {
  const pair = left('none', [table, 'PRAGMA wal_checkpoint', large(3)]);
  const [database, log] = both(pair) as [Entry, Entry];
  assert.deepEqual(await reasons([log]), []);
  assert.deepEqual(await reasons([database, log], [{ path: 'var/lib/rpm/.wh.rpmdb.sqlite', text: '' }]), []);
  const salted = Uint8Array.from(pair.log);
  salted[16] = (salted[16] as number) ^ 1;
  for (const text of [new Uint8Array(), pair.log.subarray(0, 40), new Uint8Array(9000), salted]) {
    assert.deepEqual(await reasons([database, { path: `${path}-wal`, text }]), []);
  }
});

test('a log counts up to its last whole commit, as SQLite counts it', async () => {
  const pair = left('open', [table, 'PRAGMA wal_checkpoint', large(1), large(4)], [large(40)]);
  const pageBytes = 4096 + 24;
  assert.ok(pair.log.length > 32 + (pair.frames + 10) * pageBytes, 'nothing uncommitted was spilled');
  assert.deepEqual(await reasons(both(pair)), [unread(pair.frames)]);
  // Of two commits, the second one breaks in its last page.
  const broken = Uint8Array.from(pair.log);
  const last = 32 + (pair.frames - 1) * pageBytes + 100;
  broken[last] = (broken[last] as number) ^ 1;
  const [reason = ''] = await reasons(both({ ...pair, log: broken }));
  const fewer = Number(/: (\d+) pages/.exec(reason)?.[1]);
  assert.ok(fewer > 0 && fewer < pair.frames, reason);
});
