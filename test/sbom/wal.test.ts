/** Databases whose last changes are in a write-ahead log that SQLite had not put into the file yet. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { limits } from '#base/limits';
import { catalogueFolder, catalogueLayers, cataloguers, layerCache } from '#sbom';
import { type Entry, image, options } from './fixture.ts';
import { rpmHeader } from './rpm-header.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-wal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const table = 'CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)';
const checkpoint = 'PRAGMA wal_checkpoint';
const path = 'var/lib/rpm/rpmdb.sqlite';
const release = { path: 'etc/os-release', text: 'ID=rhel\nVERSION_ID="9"\n' };

interface Pair {
  readonly database: Uint8Array;
  readonly log: Uint8Array;
}

/** One package a row; `size` bytes of its row are there for nothing but their room. */
const add = (names: readonly string[], size = 0): string =>
  names
    .map(
      (name) =>
        `INSERT INTO Packages (blob) VALUES (x'${rpmHeader(name).toString('hex')}${'00'.repeat(size)}')`,
    )
    .join(';');
const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** What a process leaves that ends without closing; `open` runs in a transaction that is not committed. */
function left(
  name: string,
  statements: readonly string[],
  open: readonly string[] = [],
  pageBytes = 4096,
): Pair {
  const file = join(folder, name);
  const database = new DatabaseSync(file);
  try {
    database.exec(`PRAGMA page_size = ${pageBytes}`);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 2');
    for (const one of statements) database.exec(one);
    if (open.length > 0) database.exec('BEGIN');
    for (const one of open) database.exec(one);
    const pair = { database: readFileSync(file), log: readFileSync(`${file}-wal`) };
    if (open.length > 0) database.exec('ROLLBACK');
    return pair;
  } finally {
    database.close();
  }
}

/** The rows SQLite itself sees in such files. */
function rowsOf({ database, log }: Pair): number {
  const file = join(folder, 'seen.sqlite');
  writeFileSync(file, database);
  writeFileSync(`${file}-wal`, log);
  const opened = new DatabaseSync(file);
  try {
    return Number(opened.prepare('SELECT count(*) AS n FROM Packages').get()?.['n']);
  } finally {
    opened.close();
    for (const ending of ['', '-wal', '-shm']) rmSync(file + ending, { force: true });
  }
}

interface Found {
  readonly names: readonly string[];
  readonly why: readonly string[];
}

const chosen = cataloguers.filter(({ name }) => name === 'rpm' || name === 'conan');

async function found(layers: readonly (readonly Entry[])[], cacheIn?: string): Promise<Found> {
  const [lowest = [], ...upper] = layers;
  const { input } = await image([release, ...lowest], ...upper);
  const cache = cacheIn === undefined ? {} : { cache: layerCache(cacheIn, chosen, 'test') };
  const { sbom } = await catalogueLayers(input, { ...options, cataloguers: chosen, ...cache });
  const own = sbom.unknowns.filter(({ wantedBy }) => wantedBy === 'rpm' || wantedBy === 'conan');
  return {
    names: sbom.packages.map(({ name }) => name).sort(),
    why: own.map((one) => `${one.path}: ${one.reason}`),
  };
}

const both = ({ database, log }: Pair, at = path): [Entry, Entry] => [
  { path: at, text: database },
  { path: `${at}-wal`, text: log },
];

const first = named('a', 3);
const more = named('b', 40);

test('what is committed to the log of an rpm database is listed, wherever the log lies', async () => {
  const pair = left('plain', [
    table,
    add(first),
    checkpoint,
    add(more, 900),
    'DELETE FROM Packages WHERE hnum = 1',
  ]);
  const [database, log] = both(pair);
  const names = [...first.slice(1), ...more].sort();
  assert.equal(rowsOf(pair), names.length);
  const whole = { names, why: [] };
  assert.deepEqual(await found([[database]]), { names: first, why: [] });
  assert.deepEqual(await found([[database, log]]), whole);
  assert.deepEqual(await found([[log, database]]), whole);
  assert.deepEqual(await found([[database], [log]]), whole);
  assert.deepEqual(await found([[log], [database]]), whole);
});

