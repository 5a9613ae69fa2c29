import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#base/digest';
import { WaybillError } from '#base/reason';
import { parseOsv } from '#formats/osv';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { parseVex } from '#formats/vex';
import {
  baselineKey,
  ignoreFiles,
  judge,
  matchPackages,
  memoryDatabase,
  openVexReport,
  type RefineOptions,
  refine,
  type ScanResult,
} from '#scan';

const digest = digestOf(new Uint8Array([7]));
const NOW = Date.UTC(2026, 10, 21);
const { parseIgnoreFile } = await ignoreFiles();

function pkg(name: string, version: string, rest: Partial<SbomPackage> = {}): SbomPackage {
  const purl = `pkg:npm/${name}@${version}`;
  const locations = [{ path: `app/node_modules/${name}/package.json` }];
  const id = packageId('npm', name, version, purl, 't');
  return {
    id,
    type: 'npm',
    name,
    version,
    purl,
    foundBy: 't',
    locations,
    licenses: [],
    dependsOn: [],
    ...rest,
  };
}

function sbomOf(packages: readonly SbomPackage[], rest: Partial<Sbom> = {}): Sbom {
  const tool = { name: 'waybill', version: '0' };
  return { subject: { name: 'ghcr.io/acme/api', digest }, packages, layers: [], unknowns: [], tool, ...rest };
}

const record = (id: string, cve: string, name: string, events: object[], more: object = {}): object => ({
  id,
  aliases: [cve],
  summary: `about ${name}`,
  affected: [{ package: { ecosystem: 'npm', name }, ranges: [{ type: 'SEMVER', events }] }],
  ...more,
});

const records = [
  record('GHSA-aaaa-aaaa-aaaa', 'CVE-2024-0001', 'left', [{ introduced: '0' }, { fixed: '2.0.0' }]),
  record('GHSA-bbbb-bbbb-bbbb', 'CVE-2024-0002', 'right', [{ introduced: '0' }]),
].map((json) => {
  const parsed = parseOsv(json as Parameters<typeof parseOsv>[0]);
  assert.ok(parsed.ok);
  return parsed.value;
});

function scan(
  options: Partial<RefineOptions> = {},
  sbom = sbomOf([pkg('left', '1.0.0'), pkg('right', '1.0.0')]),
): ScanResult {
  const database = memoryDatabase(records, NOW);
  try {
    return refine(matchPackages(sbom, database), sbom, { nowMs: NOW, ...options });
  } finally {
    database.close();
  }
}

const ids = (result: ScanResult): string[] => result.findings.map((one) => one.id).sort();
const why = (result: ScanResult): string[] =>
  result.suppressed.map((one) => `${one.finding.id} ${one.by}: ${one.reason}`);

function refuses(code: string, body: () => unknown): void {
  assert.throws(body, (error) => error instanceof WaybillError && error.reason.code === code);
}

function vexFile(json: object, file = 'vex.json'): NonNullable<RefineOptions['vex']>[number] {
  const parsed = parseVex(Buffer.from(JSON.stringify(json)));
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.error));
  return { file, document: parsed.value };
}

const openVex = (...statements: object[]): object => ({
  '@context': 'https://openvex.dev/ns/v0.2.0',
  '@id': 'urn:x',
  author: 'acme',
  timestamp: '2026-01-01T00:00:00Z',
  version: 1,
  statements,
});

const notAffected = (product: object, more: object = {}): object => ({
  vulnerability: { name: 'CVE-2024-0001' },
  products: [product],
  status: 'not_affected',
  justification: 'vulnerable_code_not_in_execute_path',
  ...more,
});

