import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OsvRecord } from '#formats/osv';
import type { Distro, SbomPackage } from '#formats/sbom';
import { cataloguers } from '#sbom';
import { evaluate, judge, loadRecords, memoryDatabase, type ScanResult, type Severity } from '#scan';
import { advisory, found, one, range, record, scan } from './records.ts';

const debian: Distro = { id: 'debian', versionId: '12', idLike: [] };

test('a Debian package is matched by its source package and that version', () => {
  const records = [
    advisory('DEBIAN-CVE-2024-1', 'Debian:12', 'openssl', '3.0.11-1~deb12u2', { aliases: ['CVE-2024-1'] }),
  ];
  const source = { name: 'openssl', version: '3.0.11-1~deb12u1' };
  const result = scan(records, [one('deb', 'libssl3', '3.0.11-1~deb12u2+b1', { source })], {
    distro: debian,
  });
  assert.deepEqual(found(result), ['CVE-2024-1 libssl3']);
  assert.equal(result.findings[0]?.source, 'openssl');
  assert.deepEqual(result.findings[0]?.fixed, ['3.0.11-1~deb12u2']);
  const repaired = one('deb', 'libssl3', '3.0.11-1~deb12u2', {
    source: { name: 'openssl', version: '3.0.11-1~deb12u2' },
  });
  assert.deepEqual(found(scan(records, [repaired], { distro: debian })), []);
});

test('another release of the distribution is another ecosystem, and says that it is not covered', () => {
  const records = [advisory('DEBIAN-CVE-2024-1', 'Debian:12', 'openssl', '9')];
  const trixie = { ...debian, versionId: '13' };
  const result = scan(records, [one('deb', 'openssl', '1')], { distro: trixie });
  assert.deepEqual(found(result), []);
  assert.deepEqual(result.coverage, [{ ecosystem: 'Debian:13', packages: 1, advisories: 0, isSystem: true }]);
  const unknown = scan(records, [one('deb', 'openssl', '1')]);
  assert.deepEqual(unknown.coverage, [
    { ecosystem: '(deb of an unknown distribution)', packages: 1, advisories: 0, isSystem: true },
  ]);
});

test('advisories that share an id are one finding with the worst severity and every other id', () => {
  const records = [
    advisory('GHSA-aaaa-bbbb-cccc', 'npm', 'x', '2.0.0', {
      aliases: ['CVE-2024-2'],
      database_specific: { severity: 'LOW' },
    }),
    advisory('SNYK-1', 'npm', 'x', '2.0.0', {
      aliases: ['CVE-2024-2'],
      database_specific: { severity: 'HIGH' },
    }),
    advisory('GHSA-dddd-eeee-ffff', 'npm', 'x', '3.0.0'),
  ];
  const result = scan(records, [one('npm', 'x', '1.0.0')]);
  assert.deepEqual(
    result.findings.map(({ id, aliases, rating }) => [id, aliases, rating.severity]),
    [
      ['CVE-2024-2', ['GHSA-aaaa-bbbb-cccc', 'SNYK-1'], 'high'],
      ['GHSA-dddd-eeee-ffff', [], 'unknown'],
    ],
  );
});

test('a malicious package is critical whatever its record says', () => {
  const records = [
    record({
      id: 'MAL-2025-1',
      summary: 'thief',
      database_specific: { severity: 'LOW' },
      affected: [{ package: { ecosystem: 'npm', name: 'evil' }, versions: ['1.2.3'] }],
    }),
  ];
  const result = scan(records, [one('npm', 'evil', '1.2.3'), one('npm', 'evil', '1.2.4')]);
  assert.deepEqual(
    result.findings.map((f) => [f.id, f.package.version, f.rating.severity, f.isMalicious]),
    [['MAL-2025-1', '1.2.3', 'critical', true]],
  );
});

