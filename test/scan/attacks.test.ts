/** What a scan reads and writes, made to deceive: rows SCN of the attack specification about reports and documents. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { XMLValidator } from 'fast-xml-parser';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { scanDocument, scanFormats } from '#flows/scan-documents';
import { cycloneDxBytes } from '#formats/cyclonedx';
import { parseOsv } from '#formats/osv';
import type { Sbom, SbomPackage } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { spdxBytes } from '#formats/spdx';
import { judge, matchPackages, memoryDatabase, type ScanResult } from '#scan';
import { waybillHere } from '../cli/here.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-scan-attacks-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const hostile = '<script>alert(1)</script>\u001b[2J"\'\n=cmd|x!A1&amp;]]>';

const one = (name: string, more: Partial<SbomPackage> = {}): SbomPackage => ({
  id: name,
  type: 'npm',
  name,
  version: '1.0.0',
  foundBy: 'test',
  locations: [{ path: hostile }],
  licenses: [hostile],
  dependsOn: [],
  ...more,
});

const sbomOf = (packages: readonly SbomPackage[], more: Partial<Sbom> = {}): Sbom => ({
  subject: { name: 'app' },
  packages,
  layers: [],
  unknowns: [{ path: hostile, wantedBy: 'npm', reason: hostile }],
  tool: { name: 'waybill', version: '1' },
  ...more,
});

function scan(sbom: Sbom, ...names: readonly string[]): ScanResult {
  const records = names.map((name, i) =>
    unwrap(
      parseOsv({
        id: `GHSA-${i}`,
        summary: hostile,
        affected: [{ package: { ecosystem: 'npm', name }, versions: ['1.0.0'] }],
        references: [{ type: 'WEB', url: 'javascript:alert(1)' }],
        database_specific: { severity: 'HIGH' },
      }),
    ),
  );
  return matchPackages(sbom, memoryDatabase(records, 0));
}

test('SCN-13: names that are markup, escapes or formulas stay text in every form a report has', () => {
  const sbom = sbomOf([one(hostile)]);
  const result = scan(sbom, hostile);
  assert.equal(result.findings.length, 1);
  const options = { startedMs: 0, finishedMs: 0, version: '1', sbom, showSuppressed: true };
  for (const name of scanFormats) {
    const text = Buffer.from(scanDocument(result, name, options)).toString();
    assert.ok(!text.includes('\u001b'), `${name}: no escape reaches a terminal`);
    if (name === 'junit') assert.equal(XMLValidator.validate(text), true, text);
    else if (name === 'markdown') assert.ok(!/<script>/.test(text), text);
    else if (name !== 'table') assert.ok(typeof JSON.parse(text) === 'object', name);
  }
  for (const bytes of [cycloneDxBytes(sbom, { createdMs: 0 }), spdxBytes(sbom, { createdMs: 0 })]) {
    const again = unwrap(parseSbom(bytes));
    assert.equal(again.packages[0]?.name, hostile);
  }
});

test('SCN-16: a distribution nobody has advisories for, or a made-up one, passes no gate', () => {
  const deb = one('openssl', { type: 'deb' });
  for (const distro of [
    { id: 'nonsense', versionId: '1', idLike: [] },
    { id: 'debian', versionId: '99', idLike: [] },
    { id: 'nonsense', versionId: '1', idLike: ['debian'] },
  ]) {
    const result = scan(sbomOf([deb, one('left')], { distro, unknowns: [] }), 'other');
    assert.deepEqual(
      judge(result, { failOn: 'critical' }).map(({ code }) => code),
      ['WB-875'],
      JSON.stringify(distro),
    );
  }
});

const document = (more: object): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, ...more }),
  );

test('SCN-20: a document with loops, doubles, addresses or markup is bounded, and fetches nothing', async () => {
  const component = (ref: string): object => ({
    type: 'library',
    'bom-ref': ref,
    name: ref,
    version: '1',
    purl: `pkg:npm/${ref}@1`,
    externalReferences: [{ type: 'bom', url: 'http://127.0.0.1:1/never-fetched' }],
  });
  const looped = document({
    components: [component('a'), component('b'), component('a')],
    dependencies: [
      { ref: 'a', dependsOn: ['b'] },
      { ref: 'b', dependsOn: ['a', 'nowhere'] },
    ],
  });
  const sbom = unwrap(parseSbom(looped));
  assert.ok(sbom.packages.length >= 2);
  assert.ok(cycloneDxBytes(sbom, { createdMs: 0 }).length > 0);
  const xml = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><bom>&b;</bom>';
  assert.equal(parseSbom(new TextEncoder().encode(xml)).ok, false);
  const deep = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
  assert.equal(parseSbom(new TextEncoder().encode(deep)).ok, false);
  assert.ok(limits.sbomBytes <= 1024 * 1024 * 1024);
});

test('SCN-21: a statement for everything, or for a pattern, takes nothing off', async () => {
  const file = join(folder, 'sbom.json');
  writeFileSync(
    file,
    cycloneDxBytes(sbomOf([one('left', { locations: [], licenses: [] })]), { createdMs: 0 }),
  );
  const osv = join(folder, 'a.json');
  const affected = [{ package: { ecosystem: 'npm', name: 'left' }, versions: ['1.0.0'] }];
  writeFileSync(osv, JSON.stringify({ id: 'CVE-2026-0001', affected }));
  const db = join(folder, 'a.db');
  const env = { HOME: folder, SOURCE_DATE_EPOCH: '1' };
  assert.equal((await waybillHere(['db', 'build', osv, '--out', db], { env })).code, 0);
  for (const product of ['*', 'pkg:npm/*', 'pkg:npm/le*@1.0.0', '', 'left', 'pkg:npm/left@*']) {
    const vex = join(folder, 'vex.json');
    const statement = {
      vulnerability: { name: 'CVE-2026-0001' },
      products: [{ '@id': product }],
      status: 'not_affected',
      justification: 'component_not_present',
    };
    writeFileSync(
      vex,
      JSON.stringify({
        '@context': 'https://openvex.dev/ns/v0.2.0',
        '@id': 'urn:x',
        author: 'x',
        timestamp: '2026-01-01T00:00:00Z',
        version: 1,
        statements: [statement],
      }),
    );
    const ran = await waybillHere(['scan', `sbom:${file}`, '--db', db, '--vex', vex, '-o', 'json'], { env });
    if (ran.code !== 0) continue;
    const { findings } = JSON.parse(ran.stdout) as { findings: unknown[] };
    assert.equal(findings.length, 1, JSON.stringify(product));
  }
});

test('SCN-22: passwords and the environment are in no document and no message', async () => {
  const file = join(folder, 'sbom.json');
  writeFileSync(file, cycloneDxBytes(sbomOf([one('left')]), { createdMs: 0 }));
  const canary = 'canary-7f3a91c2';
  const env = {
    HOME: folder,
    WAYBILL_REGISTRY_PASSWORD: canary,
    SECRET_TOKEN: canary,
    AWS_SECRET_ACCESS_KEY: canary,
  };
  const runs = [
    ['scan', `sbom:${file}`, '--db', join(folder, 'a.db'), '-o', 'json'],
    ['scan', 'sbom:/nowhere', '--registry-username', 'x'],
    ['sbom', 'docker:nothing-here', '--registry-username', 'x'],
    ['sbom', `dir:${folder}`, '-o', `cyclonedx-json=${join(folder, 'out.json')}`],
  ];
  for (const args of runs) {
    const { stdout, stderr } = await waybillHere(args, { env });
    assert.ok(!`${stdout}${stderr}`.includes(canary), args.join(' '));
  }
  assert.ok(!readFileSync(join(folder, 'out.json'), 'utf8').includes(canary));
});

/** Where each row is met: this file, or the test of that name in that file. */
const elsewhere: Readonly<Record<string, readonly (readonly [file: string, test: string])[]>> = {
  'SCN-01': [
    ['test/sbom/attacks.test.ts', 'SCN-01'],
    ['test/sbom/tree.test.ts', 'names never leave the image'],
  ],
  'SCN-02': [
    ['test/sbom/attacks.test.ts', 'SCN-02'],
    ['test/sbom/tree.test.ts', 'a loop of links ends and is reported'],
  ],
  'SCN-03': [
    ['test/sbom/attacks.test.ts', 'SCN-03'],
    ['test/sbom/tree.test.ts', 'a hard link shares the content'],
  ],
  'SCN-04': [
    ['test/sbom/tree.test.ts', 'a whiteout does not touch a file of its own layer'],
    ['test/sbom/tree.test.ts', 'an opaque folder hides'],
  ],
  'SCN-05': [['test/sbom/tree.test.ts', 'devices, pipes and setuid programs are passed over']],
  'SCN-06': [
    ['test/sbom/tar.test.ts', 'malformed archives are WB-844'],
    ['test/sbom/limits.test.ts', 'a sparse program is an unknown'],
  ],
  'SCN-07': [
    ['test/sbom/attacks.test.ts', 'SCN-07'],
    ['test/sbom/tar.test.ts', 'a PAX size belongs to the file'],
  ],
  'SCN-08': [
    ['test/sbom/limits.test.ts', 'a layer may have as many entries as the limit'],
    ['test/sbom/tar.test.ts', 'a name may be as long as the limit'],
  ],
  'SCN-09': [
    ['test/sbom/attacks.test.ts', 'SCN-09'],
    ['test/sbom/layer.test.ts', 'a layer that expands beyond the ratio'],
  ],
  'SCN-10': [['test/sbom/layer.test.ts', 'a media type that lies about the compression']],
  'SCN-11': [['test/sbom/attacks.test.ts', 'SCN-11']],
  'SCN-12': [
    ['test/sbom/attacks.test.ts', 'SCN-12'],
    ['test/sbom/cataloguers.test.ts', 'hostile npm names stay data'],
  ],
  'SCN-13': [['test/scan/attacks.test.ts', 'SCN-13']],
  'SCN-14': [
    ['test/sbom/attacks.test.ts', 'SCN-14'],
    ['test/sbom/census.test.ts', 'archives inside each other are read to the limit'],
  ],
  'SCN-15': [
    ['test/sbom/cataloguers.test.ts', 'a distribution without its package database is reported'],
    ['test/scan/match.test.ts', 'a hidden operating system fails every gate'],
  ],
  'SCN-16': [
    ['test/scan/attacks.test.ts', 'SCN-16'],
    ['test/scan/rules.test.ts', 'a release nobody repairs is told'],
  ],
  'SCN-17': [['test/scan/versions.test.ts', 'every version equals itself']],
  'SCN-18': [
    ['test/scan/signed.test.ts', 'update takes a newer database'],
    ['test/scan/database.test.ts', 'what is no database, or half of one'],
    ['test/scan/rules.test.ts', 'an old database is a warning'],
  ],
  'SCN-19': [
    ['test/scan/cli.test.ts', 'an SBOM of another image is refused'],
    ['test/scan/signed.test.ts', 'the attested SBOM is scanned only when'],
  ],
  'SCN-20': [['test/scan/attacks.test.ts', 'SCN-20']],
  'SCN-21': [
    ['test/scan/attacks.test.ts', 'SCN-21'],
    ['test/scan/rules.test.ts', 'the latest statement counts'],
  ],
  'SCN-22': [['test/scan/attacks.test.ts', 'SCN-22']],
  'SCN-23': [['test/sbom/attacks.test.ts', 'SCN-23']],
  'SCN-24': [
    ['test/sbom/attacks.test.ts', 'SCN-24'],
    ['test/sbom/cataloguers.test.ts', 'a Go program without inline build information'],
  ],
};

test('each of the 24 rows is met by a test that is there', () => {
  const rows = Array.from({ length: 24 }, (_, i) => `SCN-${String(i + 1).padStart(2, '0')}`);
  assert.deepEqual(Object.keys(elsewhere), rows);
  for (const [row, tests] of Object.entries(elsewhere)) {
    for (const [file, name] of tests) {
      const text = readFileSync(file, 'utf8');
      assert.ok(text.includes(`test('${name}`) || text.includes(`: ${name}`), `${row}: ${name} in ${file}`);
    }
  }
});