test('OpenVEX: a statement counts for the image or the package it names, and for no other', () => {
  const image = `pkg:oci/api@${encodeURIComponent(digest)}?repository_url=ghcr.io%2Facme%2Fapi`;
  const part = [{ '@id': 'pkg:npm/left@1.0.0' }];
  const hit: readonly object[] = [
    { '@id': 'pkg:npm/left@1.0.0' },
    { '@id': 'pkg:npm/left' },
    { '@id': image },
    { '@id': image, subcomponents: part },
    { '@id': digest },
    { '@id': 'ghcr.io/acme/api', subcomponents: part },
    { '@id': `ghcr.io/acme/api@${digest}` },
    { '@id': 'urn:other', identifiers: { purl: 'pkg:npm/left@1.0.0' } },
  ];
  for (const product of hit) {
    const result = scan({ vex: [vexFile(openVex(notAffected(product)))] });
    assert.deepEqual(ids(result), ['CVE-2024-0002'], JSON.stringify(product));
    assert.deepEqual(why(result), ['CVE-2024-0001 vex: vulnerable code not in execute path']);
  }
  const miss: readonly object[] = [
    { '@id': 'pkg:npm/left@1.0.1' },
    { '@id': 'pkg:npm/right@1.0.0' },
    { '@id': 'pkg:pypi/left@1.0.0' },
    { '@id': 'ghcr.io/acme/other', subcomponents: part },
    { '@id': image, subcomponents: [{ '@id': 'pkg:npm/right@1.0.0' }] },
    { '@id': `ghcr.io/acme/api@sha256:${'0'.repeat(64)}` },
    { '@id': `pkg:oci/api@sha256%3A${'0'.repeat(64)}?repository_url=ghcr.io/acme/api` },
  ];
  for (const product of miss) {
    const result = scan({ vex: [vexFile(openVex(notAffected(product)))] });
    assert.deepEqual(ids(result), ['CVE-2024-0001', 'CVE-2024-0002'], JSON.stringify(product));
  }
});

test('the latest statement counts; affected and under investigation take nothing off', () => {
  const product = { '@id': 'pkg:npm/left' };
  const later = { vulnerability: 'CVE-2024-0001', products: [product], timestamp: '2026-06-01T00:00:00Z' };
  const both = (status: string): RefineOptions['vex'] => [
    vexFile(openVex(notAffected(product), { ...later, status })),
  ];
  assert.deepEqual(ids(scan({ vex: both('affected') ?? [] })), ['CVE-2024-0001', 'CVE-2024-0002']);
  assert.deepEqual(ids(scan({ vex: both('under_investigation') ?? [] })), ['CVE-2024-0001', 'CVE-2024-0002']);
  assert.deepEqual(ids(scan({ vex: both('fixed') ?? [] })), ['CVE-2024-0002']);
});

test('CSAF and CycloneDX say the same in their own words', () => {
  const csaf = {
    document: {
      title: 'x',
      publisher: { name: 'acme' },
      tracking: { id: 'a', current_release_date: '2026-01-01T00:00:00Z' },
    },
    product_tree: {
      branches: [
        {
          name: 'acme',
          branches: [
            { product: { product_id: 'P1', product_identification_helper: { purl: 'pkg:npm/left@1.0.0' } } },
          ],
        },
      ],
    },
    vulnerabilities: [
      {
        cve: 'CVE-2024-0001',
        product_status: { known_not_affected: ['P1'] },
        flags: [{ label: 'component_not_present', product_ids: ['P1'] }],
      },
    ],
  };
  assert.deepEqual(why(scan({ vex: [vexFile(csaf)] })), ['CVE-2024-0001 vex: component not present']);
  const cycloneDx = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: [
      { type: 'library', 'bom-ref': 'l', name: 'left', version: '1.0.0', purl: 'pkg:npm/left@1.0.0' },
    ],
    vulnerabilities: [
      {
        id: 'CVE-2024-0001',
        analysis: { state: 'not_affected', justification: 'code_not_reachable', detail: 'never called' },
        affects: [{ ref: 'l' }],
      },
    ],
  };
  assert.deepEqual(why(scan({ vex: [vexFile(cycloneDx)] })), [
    'CVE-2024-0001 vex: vulnerable code not in execute path: never called',
  ]);
});

