import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Distro, SbomPackage } from '#formats/sbom';
import { type LoadedRecords, loadRecords, matchPackages, memoryDatabase, type ScanResult } from '#scan';

const folder = mkdtempSync(join(tmpdir(), 'waybill-feeds-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function load(files: Readonly<Record<string, string | Uint8Array>>): Promise<LoadedRecords> {
  const paths = Object.entries(files).map(([name, content]) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  });
  return await loadRecords(paths);
}

const system = (
  type: string,
  name: string,
  version: string,
  rest: Partial<SbomPackage> = {},
): SbomPackage => ({
  id: `${type}-${name}`,
  type,
  name,
  version,
  foundBy: 'test',
  locations: [],
  licenses: [],
  dependsOn: [],
  ...rest,
});

function scan(loaded: LoadedRecords, distro: Distro, packages: readonly SbomPackage[]): ScanResult {
  const database = memoryDatabase(loaded.records, 0, { enrichment: loaded.enrichment });
  const tool = { name: 'waybill', version: '0' };
  return matchPackages(
    { subject: { name: 'app' }, distro, packages, layers: [], unknowns: [], tool },
    database,
  );
}

const shown = (result: ScanResult): string[] =>
  result.findings.map((one) => `${one.id} ${one.package.name} ${one.state} ${one.fixed.join(',')}`);

test('Alpine: a fix repairs at its version, 0 means never affected, releases add up', async () => {
  const secdb = (release: string, fixes: object): string =>
    JSON.stringify({
      distroversion: release,
      reponame: 'main',
      packages: [{ pkg: { name: 'zlib', secfixes: fixes } }],
    });
  const loaded = await load({
    'main-20.json': secdb('v3.20', { '1.3.1-r1': ['CVE-2024-10001 XSA-1'], '0': ['CVE-2024-10002'] }),
    'main-19.json': secdb('v3.19', { '1.2.13-r9': ['CVE-2024-10001'] }),
  });
  const at = (versionId: string, version: string): string[] =>
    shown(scan(loaded, { id: 'alpine', versionId, idLike: [] }, [system('apk', 'zlib', version)]));
  assert.deepEqual(at('3.20.3', '1.3.1-r0'), [
    'CVE-2024-10001 zlib fixed 1.3.1-r1',
    'XSA-1 zlib fixed 1.3.1-r1',
  ]);
  assert.deepEqual(at('3.20.3', '1.3.1-r1'), []);
  assert.deepEqual(at('3.19.1', '1.2.13-r8'), ['CVE-2024-10001 zlib fixed 1.2.13-r9']);
  assert.deepEqual(at('3.18.0', '1.0-r0'), []);
});

test('Debian: resolved, open, postponed and left alone are told apart, by release', async () => {
  const release = (status: string, rest: object): object => ({
    status,
    urgency: 'not yet assigned',
    ...rest,
  });
  const problem = (releases: object): object => ({ description: 'a problem\nwith lines', releases });
  const loaded = await load({
    'tracker.json': JSON.stringify({
      openssl: {
        'CVE-2024-20001': problem({
          bookworm: release('resolved', { fixed_version: '3.0.15-1' }),
          trixie: release('resolved', { fixed_version: '0' }),
        }),
        'CVE-2024-20002': problem({ bookworm: release('open', {}) }),
        'CVE-2024-20003': problem({ bookworm: release('open', { nodsa: 'Minor issue', nodsa_reason: '' }) }),
        'CVE-2024-20004': problem({ bookworm: release('open', { nodsa: 'x', nodsa_reason: 'postponed' }) }),
        'CVE-2024-20005': problem({ bookworm: release('undetermined', {}) }),
        'TEMP-1-2': problem({ bookworm: { status: 'open', urgency: 'high' } }),
      },
    }),
  });
  const libssl = system('deb', 'libssl3', '3.0.11-1', { source: { name: 'openssl' } });
  const found = scan(loaded, { id: 'debian', versionId: '12', idLike: [] }, [libssl]);
  assert.deepEqual(shown(found).sort(), [
    'CVE-2024-20001 libssl3 fixed 3.0.15-1',
    'CVE-2024-20002 libssl3 not-fixed ',
    'CVE-2024-20003 libssl3 wont-fix ',
    'CVE-2024-20004 libssl3 not-fixed ',
    'DEBIAN-TEMP-1-2 libssl3 not-fixed ',
  ]);
  assert.equal(found.findings[0]?.rating.severity, 'high');
  assert.equal(found.findings[0]?.source, 'openssl');
  assert.deepEqual(shown(scan(loaded, { id: 'debian', versionId: '13', idLike: [] }, [libssl])), []);
});

