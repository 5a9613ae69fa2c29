/** Every database says its version; one of a newer version is refused by whoever opens it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { openOutbox } from '#flows/exception-outbox';
import { lockFolder } from '#platform/folder-lock';
import { openNameIndex } from '#platform/name-index';
import { isDamaged, openDatabase } from '#platform/sqlite';
import { embeddedLogStore } from '#platform/store-embedded';
import { Claims, ImageRecords } from '#services/audit';
import { openSearchStore } from '#services/log';
import { createRegistry } from '#services/registry';
import { Witness } from '#services/witness';
import { quiet } from '../services/log-fixture.ts';

const clock = new FixedClock(Date.UTC(2026, 4, 1));
const key = generateKey('ed25519');

/** Where each kind of data keeps its databases, and what opens them. */
const kinds: Record<string, { readonly file: string; open(folder: string): unknown }> = {
  'staging of a log': { file: 'staging.db', open: (directory) => embeddedLogStore({ directory }) },
  'checkpoint lock': { file: 'lock.db', open: (directory) => embeddedLogStore({ directory }) },
  'names of a log': { file: 'index.db', open: (directory) => embeddedLogStore({ directory }) },
  'names of a shared log': { file: 'names.db', open: (folder) => openNameIndex(join(folder, 'names.db')) },
  'search of a log': { file: 'search.db', open: (folder) => openSearchStore(join(folder, 'search.db')) },
  registry: { file: 'registry.sqlite', open: (dataDir) => createRegistry({ dataDir }) },
  'audit claims': { file: 'claims.sqlite', open: (dataDir) => new Claims({ dataDir }, clock) },
  'audit images': { file: 'images.sqlite', open: (folder) => new ImageRecords(folder, clock) },
  'uses of exceptions': { file: 'outbox.db', open: (folder) => openOutbox(join(folder, 'outbox.db')) },
  witness: {
    file: 'seen.db',
    open: (folder) =>
      new Witness({
        ...{ name: 'w.example', key, clock, log: quiet, stateFile: join(folder, 'seen.db') },
        logs: [{ origin: 'log.example', key: { name: 'log.example', verifier: undefined as never } }],
      }),
  },
};

for (const [kind, { file, open }] of Object.entries(kinds)) {
  test(`a database of a newer version is refused and left as it is: ${kind}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-sqlite-'));
    try {
      const path = join(folder, file);
      mkdirSync(dirname(path), { recursive: true });
      const newer = new DatabaseSync(path);
      newer.exec('PRAGMA user_version = 99');
      newer.close();
      const before = readFileSync(path);
      await assert.rejects(
        async () => open(folder),
        (error: unknown) => {
          assert.ok(error instanceof WaybillError, String(error));
          assert.equal(error.reason.code, 'WB-215', error.message);
          assert.match(error.reason.actual, /format 99/);
          assert.match(error.reason.hint, /run the version that wrote it/);
          return true;
        },
      );
      assert.deepEqual(readFileSync(path), before);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test('what an older version left is taken up and says its version from then on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-sqlite-'));
  const path = join(folder, 'a.db');
  const version = (): unknown => {
    const database = openDatabase(path, { readOnly: true, format: 3 });
    const row = database.prepare('PRAGMA user_version').get();
    database.close();
    return row?.['user_version'];
  };
  new DatabaseSync(path).close();
  openDatabase(path).close();
  assert.equal(version(), 1);
  openDatabase(path, { format: 2 }).close();
  assert.equal(version(), 2);
  assert.throws(() => openDatabase(path), /format 1 or older/);
  rmSync(folder, { recursive: true });
});

/** Fills a page after the first with something else. */
function damage(path: string, at: 'header' | 'page' | 'end'): void {
  const bytes = readFileSync(path);
  if (at !== 'end') bytes.fill(0xff, at === 'header' ? 0 : 4096, at === 'header' ? 64 : 8192);
  writeFileSync(path, at === 'end' ? bytes.subarray(0, Math.floor(bytes.length / 2) + 1) : bytes);
}

test('damage of a database is WB-218 with its path, at the opening or in the call that meets it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-sqlite-'));
  try {
    for (const [file, at] of [
      ['index.db', 'header'],
      ['index.db', 'page'],
      ['staging.db', 'page'],
      ['registry.sqlite', 'end'],
    ] as const) {
      const path = join(folder, file);
      rmSync(path, { force: true });
      const whole = openDatabase(path);
      whole.exec('CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)');
      for (let n = 0; n < 20; n++) whole.prepare('INSERT INTO t VALUES (?, ?)').run(n, new Uint8Array(3000));
      whole.close();
      damage(path, at);
      assert.throws(
        () => {
          const database = openDatabase(path);
          try {
            database.prepare('SELECT * FROM t').all();
          } finally {
            database.close();
          }
        },
        (error: unknown) => {
          assert.ok(isDamaged(error), String(error));
          assert.match(error.reason.expected, new RegExp(file));
          assert.match(error.reason.hint, file === 'index.db' ? /nothing is lost/ : /backup/);
          return true;
        },
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a process.lock that is no database is no lock of somebody', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-sqlite-'));
  try {
    writeFileSync(join(folder, 'process.lock'), 'x'.repeat(5000));
    assert.throws(() => lockFolder(folder), isDamaged);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