test('OpenVEX that a scan wrote can be given back: nothing is taken off, and what VEX took off stays off', () => {
  const given = vexFile(openVex(notAffected({ '@id': 'pkg:npm/left' })));
  const written = openVexReport(scan({ vex: [given] }), { startedMs: NOW, finishedMs: NOW, version: '0' });
  const again = scan({ vex: [vexFile(written)] });
  assert.deepEqual(ids(again), ['CVE-2024-0002']);
  assert.equal(again.suppressed[0]?.vex?.justification, 'vulnerable_code_not_in_execute_path');
});

test('a VEX document without what it needs is WB-197', () => {
  for (const json of [
    { hello: 1 },
    { '@context': 'https://openvex.dev/ns', statements: 1 },
    openVex({ vulnerability: 'CVE-1', status: 'not_affected', products: [] }),
    openVex({ vulnerability: 'CVE-1', status: 'gone', products: [] }),
    openVex({ status: 'fixed', products: [] }),
  ]) {
    const parsed = parseVex(Buffer.from(JSON.stringify(json)));
    assert.equal(parsed.ok ? '' : parsed.error.code, 'WB-197', JSON.stringify(json));
  }
});

test('our own rules demand reason, owner and a last day, and end on that day', () => {
  const text = (expires: string): string =>
    `ignore:\n  - id: CVE-2024-0001\n    package: le*\n    reason: not reachable\n    owner: ann@acme.example\n    expires: ${expires}\n`;
  const living = scan({ rules: parseIgnoreFile('x/rules.yaml', text('2026-11-21')) });
  assert.deepEqual(ids(living), ['CVE-2024-0002']);
  assert.deepEqual(
    living.suppressed.map(({ owner, expires, file }) => [owner, expires, file]),
    [['ann@acme.example', '2026-11-21', 'rules.yaml']],
  );
  const over = scan({ rules: parseIgnoreFile('rules.yaml', text('2026-11-20')) });
  assert.deepEqual(ids(over), ['CVE-2024-0001', 'CVE-2024-0002']);
  assert.match(
    over.notes.join(),
    /rules\.yaml: the rule of ann@acme\.example for CVE-2024-0001 ran out on 2026-11-20/,
  );
  for (const bad of [
    'ignore:\n  - id: CVE-1\n    owner: a\n    expires: 2026-01-01\n',
    'ignore:\n  - id: CVE-1\n    reason: a\n    owner: a\n',
    'ignore:\n  - reason: a\n    owner: a\n    expires: 2026-01-01\n',
    'ignore:\n  - id: CVE-1\n    reason: a\n    owner: a\n    expires: soon\n',
    'ignore:\n  - id: CVE-1\n    surprise: 1\n    reason: a\n    owner: a\n    expires: 2026-01-01\n',
    'ignore: all\n',
    'ignore: [',
  ]) {
    refuses('WB-882', () => parseIgnoreFile('rules.yaml', bad));
  }
});

test('.trivyignore: an id a line, comments as reasons, a last day', () => {
  const rules = parseIgnoreFile(
    '.trivyignore',
    '# accepted\nCVE-2024-0001\n\nCVE-2024-0002 exp:2026-11-01\n',
  );
  const result = scan({ rules });
  assert.deepEqual(why(result), ['CVE-2024-0001 ignore-rule: accepted']);
  assert.equal(result.notes.length, 1);
  const byAdvisory = scan({
    rules: parseIgnoreFile('.trivyignore', 'GHSA-aaaa-aaaa-aaaa # by its own id\n'),
  });
  assert.deepEqual(why(byAdvisory), ['CVE-2024-0001 ignore-rule: by its own id']);
});

