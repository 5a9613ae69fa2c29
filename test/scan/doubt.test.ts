/** What documents leave open or write in their own way: found, or said to be open, never silently clean. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import type { Distro, Sbom, SbomPackage } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { evaluate, judge, loadRecords, matchPackages, memoryDatabase, type ScanResult } from '#scan';
import { advisory, found, one, range, record, sbomOf, scan } from './records.ts';

const fromOthers: Partial<Sbom> = { tool: { name: 'trivy', version: '0.69' } };
const open = (result: ScanResult): string[] =>
  result.undetermined.map(({ id, package: { name }, reason }) => `${id} ${name}: ${reason}`);
const fails = (result: ScanResult): string[] =>
  judge(result, { failOnUnknown: true }).map(({ code }) => code);

test('a Go module in lower case is every module it can come from; one in its own case is that alone', () => {
  const records = [
    advisory('GO-1', 'Go', 'github.com/Masterminds/goutils', '1.1.1'),
    advisory('GO-2', 'Go', 'github.com/0xJacky/Nginx-UI', '2.0.0'),
    advisory('GO-3', 'Go', 'github.com/0xJacky/nginx-ui', '2.0.0'),
  ];
  const of = (name: string): string[] => found(scan(records, [one('golang', name, 'v1.1.0')], fromOthers));
  assert.deepEqual(of('github.com/masterminds/goutils'), ['GO-1 github.com/masterminds/goutils']);
  assert.deepEqual(of('github.com/Masterminds/goutils'), ['GO-1 github.com/Masterminds/goutils']);
  assert.deepEqual(of('github.com/MasterMinds/goutils'), []);
  assert.deepEqual(of('github.com/0xJacky/Nginx-UI'), ['GO-2 github.com/0xJacky/Nginx-UI']);
  assert.deepEqual(of('github.com/0xJacky/nginx-ui'), ['GO-3 github.com/0xJacky/nginx-ui']);
  const both = ['GO-2 github.com/0xjacky/nginx-ui', 'GO-3 github.com/0xjacky/nginx-ui'];
  assert.deepEqual(of('github.com/0xjacky/nginx-ui'), both);
});

const debian: Distro = { id: 'debian', versionId: '12', idLike: [] };
const alma: Distro = { id: 'almalinux', versionId: '9', idLike: ['rhel'] };

test('an epoch that is left out is 0, whoever wrote the document', () => {
  const deb = [advisory('DEBIAN-CVE-2024-1', 'Debian:12', 'shadow', '1:4.13-1')];
  for (const rest of [{}, fromOthers]) {
    const of = (version: string): string[] =>
      found(scan(deb, [one('deb', 'shadow', version)], { ...rest, distro: debian }));
    assert.equal(of('4.14-1').length, 1);
    assert.equal(of('1:4.12-1').length, 1);
    assert.deepEqual(of('1:4.13-1'), []);
  }
  const rpm = [advisory('ALSA-2024:1', 'AlmaLinux:9', 'bind', '32:9.16.23-2.el9')];
  const of = (version: string, purl: string): string[] =>
    found(scan(rpm, [one('rpm', 'bind', version, { purl })], { ...fromOthers, distro: alma }));
  assert.equal(of('9.18-1.el9', 'pkg:rpm/almalinux/bind@9.18-1.el9').length, 1);
  assert.deepEqual(of('9.18-1.el9', 'pkg:rpm/almalinux/bind@9.18-1.el9?epoch=32'), []);
});

test('the epoch of a source rpm is that of the packages built from it, and open where their versions differ', () => {
  const records = [advisory('ALSA-2024:1', 'AlmaLinux:9', 'perl', '4:5.32.1-481.el9')];
  const source = { name: 'perl', version: '5.32.1-481.el9' };
  const carp = one('rpm', 'perl-Carp', '1.50-460.el9', { source });
  const libs = one('rpm', 'perl-libs', '4:5.32.1-481.el9', { source });
  const of = (packages: readonly SbomPackage[]): ScanResult => scan(records, packages, { distro: alma });
  assert.deepEqual([found(of([carp, libs])), open(of([carp, libs]))], [[], []]);
  assert.deepEqual(open(of([carp])), [
    'ALSA-2024:1 perl-Carp: the epoch of its source perl 5.32.1-481.el9 is not known',
  ]);
  const old = { name: 'perl', version: '5.32.1-480.el9' };
  assert.deepEqual(found(of([one('rpm', 'perl-Carp', '1.50-460.el9', { source: old })])), [
    'ALSA-2024:1 perl-Carp',
  ]);
  assert.deepEqual(found(of([one('rpm', 'perl-libs', '4:5.32.1-480.el9', { source: old })])), [
    'ALSA-2024:1 perl-libs',
  ]);
});

test('a package without a version has what every version has, and malware; all else stays open', () => {
  const everything = record({
    id: 'GHSA-1',
    affected: [{ package: { ecosystem: 'npm', name: 'abandoned' }, ranges: range({ introduced: '0' }) }],
  });
  const malware = record({
    id: 'MAL-2025-1',
    affected: [{ package: { ecosystem: 'npm', name: 'evil' }, versions: ['1.2.3'] }],
  });
  const bounded = advisory('GHSA-2', 'npm', 'left', '2.0.0');
  const packages = ['abandoned', 'evil', 'left', 'fine'].map((name) => one('npm', name, ''));
  const result = scan([everything, malware, bounded], packages);
  assert.deepEqual(found(result).sort(), ['GHSA-1 abandoned', 'MAL-2025-1 evil']);
  assert.ok(result.findings.every(({ isVersionUnknown }) => isVersionUnknown === true));
  assert.deepEqual(open(result), ['GHSA-2 left: its version is not known']);
  assert.match(
    result.notes.join('\n'),
    /GHSA-1 is reported of abandoned, whose version is not known: .*every/,
  );
  assert.match(result.notes.join('\n'), /MAL-2025-1 is reported of evil, .*malicious/);
  assert.deepEqual(fails(result), ['WB-875']);
  const devel = one('golang', 'example.org/main', '(devel)');
  const go = scan([advisory('GO-1', 'Go', 'example.org/main', '1.0.0')], [devel]);
  assert.deepEqual(open(go), ['GO-1 example.org/main: its version is not known']);
});

test('a finding nobody rated passes a threshold, but not one that asks for no unknowns', () => {
  const result = scan([advisory('GHSA-1', 'npm', 'left', '2.0.0')], [one('npm', 'left', '1.0.0')]);
  assert.deepEqual(judge(result, { failOn: 'low' }), []);
  const [why] = judge(result, { failOn: 'low', failOnUnknown: true });
  assert.deepEqual([why?.code, why?.actual], ['WB-875', 'left: GHSA-1 has no severity']);
  assert.deepEqual(judge(result, { failOnUnknown: true }), []);
});

test('a list without packages passes no gate that asks for findings or for gaps', () => {
  const nothing = scan([advisory('GHSA-1', 'npm', 'left', '2.0.0')], []);
  for (const options of [{ failOn: 'critical' }, { failOnUnknown: true }] as const) {
    const [why, ...others] = judge(nothing, options);
    assert.deepEqual([why?.code, others], ['WB-875', []]);
    assert.match(why?.actual ?? '', /no packages are listed/);
    assert.deepEqual(judge(nothing, { ...options, allowEmpty: true }), []);
  }
  assert.deepEqual(judge(nothing, {}), []);
});

test('a text that is no version is in a range without an end, and open for every other and for lists', () => {
  const ranges = (...events: Record<string, string>[]): Parameters<typeof evaluate>[2] =>
    record({ id: 'X', affected: [{ package: { ecosystem: 'npm', name: 'x' }, ranges: range(...events) }] })
      .affected[0]?.ranges ?? [];
  const of = (version: string, ...events: Record<string, string>[]): string =>
    evaluate(version, 'npm', ranges(...events), []).affected;
  assert.equal(of('nonsense', { introduced: '0' }), 'yes');
  assert.equal(of('nonsense', { introduced: '0' }, { fixed: '1.0.0' }), 'undetermined');
  assert.equal(of('1.0.0', { introduced: '0' }, { limit: 'nonsense' }), 'undetermined');
  assert.equal(evaluate('nonsense', 'npm', [], ['1.0.0']).affected, 'undetermined');
  assert.equal(evaluate('nonsense', 'npm', [], ['nonsense']).affected, 'yes');
  for (const ecosystem of ['AlmaLinux:9', 'Alpine:v3.20', 'Debian:12', 'Maven', 'PyPI', 'Go', 'CPE']) {
    const { affected } = evaluate('', ecosystem, ranges({ introduced: '0' }, { fixed: '1.0' }), []);
    assert.equal(affected, 'undetermined', ecosystem);
  }
});

test('packages of another release than the document are matched with theirs', () => {
  const records = [
    advisory('DEBIAN-CVE-2024-1', 'Debian:11', 'openssl', '1.1.1w-1'),
    advisory('DEBIAN-CVE-2024-2', 'Debian:12', 'openssl', '9'),
  ];
  const purl = 'pkg:deb/debian/openssl@1.1.1n-1?arch=amd64&distro=debian-11.9';
  const result = scan(records, [one('deb', 'openssl', '1.1.1n-1', { purl })], { distro: debian });
  assert.deepEqual(found(result), ['DEBIAN-CVE-2024-1 openssl']);
  assert.deepEqual(
    result.coverage.map(({ ecosystem }) => ecosystem),
    ['Debian:11'],
  );
});

const file = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories/golang-vulndb.jsonl.zst');

if (existsSync(file)) {
  test('every record of Go about a module with capitals is found by a package URL in lower case', async () => {
    const { records } = await loadRecords([file]);
    const database = memoryDatabase(records, 0);
    const names = new Set(records.flatMap(({ affected }) => affected.map((entry) => entry.name)));
    const capitals = [...names].filter((name) => name !== name.toLowerCase());
    const scanned = (purl: string): ReadonlySet<string> => {
      const document = { type: 'library', name: purl.split('/').at(-1)?.split('@')[0], purl };
      const json = { bomFormat: 'CycloneDX', specVersion: '1.6', components: [document] };
      const sbom = unwrap(parseSbom(utf8(JSON.stringify(json))));
      return new Set(matchPackages(sbom, database).findings.flatMap(({ advisories }) => advisories));
    };
    let entries = 0;
    let missed = 0;
    for (const name of capitals) {
      const version = 'v0.0.0-20000101000000-000000000000';
      const exact = matchPackages(sbomOf([one('golang', name, version)]), database).findings;
      const lower = scanned(`pkg:golang/${name.toLowerCase()}@${version}`);
      for (const id of exact.flatMap(({ advisories }) => advisories)) {
        entries++;
        if (!lower.has(id)) missed++;
      }
    }
    const folded = new Set([...names].map((name) => name.toLowerCase()));
    const shared = names.size - folded.size;
    console.log(
      `Go modules with capitals: ${capitals.length} of ${names.size}, ${entries} records, ${missed} missed in lower case; ${shared} share a name`,
    );
    database.close();
    assert.ok(capitals.length > 50 && entries > 150, `${capitals.length} ${entries}`);
    assert.equal(missed, 0);
  });
} else {
  console.log(`Go modules with capitals did not run: ${file} is absent`);
}
