import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#base/digest';
import { parseOsv } from '#formats/osv';
import { packageId, type Sbom } from '#formats/sbom';
import {
  cosignVulnPredicate,
  cvssBaseScore,
  gitlabReport,
  judge,
  junitReport,
  markdownReport,
  matchPackages,
  memoryDatabase,
  parseThreshold,
  type ScanResult,
  sarifReport,
  scanJson,
  scanTable,
} from '#scan';

const digest = digestOf(new Uint8Array([1]));

function result(): ScanResult {
  const parsed = parseOsv({
    id: 'GHSA-aaaa-bbbb-cccc',
    aliases: ['CVE-2024-1'],
    summary: 'bad \u001b[31mthing\nwith lines',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
    affected: [
      {
        package: { ecosystem: 'npm', name: 'x' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }],
      },
    ],
  });
  assert.ok(parsed.ok);
  const purl = 'pkg:npm/x@1.0.0';
  const x = {
    id: packageId('npm', 'x', '1.0.0', purl, 't'),
    type: 'npm',
    name: 'x',
    version: '1.0.0',
    purl,
    foundBy: 't',
    locations: [{ path: 'app/node_modules/x/package.json' }],
    licenses: [],
    dependsOn: [],
  };
  const sbom: Sbom = {
    subject: { name: 'registry.example/app', digest },
    packages: [x, { ...x, id: '1', type: 'cargo', name: 'y', purl: 'pkg:cargo/y@1' }],
    layers: [],
    unknowns: [{ path: 'a\u001b]0;title', wantedBy: 'npm', reason: 'broken' }],
    tool: { name: 'waybill', version: '0' },
  };
  const database = memoryDatabase([parsed.value], Date.UTC(2026, 0, 1));
  const matched = matchPackages(sbom, database);
  database.close();
  return matched;
}

const options = {
  startedMs: Date.UTC(2026, 0, 11),
  finishedMs: Date.UTC(2026, 0, 11, 0, 0, 1),
  version: '0.1.0',
};

test('the table shows findings, coverage, unknowns and the age of the database, without terminal escapes', () => {
  const text = scanTable(result(), options.finishedMs);
  assert.ok(!/[\u0000-\u0009\u000b-\u001f]/.test(text));
  assert.match(text, /CRITICAL\s+9\.8\s+x\s+1\.0\.0\s+2\.0\.0\s+npm\s+CVE-2024-1/);
  assert.match(text, /\(cargo\)|crates\.io: 1 packages, NOT COVERED/);
  assert.match(text, /1 parts of the image could not be read/);
  assert.match(text, /built 10 days ago/);
});

test('JSON carries counts, coverage, unknowns, database and the gate with its reasons', () => {
  const matched = result();
  const reasons = judge(matched, { failOn: 'high' });
  const json = scanJson(matched, { ...options, gate: { failOn: 'high', reasons } });
  assert.deepEqual(json['counts'], { critical: 1, high: 0, medium: 0, low: 0, none: 0, unknown: 0 });
  const [finding] = json['findings'] as Record<string, unknown>[];
  assert.deepEqual(
    [finding?.['id'], finding?.['aliases'], finding?.['score']],
    ['CVE-2024-1', ['GHSA-aaaa-bbbb-cccc'], 9.8],
  );
  assert.deepEqual(json['image'], { name: 'registry.example/app', digest });
  const database = json['database'] as Record<string, unknown>;
  assert.deepEqual([database['ageSeconds'], database['isSampleOnly']], [864_001, false]);
  const gate = json['gate'] as { passed: boolean; reasons: { code: string }[] };
  assert.deepEqual([gate.passed, gate.reasons.map((one) => one.code)], [false, ['WB-873']]);
});