test('.trivyignore.yaml: paths, purls, statements', () => {
  const yaml = (rest: string): string =>
    `vulnerabilities:\n  - id: CVE-2024-0001\n    statement: why\n${rest}`;
  const taken = (rest: string): number =>
    scan({ rules: parseIgnoreFile('.trivyignore.yaml', yaml(rest)) }).suppressed.length;
  assert.equal(taken(''), 1);
  assert.equal(taken('    paths: ["app/**/package.json"]\n'), 1);
  assert.equal(taken('    paths: ["other/*"]\n'), 0);
  assert.equal(taken('    purls: ["pkg:npm/left"]\n'), 1);
  assert.equal(taken('    purls: ["pkg:npm/right"]\n'), 0);
  assert.equal(taken('    expired_at: 2026-01-01\n'), 0);
});

test('.grype.yaml: every field must match, a name is a pattern, aliases only where asked', () => {
  const taken = (rule: string): string[] =>
    why(scan({ rules: parseIgnoreFile('.grype.yaml', `ignore:\n  - ${rule}\n`) }));
  assert.equal(taken('vulnerability: CVE-2024-0001').length, 1);
  assert.equal(taken('{vulnerability: GHSA-aaaa-aaaa-aaaa}').length, 1);
  assert.equal(taken('{vulnerability: CVE-2024-0001, package: {name: "l.*", version: 1.0.0}}').length, 1);
  assert.equal(taken('{vulnerability: CVE-2024-0001, package: {name: "l.*", version: 2.0.0}}').length, 0);
  assert.equal(taken('{fix-state: not-fixed}').length, 1);
  assert.equal(taken('{package: {type: npm, location: "/app/**"}}').length, 2);
  refuses('WB-882', () => parseIgnoreFile('.grype.yaml', 'ignore:\n  - namespace: x\n'));
  refuses('WB-882', () => parseIgnoreFile('.grype.yaml', 'ignore:\n  - package: {name: "["}\n'));
  assert.deepEqual(parseIgnoreFile('.grype.yaml', 'fail-on-severity: high\n'), []);
});

test('a notice about several problems is settled only when all of them are', () => {
  const parsed = parseOsv({
    id: 'ALSA-2024:1',
    related: ['CVE-2024-0008', 'CVE-2024-0009'],
    affected: [{ package: { ecosystem: 'npm', name: 'left' }, versions: ['1.0.0'] }],
  });
  assert.ok(parsed.ok);
  const sbom = sbomOf([pkg('left', '1.0.0')]);
  const left = (text: string): string[] => {
    const database = memoryDatabase([parsed.value], NOW);
    const rules = parseIgnoreFile('.trivyignore', text);
    return ids(refine(matchPackages(sbom, database), sbom, { nowMs: NOW, rules }));
  };
  assert.deepEqual(left('CVE-2024-0008\n'), ['ALSA-2024:1']);
  assert.deepEqual(left('CVE-2024-0008\nCVE-2024-0009\n'), []);
  assert.deepEqual(left('ALSA-2024:1\n'), []);
});

test('fix states and a baseline take off what was not asked for, and say so', () => {
  assert.deepEqual(ids(scan({ states: ['fixed'] })), ['CVE-2024-0001']);
  assert.deepEqual(ids(scan({ states: ['not-fixed'] })), ['CVE-2024-0002']);
  const baseline = { file: 'old.json', keys: new Set([baselineKey('CVE-2024-0001', 'npm', 'left')]) };
  assert.deepEqual(why(scan({ baseline })), ['CVE-2024-0001 baseline: known from the baseline']);
});

