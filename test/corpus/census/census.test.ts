/** Every row about servers and repositories is shown by tests that are there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { classOf, type ServerRow, serverClasses, serverRows, unshown } from './census.ts';

const rows = serverRows();

test('every row about servers is shown, and what shows it is there', () => {
  assert.deepEqual(unshown(rows), []);
  for (const id of rows.keys()) assert.ok((serverClasses as readonly string[]).includes(classOf(id)), id);
});

test('a row without proof, and a proof that is not there, are named', () => {
  const here = 'test/corpus/census/census.test.ts';
  const row = (...shownBy: ServerRow['shownBy']): ServerRow => ({ situation: 'x', severity: 'C', shownBy });
  const faults = unshown(
    new Map([
      ['CA-01', row()],
      ['CA-02', row({ file: 'test/nowhere.test.ts', test: 'x' })],
      ['CA-03', row({ file: here, test: 'a test of another name' })],
      ['CA-04', row({ file: here, test: 'a row without proof, and a proof that is not there, are named' })],
      ['CA-05', row({ soak: 'nothing' }, { tuf: 'hostile: nothing' })],
      [
        'CA-06',
        row({
          file: 'test/corpus/corpus.test.ts',
          test: '${row}: ${rows.get(row)?.situation} (${members.length})',
          case: ['a case', 'of no table'].join(' '),
        }),
      ],
    ]),
  );
  assert.deepEqual(
    faults.map((fault) => fault.slice(0, 42)),
    [
      'CA-01 is shown by nothing',
      'CA-02: no file of tests test/nowhere.test.t',
      'CA-03: test/corpus/census/census.test.ts ha',
      'CA-05: no soak nothing',
      'CA-05: no case of the TUF client: hostile:',
      'CA-06: test/corpus/corpus.test.ts has no ca',
    ].map((fault) => fault.slice(0, 42)),
  );
});

const page = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'reference/reliability-security.md');
if (!existsSync(page)) {
  process.stderr.write(`census: ${page} is not there; rows were not compared with the specification\n`);
} else {
  test('the rows are those of the specification, with their severity', () => {
    const wanted: string[] = [];
    for (const line of readFileSync(page, 'utf8').split('\n')) {
      const [, id = '', ...cells] = line.split('|').map((cell) => cell.trim());
      if (!/^[A-Z]+-\d\d$/.test(id) || !(serverClasses as readonly string[]).includes(classOf(id))) continue;
      wanted.push(`${id} ${cells.find((cell) => /^[CHML]$/.test(cell))}`);
    }
    const bound = [...rows].map(([id, { severity }]) => `${id} ${severity}`);
    assert.deepEqual(bound.toSorted(), wanted.toSorted());
  });
}
