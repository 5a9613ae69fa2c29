/**
 * The attack corpus in `npm test`: every case through the library and the admission verifier, a sample of them
 * through the command line. `npm run corpus` asks every door and also starts processes.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { faultsOf, readCases, readRows } from './case.ts';
import { cliFile, cliImage } from './cli-door.ts';
import { judgeCase, memoryDoors } from './judge.ts';
import { renderedDoc } from './table.ts';

const CLI_EVERY = 9;

const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'waybill-test-corpus-'));
after(() => rmSync(place, { recursive: true, force: true }));
let folders = 0;
const folderOf = (): string => join(place, `${++folders}`);

const cases = readCases();
const allDoors = { ...memoryDoors, 'cli image': cliImage(folderOf), 'cli file': cliFile(folderOf) };

test('the data is whole: every row has a case, every case a class of the stable list', () => {
  assert.deepEqual(faultsOf(cases), []);
  assert.equal(new Set(cases.map(({ row }) => row)).size, 134);
});

const rows = readRows();
const byRow = Map.groupBy(
  cases.map((item, index) => ({ item, index })),
  ({ item }) => item.row,
);
for (const [row, members] of byRow) {
  test(`${row}: ${rows.get(row)?.situation} (${members.length})`, async () => {
    const faults: string[] = [];
    for (const { item, index } of members) {
      const doors = index % CLI_EVERY === 0 ? allDoors : memoryDoors;
      for (const { door, fault } of await judgeCase(item, doors)) {
        if (fault !== undefined) faults.push(`${item.id} ${item.title} (${door}): ${fault}`);
      }
    }
    assert.deepEqual(faults, []);
  });
}

test('docs/corpus.md has the counts as they are', () => {
  const { now, wanted } = renderedDoc();
  assert.equal(now === wanted, true, 'run: node test/corpus/table.ts');
});