test('a language package that the distribution brought is left to it where its data speaks of the problem', () => {
  const records = [
    advisory('GHSA-aaaa-bbbb-cccc', 'npm', 'semver', '9.0.0', { aliases: ['CVE-2024-1'] }),
    advisory('GHSA-dddd-eeee-ffff', 'npm', 'semver', '9.0.0', { aliases: ['CVE-2024-2'] }),
    advisory('GHSA-gggg-hhhh-iiii', 'npm', 'semver', '9.0.0', { aliases: ['CVE-2024-3'] }),
    advisory('MAL-2025-2', 'npm', 'semver', '9.0.0'),
    advisory('DEBIAN-CVE-2024-1', 'Debian:12', 'node-semver', '7.3.5-1', { upstream: ['CVE-2024-1'] }),
    advisory('DSA-2', 'Debian:12', 'node-semver', '7.3.5-2', { related: ['CVE-2024-2'] }),
  ];
  const owner = one('deb', 'node-semver', '7.3.5-1');
  const path = 'usr/share/nodejs/semver/package.json';
  const owned = one('npm', 'semver', '7.3.5', { ownedBy: owner.id, locations: [{ path }] });
  const result = scan(records, [owner, owned], { distro: debian });
  assert.deepEqual(found(result).sort(), ['CVE-2024-3 semver', 'DSA-2 node-semver', 'MAL-2025-2 semver']);
  assert.deepEqual(
    result.suppressed.map(({ finding, reason }) => `${finding.id}: ${reason}`),
    [
      'CVE-2024-1: node-semver of the distribution does not have CVE-2024-1',
      'CVE-2024-2: part of node-semver, of which CVE-2024-2 is reported',
    ],
  );
});

test('a list of files that names an application takes nothing off', () => {
  const records = [
    advisory('GHSA-aaaa-bbbb-cccc', 'npm', 'left', '9.0.0', { aliases: ['CVE-2024-1'] }),
    advisory('DEBIAN-CVE-2024-1', 'Debian:12', 'node-left', '1.0.0-1', { upstream: ['CVE-2024-1'] }),
    advisory('DEBIAN-CVE-2024-9', 'Debian:12', 'bash', '9'),
  ];
  const told = (owner: SbomPackage, ...paths: string[]): string[] => {
    const locations = paths.map((path) => ({ path }));
    const owned = one('npm', 'left', '1.0.0', { ownedBy: owner.id, locations });
    return found(scan(records, [owner, owned], { distro: debian })).filter((text) => text.endsWith('left'));
  };
  const made = one('deb', 'node-left', '1.0.0-1');
  for (const folder of ['app', 'opt/x', 'usr/local/lib', 'srv', 'root', 'usr/share/../../app', 'var/lib/x']) {
    assert.deepEqual(told(made, `${folder}/node_modules/left/package.json`), ['CVE-2024-1 left'], folder);
  }
  assert.deepEqual(told(made, 'usr/share/nodejs/left/package.json'), []);
  assert.deepEqual(told(made, 'usr/share/nodejs/left/package.json', 'app/left/package.json'), [
    'CVE-2024-1 left',
  ]);
  // A package of which the distribution says nothing about this problem, and one whose version cannot be compared.
  const system = 'usr/lib/node_modules/left/package.json';
  assert.deepEqual(told(one('deb', 'bash', '10'), system), ['CVE-2024-1 left']);
  assert.deepEqual(told(one('deb', 'unheard-of', '1.0.0-1'), system), ['CVE-2024-1 left']);
  assert.deepEqual(told(one('deb', 'node-left', 'x:y'), system), ['CVE-2024-1 left']);
});

test('a version that cannot be compared is undetermined, not clean', () => {
  const records = [advisory('GO-2024-1', 'Go', 'example.org/m', '1.5.0')];
  const result = scan(records, [one('golang', 'example.org/m', 'nonsense')]);
  assert.deepEqual(found(result), []);
  assert.equal(result.undetermined.length, 1);
  assert.match(result.undetermined[0]?.reason ?? '', /cannot be compared as Go/);
});

