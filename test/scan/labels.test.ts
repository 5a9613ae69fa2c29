/**
 * Precision and recall on labels rebuilt from the data itself: PyPA's records name ranges, and list every affected
 * release one by one. The ranges alone are matched; the lists are the labels. Releases of a package that a record
 * does not list, but others of the same package do, are its negatives. A list ends when its record was written, so
 * releases that came later count against the ranges although those are right: precision is bounded by the labels.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluate, loadRecords } from '#scan';

const file = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories/pypa.jsonl.zst');

if (existsSync(file)) {
  test('ranges of PyPA find what its lists of releases say: precision at least 98.5 %, recall 99.9 %', async () => {
    const { records } = await loadRecords([file]);
    const releases = new Map<string, Set<string>>();
    const labelled = records.flatMap(({ id, affected }) =>
      affected
        .filter((one) => one.versions.length > 0 && one.ranges.some((range) => range.type === 'ECOSYSTEM'))
        .map((one) => ({ id, name: one.name, ranges: one.ranges, versions: new Set(one.versions) })),
    );
    for (const { name, versions } of labelled) {
      const known = releases.get(name) ?? new Set();
      for (const version of versions) known.add(version);
      releases.set(name, known);
    }
    const counts = { right: 0, wrong: 0, missed: 0, negatives: 0 };
    const examples: string[] = [];
    for (const { id, name, ranges, versions } of labelled) {
      const own = ranges.filter((range) => range.type !== 'GIT');
      for (const version of releases.get(name) ?? []) {
        const isFound = evaluate(version, 'PyPI', own, []).affected === 'yes';
        const isLabelled = versions.has(version);
        if (isFound && isLabelled) counts.right++;
        else if (isFound) counts.wrong++;
        else if (isLabelled) counts.missed++;
        else counts.negatives++;
        if (isFound !== isLabelled && examples.length < 10)
          examples.push(`${id} ${name} ${version} found ${isFound}`);
      }
    }
    const precision = counts.right / (counts.right + counts.wrong);
    const recall = counts.right / (counts.right + counts.missed);
    const percent = (share: number): string => `${(100 * share).toFixed(3)} %`;
    console.log(
      `PyPA labels: precision ${percent(precision)}, recall ${percent(recall)}, ${JSON.stringify(counts)}`,
    );
    for (const one of examples) console.log(`  ${one}`);
    assert.ok(counts.right > 50_000 && counts.negatives > 50_000, JSON.stringify(counts));
    assert.ok(precision >= 0.985 && recall >= 0.999, `${precision} ${recall}`);
  });
} else {
  console.log(`label sets did not run: ${file} is absent`);
}