test('licences: OR may choose, AND may not, nothing declared is a licence of its own', () => {
  const licensed = (...licenses: string[]): SbomPackage => pkg('left', '9.0.0', { licenses });
  const bad = (licenses: string[], policy: RefineOptions['licenses']): boolean => {
    const result = scan(policy === undefined ? {} : { licenses: policy }, sbomOf([licensed(...licenses)]));
    assert.equal(
      result.licenses.length > 0,
      judge(result, {}).some((one) => one.code === 'WB-883'),
    );
    return result.licenses.length > 0;
  };
  const deny = { deny: ['GPL-*', 'AGPL-3.0-only'] };
  assert.equal(bad(['MIT'], deny), false);
  assert.equal(bad(['GPL-3.0-only'], deny), true);
  assert.equal(bad(['MIT OR GPL-3.0-only'], deny), false);
  assert.equal(bad(['MIT AND GPL-3.0-only'], deny), true);
  const texts = { 'MIT and GPL-2.0+': true, 'MIT BSD GPL-2.0': true, '(MIT or GPL-2.0) and zlib': true };
  const fine = { 'MIT or GPL-2.0 or later': false, 'Apache License, Version 2.0': false, 'MIT | X11': false };
  for (const [text, isBad] of Object.entries({ ...texts, ...fine }))
    assert.equal(bad([text], deny), isBad, text);
  const some = { allow: ['MIT*', 'Apache License, Version 2.0'] };
  for (const text of ['MIT and GPL-2.0+', 'MIT, X11', '()']) assert.equal(bad([text], some), true, text);
  for (const text of ['MIT or GPL-2.0+', 'Apache License, Version 2.0'])
    assert.equal(bad([text], some), false, text);
  assert.equal(bad(['MIT', 'GPL-2.0-or-later'], deny), true);
  assert.equal(bad([], deny), false);
  assert.equal(bad([], { deny: ['none'] }), true);
  assert.equal(bad(['Custom words'], { allow: ['MIT', 'Apache-2.0'] }), true);
  assert.equal(bad(['Apache-2.0'], { allow: ['MIT', 'Apache-2.0'] }), false);
});

test('a release nobody repairs is told, and fails a gate unless that is accepted', () => {
  const at = (versionId: string, nowMs: number): ScanResult =>
    scan({ nowMs }, sbomOf([pkg('left', '9.0.0')], { distro: { id: 'debian', versionId, idLike: [] } }));
  assert.deepEqual(at('10', NOW).endOfLife, { distro: 'debian 10', date: '2024-06-30' });
  assert.equal(at('10', Date.UTC(2024, 5, 30, 23)).endOfLife, undefined);
  assert.equal(at('13', NOW).endOfLife, undefined);
  assert.equal(at('99', NOW).endOfLife, undefined);
  assert.deepEqual(
    judge(at('10', NOW), { failOnEndOfLife: true }).map((one) => one.code),
    ['WB-884'],
  );
  assert.deepEqual(judge(at('10', NOW), {}), []);
  const codes = (options: Parameters<typeof judge>[1]): string[] =>
    judge(at('10', NOW), { failOn: 'critical', ...options }).map((one) => one.code);
  assert.deepEqual(codes({}), ['WB-884']);
  assert.deepEqual(codes({ allowEndOfLife: true }), []);
  assert.deepEqual(codes({ allowEndOfLife: true, failOnEndOfLife: true }), ['WB-884']);
});

test('an old database is a warning, and a gate where asked', () => {
  const day = 86_400_000;
  const later = scan({ nowMs: NOW + 8 * day });
  assert.match(later.notes.join(), /built 8 days ago/);
  assert.deepEqual(scan({ nowMs: NOW + 7 * day }).notes, []);
  const gate = (maxDbAgeMs: number): string[] =>
    judge(later, { nowMs: NOW + 8 * day, maxDbAgeMs }).map((one) => one.code);
  assert.deepEqual(gate(8 * day), []);
  assert.deepEqual(gate(8 * day - 1), ['WB-879']);
  // A date ahead of the clock would be young for ever.
  const ahead = (byMs: number): string[] =>
    judge(later, { nowMs: later.database.builtMs - byMs, maxDbAgeMs: 8 * day }).map((one) => one.code);
  assert.deepEqual([ahead(10 * 60_000), ahead(day)], [[], ['WB-879']]);
});