const oval = (definitions: string, rest: string): string =>
  `<?xml version="1.0"?><oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"
   xmlns:red-def="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux">
   <definitions>${definitions}</definitions>${rest}</oval_definitions>`;

const redHat = oval(
  `<definition class="patch" id="oval:x:def:1"><metadata>
     <title>RHSA-2024:1111: nodejs:18 security update (Important)</title>
     <affected family="unix"><platform>Red Hat Enterprise Linux 9</platform></affected>
     <reference ref_id="RHSA-2024:1111" source="RHSA"/><reference ref_id="CVE-2024-30001" source="CVE"/>
     <advisory><severity>Important</severity><issued date="2024-03-03"/><cve>CVE-2024-30002</cve></advisory>
   </metadata><criteria operator="AND">
     <criterion comment="Red Hat Enterprise Linux 9 is installed" test_ref="t:os"/>
     <criterion comment="Module nodejs:18 is enabled" test_ref="t:module"/>
     <criteria operator="OR"><criteria operator="AND">
       <criterion comment="nodejs is earlier than 1:18.19.1-1.module+el9" test_ref="t:nodejs"/>
       <criterion comment="nodejs is signed" test_ref="t:signed"/>
     </criteria></criteria>
   </criteria></definition>
   <definition class="patch" id="oval:x:def:2"><metadata><title>RHBA-2024:2: a bug fix (None)</title>
     <affected><platform>Red Hat Enterprise Linux 9</platform></affected></metadata>
     <criteria><criterion comment="x" test_ref="t:nodejs"/></criteria></definition>`,
  `<tests><rpminfo_test id="t:nodejs"><object object_ref="o:1"/><state state_ref="s:1"/></rpminfo_test>
     <rpminfo_test id="t:signed"><object object_ref="o:1"/><state state_ref="s:2"/></rpminfo_test></tests>
   <objects><rpminfo_object id="o:1"><name>nodejs</name></rpminfo_object></objects>
   <states><rpminfo_state id="s:1"><evr datatype="evr_string" operation="less than">1:18.19.1-1.module+el9</evr></rpminfo_state>
     <rpminfo_state id="s:2"><signature_keyid operation="equals">199e2f91fd431d51</signature_keyid></rpminfo_state></states>`,
);

test('Red Hat OVAL: packages of a module, told by stream; the notice names its CVEs', async () => {
  const loaded = await load({ 'rhel.xml': redHat });
  assert.equal(loaded.records.length, 1);
  const rhel: Distro = { id: 'rhel', versionId: '9.4', idLike: ['fedora'] };
  const node = (version: string, module?: string): SbomPackage =>
    system('rpm', 'nodejs', version, {
      purl: `pkg:rpm/redhat/nodejs@${version}?epoch=1${module === undefined ? '' : `&rpmmod=${module}`}`,
    });
  const old = '18.0.0-1.module+el9';
  assert.deepEqual(shown(scan(loaded, rhel, [node(old, 'nodejs:18:9')])), [
    'RHSA-2024:1111 nodejs fixed 1:18.19.1-1.module+el9',
  ]);
  assert.deepEqual(shown(scan(loaded, rhel, [node(old, 'nodejs:16:9')])), []);
  assert.deepEqual(shown(scan(loaded, rhel, [node('16.0.0-1.el9')])), []);
  assert.deepEqual(shown(scan(loaded, rhel, [node('18.19.1-1.module+el9', 'nodejs:18:9')])), []);
  const [finding] = scan(loaded, { id: 'centos', versionId: '9', idLike: ['rhel'] }, [node(old)]).findings;
  assert.deepEqual(finding?.related, ['CVE-2024-30001', 'CVE-2024-30002']);
  assert.equal(finding?.rating.severity, 'high');
});

test('Ubuntu OVAL: names from a variable', async () => {
  const ubuntu = oval(
    `<definition class="vulnerability" id="oval:u:def:1"><metadata>
       <title>CVE-2024-40001 on Ubuntu 22.04 LTS (jammy) - medium.</title>
       <affected family="unix"><platform>Ubuntu 22.04 LTS</platform></affected>
       <reference source="CVE" ref_id="CVE-2024-40001"/></metadata>
     <criteria><criterion test_ref="t" comment="openssl was vulnerable"/></criteria></definition>`,
    `<tests><dpkginfo_test id="t"><object object_ref="o"/><state state_ref="s"/></dpkginfo_test></tests>
     <objects><dpkginfo_object id="o"><name var_ref="v" var_check="at least one"/></dpkginfo_object></objects>
     <states><dpkginfo_state id="s"><evr operation="less than">3.0.2-0ubuntu1.9</evr></dpkginfo_state></states>
     <variables><constant_variable id="v"><value>libssl3</value><value>openssl</value></constant_variable></variables>`,
  );
  const loaded = await load({ 'jammy.xml': ubuntu });
  const packages = [
    system('deb', 'libssl3', '3.0.2-0ubuntu1.8'),
    system('deb', 'openssl', '3.0.2-0ubuntu1.9'),
  ];
  const found = scan(loaded, { id: 'ubuntu', versionId: '22.04', idLike: ['debian'] }, packages);
  assert.deepEqual(shown(found), ['CVE-2024-40001 libssl3 fixed 3.0.2-0ubuntu1.9']);
  assert.equal(found.findings[0]?.rating.severity, 'medium');
});