test('the vulnerability predicate has the fields of the cosign specification and a Trivy-shaped result', () => {
  const predicate = cosignVulnPredicate(result(), options);
  assert.deepEqual(Object.keys(predicate), ['invocation', 'scanner', 'metadata']);
  assert.deepEqual(predicate['metadata'], {
    scanStartedOn: '2026-01-11T00:00:00Z',
    scanFinishedOn: '2026-01-11T00:00:01Z',
  });
  const scanner = predicate['scanner'] as { db: { version: string }; result: Record<string, unknown> };
  assert.match(scanner.db.version, /^sha256:/);
  assert.equal(scanner.result['SchemaVersion'], 2);
  const [group] = scanner.result['Results'] as { Vulnerabilities: Record<string, unknown>[] }[];
  assert.equal(group?.Vulnerabilities[0]?.['Severity'], 'CRITICAL');
  assert.equal(group?.Vulnerabilities[0]?.['FixedVersion'], '2.0.0');
});

test('SARIF names each rule once and points at the file', () => {
  const sarif = sarifReport(result(), '0.1.0') as unknown as {
    version: string;
    runs: { tool: { driver: { rules: { id: string }[] } }; results: { ruleId: string; level: string }[] }[];
  };
  assert.equal(sarif.version, '2.1.0');
  assert.deepEqual(
    sarif.runs[0]?.tool.driver.rules.map((rule) => rule.id),
    ['CVE-2024-1'],
  );
  assert.deepEqual(
    sarif.runs[0]?.results.map((one) => one.level),
    ['error'],
  );
});

test('reports for machines say what nothing could be found in, and break no reader', () => {
  const base = result();
  const [finding] = base.findings;
  assert.ok(finding !== undefined);
  const name = 'x\uffff@ann https://evil.example www.evil.example\u2028';
  const odd = { ...finding.package, name, locations: [{ path: 'javascript:a?b#c' }] };
  const references = ['javascript:alert(1)', 'https://ok.example/'];
  const all: ScanResult = {
    ...base,
    findings: [
      { ...finding, package: odd, references },
      { ...finding, package: { ...odd, id: '2', locations: [] } },
    ],
  };
  const gaps = [
    'no advisories for crates.io: 1 packages not judged',
    '1 parts of the image could not be read',
  ];
  const sarif = JSON.stringify(sarifReport(all, '0.1.0'));
  const gitlab = JSON.stringify(gitlabReport(all, options));
  const junit = junitReport(all, options);
  for (const gap of gaps) for (const text of [sarif, gitlab, junit]) assert.ok(text.includes(gap), text);
  assert.match(sarif, /"uri":"javascript%3Aa%3Fb%23c".*"uri":"registry\.example\/app"/s);
  assert.deepEqual([gitlab.includes('javascript:'), gitlab.includes('https://ok.example/')], [false, true]);
  assert.ok(!/[\u2028\ufffe\uffff]/.test(junit));
  const markdown = markdownReport(all, options);
  assert.ok(!/https:\/\/evil|www\.evil|@ann/.test(markdown), markdown);
});

test('CVSS base scores are those of the specifications’ own examples', () => {
  const cases: [string, number | undefined][] = [
    ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', 9.8],
    ['CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N', 6.1],
    ['CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N', 6.4],
    ['CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N', 3.1],
    ['CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H', 7.8],
    ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H', 10],
    ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N', 0],
    ['AV:N/AC:L/Au:N/C:N/I:N/A:C', 7.8],
    ['AV:N/AC:L/Au:N/C:C/I:C/A:C', 10],
    ['AV:L/AC:H/Au:N/C:C/I:C/A:C', 6.2],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 9.3],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:L/SC:N/SI:N/SA:N', 6.9],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H', 10],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N', 5.1],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N', 0],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N', undefined],
    ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U', 8.1],
    ['CVSS:3.1/AV:N', undefined],
    ['high', undefined],
  ];
  for (const [vector, score] of cases) assert.equal(cvssBaseScore(vector), score, vector);
});

test('a threshold that is no severity is refused', () => {
  assert.equal(parseThreshold('HIGH'), 'high');
  assert.throws(() => parseThreshold('serious'), /WB-876/);
});
