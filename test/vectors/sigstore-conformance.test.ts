/** The 70 bundle-verify cases of sigstore-conformance, by path and by digest: 140 verdicts, as published. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCases, runCase, vectorsFolder } from './sigstore-cases.ts';

const folder = vectorsFolder();
/** Verification rests on trusted times; the caller's clock only has to be some clock. */
const NOW = Date.UTC(2026, 10, 21);

if (folder === undefined) {
  console.log('note: sigstore-conformance did not run: no shared data');
} else {
  const cases = readCases(folder);

  test('the vectors are the 70 published ones', () => {
    assert.equal(cases.length, 70);
    assert.equal(cases.filter((item) => item.expect === 'accept').length, 21);
  });

  for (const item of cases) {
    for (const by of ['path', 'digest'] as const) {
      test(`${item.name} by ${by}: ${item.expect} (${item.note})`, () => {
        const outcome = runCase(folder, item, by, NOW);
        assert.equal(outcome.verdict, item.expect, outcome.text);
        assert.notEqual(outcome.reason?.side, 'defect', outcome.text);
      });
    }
  }
}