test('names are compared as their ecosystem does', () => {
  const records = [
    advisory('PYSEC-1', 'PyPI', 'Zope.Interface', '9'),
    advisory('FOP-1', 'Packagist', 'Vendor/Name', '9'),
  ];
  const packages = [one('pypi', 'zope-interface', '1'), one('composer', 'vendor/name', '1')];
  assert.deepEqual(found(scan(records, packages)).sort(), ['FOP-1 vendor/name', 'PYSEC-1 zope-interface']);
});

test('OSV ranges: union of ranges, last_affected inclusive, limits, versions given one by one', () => {
  const affected = (version: string, ...events: Record<string, string>[]): string => {
    const parsed = record({
      id: 'X',
      affected: [{ package: { ecosystem: 'npm', name: 'x' }, ranges: range(...events) }],
    });
    return evaluate(version, 'npm', parsed.affected[0]?.ranges ?? [], []).affected;
  };
  const twice = [{ introduced: '2.0.0' }, { fixed: '2.5.0' }, { introduced: '0' }, { fixed: '1.2.0' }];
  assert.deepEqual(
    ['1.1.9', '1.2.0', '1.9.0', '2.0.0', '2.4.9', '2.5.0'].map((v) => affected(v, ...twice)),
    ['yes', 'no', 'no', 'yes', 'yes', 'no'],
  );
  assert.equal(affected('1.0.0', { introduced: '0' }, { last_affected: '1.0.0' }), 'yes');
  assert.equal(affected('1.0.1', { introduced: '0' }, { last_affected: '1.0.0' }), 'no');
  assert.equal(affected('2.0.0', { introduced: '0' }, { limit: '2.0.0' }), 'no');
  assert.equal(affected('nonsense', { introduced: '1.0.0' }), 'undetermined');
  assert.equal(evaluate('1.0', 'Unheard', [], ['1.0']).affected, 'yes');
  const fixes = record({
    id: 'X',
    affected: [{ package: { ecosystem: 'npm', name: 'x' }, ranges: range(...twice) }],
  });
  assert.deepEqual(evaluate('1.0.0', 'npm', fixes.affected[0]?.ranges ?? [], []).fixed, ['1.2.0']);
  assert.deepEqual(evaluate('2.1.0', 'npm', fixes.affected[0]?.ranges ?? [], []).fixed, ['2.5.0']);
});

const gate = (result: ScanResult, failOn: Severity, more: object = {}): string[] =>
  judge(result, { failOn, ...more }).map((why) => why.code);

test('the gate fails at the severity and above, and an unknown severity is neither', () => {
  const rated = (severity: string): OsvRecord[] => [
    advisory('A-1', 'npm', 'x', '2.0.0', { database_specific: { severity } }),
  ];
  const packages = [one('npm', 'x', '1.0.0')];
  assert.deepEqual(gate(scan(rated('HIGH'), packages), 'high'), ['WB-873']);
  assert.deepEqual(gate(scan(rated('CRITICAL'), packages), 'high'), ['WB-873']);
  assert.deepEqual(gate(scan(rated('MODERATE'), packages), 'high'), []);
  assert.deepEqual(gate(scan(rated('MODERATE'), packages), 'medium'), ['WB-873']);
  assert.deepEqual(gate(scan(rated('whatever'), packages), 'low'), []);
});

test('a gate on the sample alone fails unless that is allowed', () => {
  const sample = advisory('A-1', 'npm', 'y', '2.0.0', { database_specific: { source: 'waybill sample' } });
  const packages = [one('npm', 'x', '1.0.0')];
  assert.deepEqual(gate(scan([sample], packages), 'high'), ['WB-874']);
  assert.deepEqual(gate(scan([sample], packages), 'high', { allowSampleDb: true }), []);
  assert.deepEqual(gate(scan([sample, advisory('B-1', 'npm', 'z', '1')], packages), 'high'), []);
});

