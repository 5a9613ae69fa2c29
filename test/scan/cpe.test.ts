/** Packages looked up as products, with records as NVD writes them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cpeCandidates, cpeText, parseCpe } from '#formats/cpe';
import type { SbomPackage } from '#formats/sbom';
import {
  type AdvisoryDatabase,
  type CpeMatching,
  explainIn,
  judge,
  loadRecords,
  matchPackages,
  memoryDatabase,
  orderOf,
} from '#scan';

const folder = mkdtempSync(join(tmpdir(), 'waybill-cpe-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Match {
  readonly criteria: string;
  readonly vulnerable?: boolean;
  readonly [bound: string]: unknown;
}

const cve = (id: string, ...matches: readonly Match[]): object => ({
  cve: {
    id,
    published: '2026-01-02T03:04:05.000',
    lastModified: '2026-02-02T03:04:05.000',
    vulnStatus: 'Analyzed',
    descriptions: [{ lang: 'en', value: `about ${id}` }],
    metrics: {
      cvssMetricV31: [
        { type: 'Primary', cvssData: { vectorString: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' } },
      ],
    },
    weaknesses: [{ description: [{ lang: 'en', value: 'CWE-79' }] }],
    configurations: [
      {
        nodes: [
          { operator: 'OR', negate: false, cpeMatch: matches.map((one) => ({ vulnerable: true, ...one })) },
        ],
      },
    ],
    references: [{ url: 'https://advisories.example/x' }],
  },
});

const product = (vendor: string, name: string, version = '*', target = '*', update = '*'): string =>
  `cpe:2.3:a:${vendor}:${name}:${version}:${update}:*:*:*:${target}:*:*`;

async function databaseOf(
  records: readonly object[],
  others: readonly object[] = [],
): Promise<AdvisoryDatabase> {
  writeFileSync(
    join(folder, 'nvd.json'),
    JSON.stringify({
      resultsPerPage: records.length,
      format: 'NVD_CVE',
      version: '2.0',
      vulnerabilities: records,
    }),
  );
  writeFileSync(join(folder, 'others.json'), JSON.stringify(others));
  const loaded = await loadRecords([folder]);
  assert.deepEqual(loaded.skipped, []);
  return memoryDatabase(loaded.records, 0);
}

const one = (type: string, name: string, version: string, more: Partial<SbomPackage> = {}): SbomPackage => ({
  id: `${type} ${name}`,
  type,
  name,
  version,
  foundBy: 'test',
  locations: [],
  licenses: [],
  dependsOn: [],
  ...more,
});

const openssl = (version: string): SbomPackage =>
  one('generic', 'openssl', version, { cpes: [cpeText('openssl', 'openssl', version)] });

const sbomOf = (packages: readonly SbomPackage[], distro?: string): Parameters<typeof matchPackages>[0] => ({
  subject: { name: 'app' },
  packages,
  layers: [],
  unknowns: [],
  tool: { name: 'waybill', version: '1' },
  ...(distro === undefined ? {} : { distro: { id: distro, versionId: '12', idLike: [] } }),
});

const found = (
  database: AdvisoryDatabase,
  packages: readonly SbomPackage[],
  cpe?: CpeMatching,
  distro?: string,
): string[] =>
  matchPackages(sbomOf(packages, distro), database, cpe === undefined ? {} : { cpe }).findings.map(
    (finding) => `${finding.id} ${finding.package.name} ${finding.package.version}`,
  );

test('a program is found as the product it is, at the bounds of every range', async () => {
  const database = await databaseOf([
    cve(
      'CVE-2026-0001',
      {
        criteria: product('openssl', 'openssl'),
        versionStartIncluding: '3.0.0',
        versionEndExcluding: '3.0.7',
      },
      { criteria: product('openssl', 'openssl', '1.1.1k') },
    ),
    cve('CVE-2026-0002', { criteria: product('openssl', 'openssl'), versionEndIncluding: '1.1.1t' }),
  ]);
  const versions = ['3.0.0', '3.0.6', '3.0.7', '1.1.1k', '1.1.1u', '2.9'];
  assert.deepEqual(found(database, versions.map(openssl)), [
    'CVE-2026-0001 openssl 1.1.1k',
    'CVE-2026-0002 openssl 1.1.1k',
    'CVE-2026-0001 openssl 3.0.0',
    'CVE-2026-0001 openssl 3.0.6',
  ]);
  const [finding] = matchPackages(sbomOf([openssl('3.0.0')]), database).findings;
  assert.equal(finding?.cpe, product('openssl', 'openssl', '3.0.0'));
  assert.equal(finding.rating.severity, 'critical');
  assert.deepEqual(finding.fixed, ['3.0.7']);
  assert.deepEqual(finding.advisories, ['NVD-CVE-2026-0001']);
  assert.deepEqual(finding.cwes, ['CWE-79']);
});

test('what a product runs in, runs on, or is made of silicon is not the product', async () => {
  const database = await databaseOf([
    cve('CVE-2026-0003', {
      criteria: product('jquery', 'jquery', '*', 'wordpress'),
      versionEndExcluding: '9',
    }),
    cve('CVE-2026-0004', { criteria: product('openssl', 'openssl'), vulnerable: false }),
    cve('CVE-2026-0005', { criteria: 'cpe:2.3:o:openssl:openssl:*:*:*:*:*:*:*:*' }),
    cve('CVE-2026-0006', { criteria: product('*', 'openssl') }),
    cve('CVE-2026-0007', { criteria: product('jquery', 'jquery', '*', 'node.js'), versionEndExcluding: '9' }),
    { cve: { id: 'CVE-2026-0008', vulnStatus: 'Rejected' } },
  ]);
  assert.deepEqual(found(database, [openssl('3.0.0')]), []);
  assert.deepEqual(found(database, [one('npm', 'jquery', '3.0.0')]), ['CVE-2026-0007 jquery 3.0.0']);
});

test('where the ecosystem has records of its own, a product is asked for only on request, and never against them', async () => {
  const npm = {
    id: 'GHSA-aaaa-bbbb-cccc',
    aliases: ['CVE-2026-0010'],
    affected: [
      {
        package: { ecosystem: 'npm', name: 'left' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.5.0' }] }],
      },
    ],
  };
  const database = await databaseOf(
    [
      cve('CVE-2026-0010', { criteria: product('left', 'left'), versionEndExcluding: '2.0.0' }),
      cve('CVE-2026-0011', { criteria: product('left', 'left'), versionEndExcluding: '2.0.0' }),
    ],
    [npm],
  );
  const left = one('npm', 'left', '1.6.0');
  assert.deepEqual(found(database, [left]), []);
  assert.deepEqual(found(database, [left], 'always'), ['CVE-2026-0011 left 1.6.0']);
  const gem = one('gem', 'left', '1.6.0');
  assert.equal(found(database, [gem]).length, 2);
  assert.deepEqual(found(database, [gem], 'never'), []);
  // What both say is one finding, and a certain one.
  const [both] = matchPackages(sbomOf([one('npm', 'left', '1.0.0')]), database, { cpe: 'always' }).findings;
  assert.equal(both?.cpe, undefined);
});

test('packages of an operating system are products only on request, in the version of their makers', async () => {
  const database = await databaseOf([
    cve('CVE-2026-0012', { criteria: product('zlib', 'zlib'), versionEndExcluding: '1.2.12' }),
  ]);
  const zlib = one('deb', 'zlib', '1:1.2.11.dfsg-2+deb11u2');
  assert.deepEqual(found(database, [zlib], undefined, 'debian'), []);
  assert.deepEqual(found(database, [zlib], 'always', 'debian'), [
    'CVE-2026-0012 zlib 1:1.2.11.dfsg-2+deb11u2',
  ]);
});

test('coverage says that only products were known, and a gate on the unknown accepts that', async () => {
  const database = await databaseOf([
    cve('CVE-2026-0013', { criteria: product('openssl', 'openssl'), versionEndExcluding: '1' }),
  ]);
  const result = matchPackages(sbomOf([openssl('3.0.0')]), database);
  assert.deepEqual(result.coverage, [{ ecosystem: '(generic)', packages: 1, advisories: 1, isByCpe: true }]);
  assert.deepEqual(judge(result, { failOnUnknown: true }), []);
  const never = matchPackages(sbomOf([openssl('3.0.0')]), database, { cpe: 'never' });
  assert.equal(judge(never, { failOnUnknown: true })[0]?.code, 'WB-875');
});

test('explain shows the comparison that was made by CPE', async () => {
  const database = await databaseOf([
    cve('CVE-2026-0014', { criteria: product('openssl', 'openssl'), versionEndExcluding: '3.0.7' }),
  ]);
  const [made] = explainIn(sbomOf([openssl('3.0.0')]), database, 'CVE-2026-0014');
  assert.deepEqual([made?.ecosystem, made?.name, made?.affected], ['CPE', 'openssl:openssl', 'yes']);
});

test('CPE texts are read and written, escapes included; other forms are none', () => {
  const text = cpeText('@babel/cli', 'a:b', '1.0+x');
  assert.equal(text, 'cpe:2.3:a:\\@babel\\/cli:a\\:b:1.0\\+x:*:*:*:*:*:*:*');
  assert.deepEqual(parseCpe(text), {
    part: 'a',
    vendor: '@babel/cli',
    product: 'a:b',
    version: '1.0+x',
    update: '*',
    targetSoftware: '*',
  });
  for (const other of ['', 'cpe:/a:x:y:1', 'cpe:2.3:x:a:b:1:*:*:*:*:*:*:*', 'cpe:2.3:a:b:c', `${text}:*`]) {
    assert.equal(parseCpe(other), undefined, other);
  }
});

test('packages without a CPE get the likely ones', () => {
  const of = (type: string, name: string): string[] =>
    cpeCandidates({ type, name, version: '1' }).map((text) => text.replace(/^cpe:2\.3:a:|:1:.*$/g, ''));
  assert.deepEqual(of('deb', 'base-files'), ['base-files:base-files']);
  assert.deepEqual(of('npm', '@babel/cli'), ['\\@babel\\/cli:\\@babel\\/cli', 'babel:\\@babel\\/cli']);
  assert.deepEqual(of('golang', 'github.com/docker/cli/v2'), ['docker:cli']);
  assert.deepEqual(of('golang', 'golang.org/x/text'), ['golang:x\\/text', 'golang:text']);
  assert.deepEqual(of('golang', 'gopkg.in'), []);
  assert.deepEqual(of('maven', 'org.apache.commons:commons-text'), [
    'apache:commons-text',
    'commons-text:commons-text',
  ]);
  assert.deepEqual(of('cargo', 'serde'), ['serde_project:serde', 'serde:serde']);
});

test('versions of products: letters after a number are later, words for what is unfinished are earlier', () => {
  const order = orderOf('CPE');
  const sorted = [
    '1.0-alpha',
    '1.0-beta2',
    '1.0rc1',
    '1.0',
    '1.0.1',
    '1.1.1',
    '1.1.1a',
    '1.1.1k',
    '1.8.0_292',
    '1.10',
  ];
  for (const [i, a] of sorted.entries()) {
    for (const [j, b] of sorted.entries())
      assert.equal(Math.sign(order(a, b) ?? 9), Math.sign(i - j), `${a} ${b}`);
  }
  assert.equal(order('v2.0', '2.0'), 0);
  assert.equal(order('current', '1.0'), undefined);
});
