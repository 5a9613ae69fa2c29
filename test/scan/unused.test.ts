/** Decisions that are about nothing that was found are told: files, counts, and what does not count as unused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { parseVex } from '#formats/vex';
import {
  type Baseline,
  baselineKey,
  type IgnoreRule,
  ignoreFiles,
  type RefineOptions,
  refine,
  type ScanResult,
  type VexFile,
} from '#scan';
import { advisory, one, sbomOf, scan } from './records.ts';

const NOW = Date.UTC(2026, 10, 21);
const { parseIgnoreFile } = await ignoreFiles();
const left = one('npm', 'left', '1.0.0', { purl: 'pkg:npm/left@1.0.0' });
const matched = scan([advisory('CVE-2024-0001', 'npm', 'left', '2.0.0')], [left]);

const refined = (options: Partial<RefineOptions>): ScanResult =>
  refine(matched, sbomOf([left]), { nowMs: NOW, staleDays: 100_000, ...options });

function vex(file: string, ...statements: readonly (readonly [id: string, purl: string])[]): VexFile {
  const document = {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'urn:x',
    author: 'acme',
    timestamp: '2026-01-01T00:00:00Z',
    version: 1,
    statements: statements.map(([name, purl]) => ({
      vulnerability: { name },
      products: [{ '@id': purl }],
      status: 'affected',
    })),
  };
  return { file, document: unwrap(parseVex(utf8(JSON.stringify(document)))) };
}

test('a VEX document is told when none of its statements is about a finding, with the place of each file', () => {
  const met = vex('same.json', ['CVE-2024-0001', left.purl as string], ['CVE-2024-9', 'pkg:npm/x']);
  const unmet = vex('same.json', ['CVE-2024-0001', 'pkg:npm/left@9'], ['CVE-2024-9', 'pkg:npm/left@1.0.0']);
  assert.deepEqual(refined({ vex: [met] }).unused, []);
  const { unused, notes } = refined({ vex: [met, unmet] });
  assert.deepEqual(unused, [{ file: 'same.json', kind: 'vex', unused: 2, of: 2 }]);
  assert.deepEqual(notes, ['same.json: all of its 2 statements match nothing that was found']);
});

test('each ignore rule that matches nothing counts, but not one that ran out or whose finding is taken off already', () => {
  const rule = (id: string, expires = '2026-12-31'): object => ({ id, reason: 'r', owner: 'o', expires });
  const rules = (...list: object[]): readonly IgnoreRule[] =>
    parseIgnoreFile('rules.yaml', JSON.stringify({ ignore: list }));
  assert.deepEqual(refined({ rules: rules(rule('CVE-2024-0001'), rule('CVE-2024-0001')) }).unused, []);
  const { unused, notes } = refined({
    rules: rules(rule('CVE-2024-0001'), rule('CVE-2024-0002'), rule('CVE-2024-3', '2026-01-01')),
  });
  assert.deepEqual(unused, [{ file: 'rules.yaml', kind: 'ignore-rule', unused: 1, of: 2 }]);
  assert.ok(notes.includes('rules.yaml: 1 of its 2 rules matches nothing that was found'));
  assert.ok(notes.some((note) => note.includes('ran out')));
  // Another severity was asked for: the finding is off the list, and the rule is about it all the same.
  const other = refined({ rules: rules(rule('CVE-2024-0001')), severities: ['critical'] });
  assert.deepEqual([other.findings, other.unused], [[], []]);
  const single = refined({ rules: parseIgnoreFile('.trivyignore', 'CVE-2024-0007\n') });
  assert.deepEqual(single.notes, ['.trivyignore: its one rule matches nothing that was found']);
});

test('a baseline without one known finding is told, and an empty one', () => {
  const of = (...keys: string[]): Baseline => ({ file: 'old.json', keys: new Set(keys) });
  assert.deepEqual(refined({ baseline: of(baselineKey('CVE-2024-0001', 'npm', 'left')) }).unused, []);
  const other = refined({ baseline: of(baselineKey('CVE-2024-0001', 'pypi', 'left')) });
  assert.deepEqual(other.unused, [{ file: 'old.json', kind: 'baseline', unused: 1, of: 1 }]);
  assert.deepEqual(refined({ baseline: of() }).notes, ['old.json: holds no findings that could match']);
});