test('a folder is read with its log', async () => {
  const root = join(folder, 'root');
  const pair = left('folder', [table, add(first), checkpoint, add(more)]);
  const { database, log } = pair;
  const files = { [path]: database, [`${path}-wal`]: log, [release.path]: release.text };
  for (const [at, content] of Object.entries(files)) {
    const file = join(root, at);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const { sbom } = await catalogueFolder(root, { ...options, cataloguers: chosen });
  assert.deepEqual(sbom.packages.map(({ name }) => name).sort(), [...first, ...more].sort());
});

test('a log that a layer above brings is put into a database that the cache knows', async () => {
  const cacheIn = join(folder, 'cache');
  const pair = left('cached', [table, add(first), checkpoint, add(more)]);
  const [database, log] = both(pair);
  const other = [{ path: 'etc/other', text: 'x' }];
  assert.deepEqual((await found([[database], other], cacheIn)).names, first);
  const names = [...first, ...more].sort();
  for (let turn = 0; turn < 2; turn++) {
    assert.deepEqual(await found([[database], [log]], cacheIn), { names, why: [] });
    assert.deepEqual((await found([[database], other], cacheIn)).names, first);
  }
});

test('the cache of Conan is read with its log', async () => {
  const made = 'CREATE TABLE recipes (reference text NOT NULL, rrev text)';
  const pair = left('conan', [
    made,
    'CREATE TABLE packages (reference text NOT NULL, rrev text)',
    "INSERT INTO recipes (reference) VALUES ('zlib/1.3')",
    checkpoint,
    "INSERT INTO recipes (reference) VALUES ('fmt/11.0')",
  ]);
  const at = 'root/.conan2/p/cache.sqlite3';
  assert.deepEqual(await found([both(pair, at)]), { names: ['fmt', 'zlib'], why: [] });
});

test('no log counts that is empty, of another salt, without its database, or none at all', async () => {
  const pair = left('none', [table, add(first), checkpoint, add(more)]);
  const [database, log] = both(pair);
  assert.deepEqual(await found([[log]]), { names: [], why: [] });
  const gone = [{ path: 'var/lib/rpm/.wh.rpmdb.sqlite', text: '' }];
  assert.deepEqual(await found([[database, log], gone]), { names: [], why: [] });
  const salted = Uint8Array.from(pair.log);
  salted[16] = (salted[16] as number) ^ 1;
  for (const text of [new Uint8Array(), pair.log.subarray(0, 40), new Uint8Array(9000), salted]) {
    const without = await found([[database, { path: `${path}-wal`, text }]]);
    assert.deepEqual(without, { names: first, why: [] });
  }
});

test('a log counts up to its last whole commit, as SQLite counts it', async () => {
  const spilled = named('never', 40);
  const pair = left('open', [table, checkpoint, add(first), add(more, 900)], [add(spilled, 3000)]);
  const frames = (pair.log.length - 32) / (4096 + 24);
  assert.ok(frames > 40, 'nothing uncommitted was spilled');
  assert.deepEqual(await found([both(pair)]), { names: [...first, ...more].sort(), why: [] });
  // The commits break in the middle of the log, and at its end.
  for (const share of [0.3, 0.6, 0.99]) {
    const broken = Uint8Array.from(pair.log);
    const at = 32 + Math.floor(frames * share) * (4096 + 24) + 100;
    broken[at] = (broken[at] as number) ^ 1;
    const { names, why } = await found([both({ ...pair, log: broken })]);
    assert.equal(names.length, rowsOf({ ...pair, log: broken }));
    assert.deepEqual(why, []);
  }
});

test('a log that does not fit its database is named, and what is in the database is listed', async () => {
  const { database } = left('fits', [table, add(first), checkpoint]);
  const { log } = left('larger', [table, add(more)], [], 8192);
  const { names, why } = await found([both({ database, log })]);
  assert.deepEqual(names, first);
  assert.deepEqual(why, [
    `${path}: a write-ahead log with pages of 8192 bytes; those of the database have 4096`,
  ]);
});

test('a log with more pages than are kept is named', async () => {
  const room = `CREATE TABLE room (bytes BLOB); INSERT INTO room VALUES (zeroblob(${limits.capturedFileBytes}))`;
  const { database, log } = left('large', [table, add(first), checkpoint, room, add(more)]);
  const { names, why } = await found([both({ database, log })]);
  assert.deepEqual(names, first);
  assert.match(
    why.join(),
    /pages committed to a write-ahead log, which was not read: the last changes are missing$/,
  );
});
