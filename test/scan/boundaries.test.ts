/** Published records at their bounds; `npm run vectors -- advisories` asks for every record of every file. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluate } from '#scan';
import { boundariesOf } from './boundaries.ts';

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories');

/** Of a file with much to ask, one of so many packages. */
const files: readonly (readonly [name: string, share: number, pairs: number])[] = [
  ['rustsec', 1, 15_000],
  ['golang-vulndb', 1, 300_000],
  ['retirejs-npm', 4, 500],
  ['pypa', 10, 500],
  ['almalinux', 400, 500],
];

if (existsSync(shared)) {
  for (const [name, share, pairs] of files) {
    test(`records of ${name} are found at and inside their bounds, and nowhere else`, async () => {
      const counts = await boundariesOf(join(shared, `${name}.jsonl.zst`), share);
      console.log(`${name}: ${JSON.stringify(counts)}`);
      assert.deepEqual(counts.examples, []);
      assert.deepEqual([counts.wrong, counts.missed], [0, 0]);
      assert.ok(counts.right + counts.negatives >= pairs, JSON.stringify(counts));
    });
  }
} else {
  console.log(`records at their bounds did not run: ${shared} is absent`);
}

test('parts of a range that overlap, meet or are out of order are all affected', () => {
  const affected = (version: string, ...parts: readonly [string, string][]): string => {
    const events = parts.flatMap(([introduced, fixed]) => [{ introduced }, { fixed }]);
    return evaluate(version, 'PyPI', [{ type: 'ECOSYSTEM', events }], []).affected;
  };
  // As PYSEC-2021-114 has them, and PYSEC-2023-72.
  const overlapping: readonly [string, string][] = [
    ['2.11', '2.11.7'],
    ['0', '2.11.6'],
    ['2.12', '2.12.4'],
  ];
  assert.deepEqual(
    ['2.11.5', '2.11.6', '2.11.7', '2.12', '2.12.4'].map((version) => affected(version, ...overlapping)),
    ['yes', 'yes', 'no', 'yes', 'no'],
  );
  const meeting: readonly [string, string][] = [
    ['0', '3.1.1'],
    ['3.2.0', '3.2.2'],
    ['3.1.1', '3.2.0'],
  ];
  assert.deepEqual(
    ['3.1.0', '3.1.1', '3.2.0', '3.2.1', '3.2.2'].map((version) => affected(version, ...meeting)),
    ['yes', 'yes', 'yes', 'yes', 'no'],
  );
  assert.equal(affected('2.0', ['2.0', '2.0']), 'no');
});
