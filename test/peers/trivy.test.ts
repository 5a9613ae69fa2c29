/** Real Trivy reads the reports we write in its form: it converts, filters and counts them as its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { requirePeer } from './cache.ts';

const trivy = requirePeer('trivy');
const folder = mkdtempSync(join(tmpdir(), 'waybill-trivy-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const env = {
  ...process.env,
  WAYBILL_DB: join(folder, 'a.db'),
  TRIVY_CACHE_DIR: join(folder, 'cache'),
  HOME: folder,
};

function run(program: string, ...args: readonly string[]): string {
  const ran = spawnSync(program, args, { encoding: 'utf8', env, cwd: folder, maxBuffer: 1 << 28 });
  assert.equal(ran.status, 0, `${program} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

const affected = (name: string, severity: string): object => ({
  id: `GHSA-${name}`,
  aliases: [`CVE-2024-${1000 + name.length}`],
  summary: `about ${name}`,
  severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
  database_specific: { severity, cwe_ids: ['CWE-79'] },
  references: [{ type: 'WEB', url: 'https://advisories.example/x' }],
  affected: [
    {
      package: { ecosystem: 'npm', name },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }],
    },
  ],
});

before(() => {
  writeFileSync(
    join(folder, 'a.json'),
    JSON.stringify([affected('one', 'CRITICAL'), affected('three', 'LOW')]),
  );
  run(resolve('bin/waybill'), 'db', 'build', 'a.json', '--out', 'a.db');
  const components = ['one', 'three'].map((name) => ({
    type: 'library',
    name,
    version: '1.0.0',
    purl: `pkg:npm/${name}@1.0.0`,
  }));
  const metadata = { component: { type: 'container', name: 'app' } };
  writeFileSync(
    join(folder, 's.json'),
    JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata, components }),
  );
  run(resolve('bin/waybill'), 'trivy', 'sbom', '-f', 'json', '-o', 'report.json', 's.json');
});

test('Trivy converts our report to SARIF with the same findings, severities and scores', () => {
  const sarif = JSON.parse(run(trivy, 'convert', '--format', 'sarif', 'report.json')) as {
    runs: {
      results: { ruleId: string }[];
      tool: { driver: { rules: { id: string; properties: Record<string, unknown> }[] } };
    }[];
  };
  assert.deepEqual(sarif.runs[0]?.results.map((one) => one.ruleId).sort(), [
    'CVE-2024-1003',
    'CVE-2024-1005',
  ]);
  const scores = sarif.runs[0]?.tool.driver.rules.map((one) => one.properties['security-severity']);
  assert.equal(scores?.length, 2);
});

test('Trivy filters our report by severity and state as waybill trivy does', () => {
  const counted = (...words: readonly string[]): [number, number] => {
    const count = (json: string): number =>
      ((JSON.parse(json) as { Results?: { Vulnerabilities?: unknown[] }[] }).Results ?? []).flatMap(
        (one) => one.Vulnerabilities ?? [],
      ).length;
    return [
      count(run(trivy, 'convert', '--format', 'json', ...words, 'report.json')),
      count(run(resolve('bin/waybill'), 'trivy', 'sbom', '-f', 'json', ...words, 's.json')),
    ];
  };
  for (const [words, expected] of [
    [['--severity', 'CRITICAL'], 1],
    [['--severity', 'LOW,MEDIUM'], 1],
    [['--severity', 'HIGH'], 0],
  ] as const) {
    assert.deepEqual(counted(...words), [expected, expected], words.join(' '));
  }
});

test('Trivy prints our report as its own table', () => {
  const table = run(trivy, 'convert', '--format', 'table', 'report.json');
  assert.match(table, /CVE-2024-1003/);
  assert.match(table, /Total: 2 \(UNKNOWN: 0, LOW: 1, MEDIUM: 0, HIGH: 0, CRITICAL: 1\)/);
});