test('a hidden operating system fails every gate; other gaps only where asked', () => {
  const records = [advisory('B-1', 'npm', 'z', '1.0.0')];
  const hidden = {
    unknowns: [{ path: '', wantedBy: 'distro', reason: 'debian without a package database' }],
  };
  assert.deepEqual(gate(scan(records, [one('npm', 'x', '1.0.0')], hidden), 'critical'), ['WB-875']);
  const broken = { unknowns: [{ path: 'a/package.json', wantedBy: 'npm', reason: 'broken' }] };
  assert.deepEqual(gate(scan(records, [one('npm', 'x', '1.0.0')], broken), 'critical'), []);
  assert.deepEqual(
    gate(scan(records, [one('npm', 'x', '1.0.0')], broken), 'critical', { failOnUnknown: true }),
    ['WB-875'],
  );
  const uncovered = scan(records, [one('cargo', 'x', '1.0.0')]);
  assert.deepEqual(gate(uncovered, 'critical', { failOnUnknown: true }), ['WB-875']);
});

test('a package database of any form that was read in part fails every gate', () => {
  const systems = cataloguers.filter((reader) => reader.isSystem === true).map((reader) => reader.name);
  assert.ok(systems.includes('rpm'));
  for (const wantedBy of ['layer', ...systems]) {
    const unknowns = [{ path: 'var/lib/database', wantedBy, reason: 'broken' }];
    const result = scan([advisory('B-1', 'npm', 'z', '1.0.0')], [one('npm', 'x', '1.0.0')], { unknowns });
    assert.deepEqual(gate(result, 'critical'), ['WB-875'], wantedBy);
  }
});

const sampleFolder = 'demo/advisories';

test('the sample: at least 40 records, each usable and marked as sample, every affected range with a fix or a list', async () => {
  const { records, skipped, withdrawn } = await loadRecords([sampleFolder]);
  const files = readdirSync(sampleFolder).filter((name) => name.endsWith('.json'));
  assert.equal(records.length, files.length);
  assert.ok(records.length >= 40, String(records.length));
  assert.deepEqual([skipped.length, withdrawn], [0, 0]);
  for (const { id, databaseSpecific, affected, summary } of records) {
    assert.equal(databaseSpecific['source'], 'waybill sample', id);
    assert.ok(files.includes(`${id}.json`), id);
    assert.ok(summary.length > 10, id);
    for (const entry of affected) assert.ok(entry.ranges.length + entry.versions.length > 0, id);
  }
  const database = memoryDatabase(records, 0);
  assert.ok(database.info.isSampleOnly);
  database.close();
});

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories');

if (existsSync(shared)) {
  test('the sample agrees with the published records of the same ids', async () => {
    const real = await loadRecords(
      ['golang-vulndb', 'pypa', 'retirejs-npm'].map((name) => join(shared, `${name}.jsonl.zst`)),
    );
    const sample = await loadRecords([sampleFolder]);
    const byId = new Map<string, OsvRecord[]>();
    for (const other of real.records) {
      for (const id of [other.id, ...other.aliases]) byId.set(id, [...(byId.get(id) ?? []), other]);
    }
    let compared = 0;
    for (const mine of sample.records) {
      for (const entry of mine.affected) {
        const others = (byId.get(mine.id) ?? []).flatMap((other) =>
          other.affected.filter(
            (a) => a.ecosystem === entry.ecosystem && a.name.toLowerCase() === entry.name.toLowerCase(),
          ),
        );
        if (others.length === 0) continue;
        compared++;
        const fixes = (list: typeof others): string[] =>
          list
            .flatMap((a) => a.ranges.filter((r) => r.type !== 'GIT').flatMap((r) => r.events))
            .flatMap((e) => ('fixed' in e ? [e.fixed] : []))
            .sort();
        const wanted = new Set(fixes(others));
        for (const fix of fixes([entry]))
          assert.ok(wanted.has(fix), `${mine.id} ${entry.name}: ${fix} of ${[...wanted]}`);
      }
    }
    assert.ok(compared >= 18, String(compared));
  });
} else {
  console.log(`advisory data did not run: ${shared} is absent`);
}
