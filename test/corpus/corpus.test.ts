/**
 * The attack corpus in `npm test`: every case through the library and the admission verifier, a sample of them
 * through the command line. `npm run corpus` asks every door and also starts processes.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Case, faultsOf, readCases, readRows } from './case.ts';
import { runChildren } from './children.ts';
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

test('the runner fails a case for another class, another code, a refused twin and a thrown error', async () => {
  const good = cases.find(({ id }) => id === 'CRT-01.1');
  assert.ok(good !== undefined);
  const faultOf = async (change: Partial<Case>): Promise<string> =>
    (await judgeCase({ ...good, ...change }, memoryDoors)).map(({ fault }) => fault ?? '').join('\n');
  assert.equal(await faultOf({}), '\n\n');
  assert.match(await faultOf({ class: 'sct' }), /expected reject:sct, got reject:chain/);
  assert.match(await faultOf({ codes: ['WB-331'] }), /expected WB-331, got reject:chain \(WB-330/);
  assert.match(await faultOf({ verdict: 'indeterminate' }), /expected indeterminate:chain/);
  assert.match(await faultOf({ setting: [['ca', 'namesake']] }), /the twin: reject:chain/);
  assert.match(await faultOf({ mutation: [['clock', 1]] }), /got accept/);
  await assert.rejects(faultOf({ mutation: [['no such recipe']] }), /no recipe is called/);
  assert.match(await faultOf({ room: 'policy', mutation: [['policy', 'none']] }), /thrown: .*no policy none/);
});

test('a process of its own says verdict and class in its JSON', async () => {
  for (const id of ['CRT-01.1', 'BND-15.1', 'ATT-05.1']) {
    const found = await runChildren(
      cases.filter((item) => item.id === id),
      folderOf,
    );
    assert.deepEqual(found, [{ id, fault: undefined }]);
  }
});

test('docs/corpus.md has the counts as they are', () => {
  const { now, wanted } = renderedDoc();
  assert.equal(now === wanted, true, 'run: node test/corpus/table.ts');
});