test('scores of exploitation and known exploitation stand beside the severity', async () => {
  const osv = {
    id: 'GHSA-1111-2222-3333',
    aliases: ['CVE-2024-50001'],
    database_specific: { cwe_ids: ['CWE-79'], severity: 'LOW' },
    references: [{ type: 'WEB', url: 'https://advisories.example/1' }],
    affected: [{ package: { ecosystem: 'npm', name: 'x' }, versions: ['1.0.0'] }],
  };
  const kev = {
    catalogVersion: '2025.08.25',
    vulnerabilities: [
      { cveID: 'CVE-2024-50001', dateAdded: '2024-05-05', knownRansomwareCampaignUse: 'Known' },
    ],
  };
  const epss =
    '#model_version:v4,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2024-50001,0.94,0.99\n';
  const loaded = await load({
    'x.json': JSON.stringify(osv),
    'kev.json': JSON.stringify(kev),
    'epss.csv.gz': gzipSync(epss),
  });
  assert.deepEqual(loaded.skipped, []);
  assert.deepEqual(
    loaded.sources.map(({ name, records }) => `${name} ${records}`),
    ['epss.csv.gz 1', 'kev.json 1', 'x.json 1'],
  );
  const [one] = scan(loaded, { id: 'debian', versionId: '12', idLike: [] }, [
    system('npm', 'x', '1.0.0'),
  ]).findings;
  assert.deepEqual(one?.epss, { probability: 0.94, percentile: 0.99, date: '2026-11-20' });
  assert.deepEqual(one?.knownExploited, { dateAdded: '2024-05-05', isRansomware: true });
  assert.deepEqual([one?.cwes, one?.references], [['CWE-79'], ['https://advisories.example/1']]);
});

test('a file of no known form is named, not silently nothing', async () => {
  const loaded = await load({ 'a.xml': '<html/>', 'b.csv': 'a,b\n1,2\n', 'c.json': '{"a":{"b":1}}' });
  assert.deepEqual(
    loaded.skipped.map(({ where }) => where.slice(folder.length + 1)),
    ['a.xml', 'b.csv', 'c.json'],
  );
});

test('lines of EPSS and entries of KEV that cannot be read are counted for their source, and named', async () => {
  const entry = { cveID: 'CVE-2024-50001', dateAdded: '2026-01-01' };
  const bad = [
    { cveID: 'CVE-2024-50002' },
    { ...entry, cveID: 'cve' },
    { ...entry, dateAdded: 'soon' },
    null,
    7,
  ];
  const loaded = await load({
    'kev.json': JSON.stringify({ vulnerabilities: [entry, ...bad] }),
    'epss.csv':
      'cve,epss,percentile\r\nCVE-2024-1,0.1,0.2\r\nCVE-2024-2,1.5,0.2\r\n\r\nCVE-2024-3;0.1;0.2\nCVE-2024-4,,\nCVE-2024-5,0,1',
  });
  assert.deepEqual(loaded.sources, [
    { name: 'epss.csv', records: 2, skipped: 3 },
    { name: 'kev.json', records: 1, skipped: 5, newest: '2026-01-01' },
  ]);
  assert.deepEqual(
    loaded.skipped.map(({ where }) => where.slice(folder.length + 1)),
    [
      'kev.json:2',
      'kev.json:3',
      'kev.json:4',
      'kev.json:5',
      'kev.json:6',
      'epss.csv:3',
      'epss.csv:5',
      'epss.csv:6',
    ],
  );
  assert.deepEqual([...loaded.enrichment.epss.keys()], ['CVE-2024-1', 'CVE-2024-5']);
});

test('a time that Go left unset is no date: neither the newest, nor the day a record was withdrawn', async () => {
  const zero = '0001-01-01T00:00:00Z';
  const affected = [{ package: { ecosystem: 'Go', name: 'example.org/m' }, versions: ['1.0.0'] }];
  const record = { id: 'GO-2024-1', modified: zero, published: zero, withdrawn: zero, affected };
  const loaded = await load({ 'go.json': JSON.stringify(record) });
  assert.deepEqual(loaded.sources, [{ name: 'go.json', records: 1 }]);
  assert.equal(loaded.records[0]?.modified, undefined);
});
