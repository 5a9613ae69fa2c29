import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { openNameIndex } from '#platform/name-index';
import { openDatabase } from '#platform/sqlite';

const nameOf = (text: string): Uint8Array => sha256(utf8(text));
const row = (n: number): Uint8Array[] =>
  n % 3 === 0 ? [nameOf(`${n}`), nameOf(`also ${n}`)] : [nameOf(`${n}`)];
const rows = (from: number, to: number): Uint8Array[][] =>
  Array.from({ length: to - from }, (_, i) => row(from + i));

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-names-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the file says by itself: entries it covers, names in it. */
function written(path: string): { size: number; names: number } {
  const database = openDatabase(path, { readOnly: true });
  const count = database.prepare('SELECT count(*) AS names FROM names').get() as { names: number };
  const extent = database.prepare('SELECT size FROM extent').get() as { size: number };
  database.close();
  return { ...count, ...extent };
}

test('names are found from the moment they are given, whether they wait or are written', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'index.db');
    const index = openNameIndex(path);
    const found = new Map<string, number>();
    let size = 0;
    let largest = 0;
    for (const count of [1, 500, 7000, 3, 300, 9000, 512, 512, 1, 40_000, 64]) {
      await index.index(size, rows(size, size + count));
      size += count;
      const { size: covered, names } = written(path);
      found.set(`${covered}`, names);
      largest = Math.max(largest, size - covered);
      assert.equal(await index.indexed(), size);
      // What the file covers is in it, with every name.
      assert.ok(names >= covered + Math.ceil(covered / 3));
      for (const from of [0, covered - 5, covered, size - 5].filter((n) => n >= 0)) {
        const asked = rows(from, Math.min(size, from + 10));
        const wanted = asked.flatMap((names, i) => names.map(() => from + i));
        assert.deepEqual(await index.find([...asked.flat(), nameOf('another')]), [...wanted, undefined]);
      }
    }
    assert.ok(found.size > 3 && found.size < 11, 'names are written in rounds');
    assert.ok(largest < 2 * 8192, `${largest} wait`);
    index.close();
    assert.deepEqual(written(path), { size, names: size + Math.ceil(size / 3) });
  });
});

test('an index that ended without being closed covers what it says, and takes the rest again', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'index.db');
    const index = openNameIndex(path);
    for (let at = 0; at < 9500; at += 500) await index.index(at, rows(at, at + 500));
    // A copy is what a killed process leaves: a round is half written.
    for (const end of ['', '-wal', '-shm']) cpSync(path + end, join(folder, `copy.db${end}`));
    index.close();
    const left = written(join(folder, 'copy.db'));
    const copy = openNameIndex(join(folder, 'copy.db'));
    const covered = await copy.indexed();
    assert.equal(covered, left.size);
    assert.ok(covered < 9500);
    await copy.index(covered, rows(covered, 9500));
    // Recovery says some of it twice.
    await copy.index(Math.max(0, covered - 300), rows(Math.max(0, covered - 300), 9500));
    const all = rows(0, 9500);
    assert.deepEqual(
      await copy.find(all.flat()),
      all.flatMap((names, i) => names.map(() => i)),
    );
    copy.close();
    assert.deepEqual(written(join(folder, 'copy.db')), { size: 9500, names: all.flat().length });
  });
});

test('the first holder of a name stays it: in memory, in a round that is being written, in the file', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'index.db');
    const index = openNameIndex(path);
    const again = [nameOf('0'), nameOf('8000')];
    await index.index(0, rows(0, 8300));
    const before = written(path);
    assert.ok(before.names > 0 || before.size === 0);
    await index.index(8300, [again]);
    assert.deepEqual(await index.find(again), [0, 8000]);
    index.close();
    const reopened = openNameIndex(path);
    await reopened.index(8301, [again, [nameOf('new')]]);
    assert.deepEqual(await reopened.find([...again, nameOf('new')]), [0, 8000, 8302]);
    reopened.close();
  });
});

test('what is no hash is no name', async () => {
  const index = openNameIndex(undefined);
  await index.index(0, rows(0, 3));
  assert.deepEqual(
    await index.find([new Uint8Array(3), nameOf('1'), new Uint8Array(64), new Uint8Array(0)]),
    [undefined, 1, undefined, undefined],
  );
  await assert.rejects(index.index(3, [[new Uint8Array(31)]]), /a name of 31 bytes/);
  index.close();
});
