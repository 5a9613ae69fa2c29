/** `explain` says what `scan` decided: for every id and every package of worlds made at random. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unwrap } from '#base/result';
import { scanSbom } from '#flows/scan-image';
import { parseOsv } from '#formats/osv';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { type VexStatement, vexStatuses } from '#formats/vex';
import {
  type AdvisoryDatabase,
  explainScan,
  ignoreFiles,
  memoryDatabase,
  type RefineOptions,
  type ScanResult,
} from '#scan';

const NOW = Date.UTC(2026, 10, 21);
const { parseIgnoreFile } = await ignoreFiles();

const names = ['left', 'right', 'six'] as const;
const versions = ['1.0.0', '1.5.0', '2.0.0', 'latest'] as const;
const cves = ['CVE-2026-1', 'CVE-2026-2', 'CVE-2026-3'] as const;

const recordOf = fc.record({
  cves: fc.subarray([...cves], { minLength: 1, maxLength: 2 }),
  isUpstream: fc.boolean(),
  ecosystem: fc.constantFrom('npm', 'PyPI', 'Debian:12', 'Alpine:v3.20'),
  name: fc.constantFrom(...names),
  introduced: fc.constantFrom('0', '1.2.0'),
  fixed: fc.option(fc.constantFrom('1.5.0', '3.0.0'), { nil: undefined }),
  severity: fc.constantFrom('LOW', 'HIGH', undefined),
});

const packageOf = fc.record({
  type: fc.constantFrom('npm', 'pypi', 'deb', 'apk'),
  name: fc.constantFrom(...names),
  version: fc.constantFrom(...versions),
  /** Where among the packages its owner may be. */
  owner: fc.option(fc.nat(7), { nil: undefined }),
});

const worldOf = fc.record({
  records: fc.array(recordOf, { minLength: 1, maxLength: 8 }),
  packages: fc.array(packageOf, { minLength: 1, maxLength: 8 }),
  distro: fc.constantFrom('debian', 'alpine', undefined),
  vex: fc.array(
    fc.record({
      id: fc.constantFrom(...cves, 'TEST-0'),
      status: fc.constantFrom(...vexStatuses),
      name: fc.constantFrom(...names),
    }),
    { maxLength: 3 },
  ),
  ignored: fc.array(fc.constantFrom(...cves), { maxLength: 2 }),
  kind: fc.constantFrom('os' as const, 'library' as const, undefined),
  onlyFixed: fc.boolean(),
  severities: fc.constantFrom(['high' as const], undefined),
});
type World = typeof worldOf extends fc.Arbitrary<infer T> ? T : never;

function databaseOf({ records }: World): AdvisoryDatabase {
  const parsed = records.map(({ cves: ids, isUpstream, ecosystem, name, introduced, fixed, severity }, i) =>
    unwrap(
      parseOsv({
        id: `TEST-${i}`,
        modified: '2026-11-01T00:00:00Z',
        ...(isUpstream ? { related: ids } : { aliases: ids }),
        affected: [
          {
            package: { ecosystem, name },
            ranges: [
              { type: 'ECOSYSTEM', events: [{ introduced }, ...(fixed === undefined ? [] : [{ fixed }])] },
            ],
          },
        ],
        ...(severity === undefined ? {} : { database_specific: { severity } }),
      }),
    ),
  );
  return memoryDatabase(parsed, NOW);
}

function sbomOf({ packages, distro }: World): Sbom {
  const ids = packages.map(({ type, name, version }) => packageId(type, name, version, undefined, 't'));
  const list = packages.map(({ type, name, version, owner }, i): SbomPackage => {
    const isSystem = type === 'deb' || type === 'apk';
    const by = owner === undefined || isSystem ? undefined : packages[owner];
    const isOwned = owner !== undefined && (by?.type === 'deb' || by?.type === 'apk');
    return {
      id: ids[i] as string,
      type,
      name,
      version,
      ...(isSystem ? {} : { purl: `pkg:${type}/${name}@${version}` }),
      foundBy: 't',
      locations: [],
      licenses: [],
      dependsOn: [],
      ...(isOwned ? { ownedBy: ids[owner] as string } : {}),
    };
  });
  return {
    subject: { name: 'app' },
    packages: list,
    layers: [],
    unknowns: [],
    tool: { name: 'waybill', version: '0' },
    ...(distro === undefined
      ? {}
      : { distro: { id: distro, versionId: distro === 'debian' ? '12' : '3.20', idLike: [] } }),
  };
}

function refineOf({ vex, ignored, kind, onlyFixed, severities }: World): RefineOptions {
  const statements = vex.map(
    ({ id, status, name }): VexStatement => ({
      ids: [id],
      status,
      products: [{ ids: ['npm', 'pypi'].map((type) => `pkg:${type}/${name}`), parts: [] }],
    }),
  );
  const rules = ignored.map((id) => ({ id, reason: 'r', owner: 'o', expires: '2026-12-31' }));
  return {
    nowMs: NOW,
    vex: [{ file: 'v.json', document: { form: 'openvex', id: 'x', author: 'a', statements } }],
    rules: parseIgnoreFile('rules.yaml', JSON.stringify({ ignore: rules })),
    ...(onlyFixed ? { states: ['fixed' as const] } : {}),
    ...(kind === undefined ? {} : { kind }),
    ...(severities === undefined ? {} : { severities }),
  };
}

/** What the scan says of one package and one id, from its lists alone. */
function verdictIn({ findings, suppressed, undetermined }: ScanResult, one: SbomPackage, id: string): string {
  const isAbout = (finding: ScanResult['findings'][number]): boolean =>
    finding.package === one &&
    [finding.id, ...finding.aliases, ...finding.related, ...finding.advisories].includes(id);
  if (findings.some(isAbout)) return 'affected';
  if (suppressed.some(({ finding }) => isAbout(finding))) return 'suppressed';
  return undetermined.some((other) => other.package === one && other.id === id)
    ? 'undetermined'
    : 'not-affected';
}

test('for every id and every package explain gives the verdict of the scan', () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(worldOf, (world) => {
      const database = databaseOf(world);
      const scanned = scanSbom(sbomOf(world), database, { refine: refineOf(world) });
      const ids = world.records.map((_, i) => `TEST-${i}`);
      for (const id of [...ids, ...cves]) {
        const made = explainScan(scanned, database, id);
        // An id that is not an advisory's own: what could not be compared for any of the advisories it is told in.
        const advisories = [id, ...database.explain(id).map(({ advisory }) => advisory.id)];
        for (const one of scanned.sbom.packages) {
          const told = advisories.map((other) => verdictIn(scanned.result, one, other));
          const own = verdictIn(scanned.result, one, id);
          const expected = own === 'not-affected' && told.includes('undetermined') ? 'undetermined' : own;
          const verdict = made.find((other) => other.package === one)?.verdict ?? 'not-affected';
          assert.equal(verdict, expected, `${id} ${one.type} ${one.name} ${one.version}`);
          met.add(verdict);
        }
        for (const { verdict, comparisons } of made) {
          // Nothing is told to be affected of which no advisory is known to speak.
          if (verdict === 'affected') assert.ok(comparisons.some(({ affected }) => affected === 'yes'));
        }
      }
      database.close();
    }),
    { seed: 7, numRuns: 400 },
  );
  assert.deepEqual([...met].sort(), ['affected', 'not-affected', 'suppressed', 'undetermined']);
});

test('every way to take a finding off the list is told with who took it off', () => {
  const met = new Map<string, number>();
  for (const world of fc.sample(worldOf, { seed: 11, numRuns: 400 })) {
    const database = databaseOf(world);
    const scanned = scanSbom(sbomOf(world), database, { refine: refineOf(world) });
    for (const { finding, by, reason } of scanned.result.suppressed) {
      const made = explainScan(scanned, database, finding.id).find((one) => one.package === finding.package);
      assert.ok(made?.suppressed.some((one) => one.by === by && one.reason === reason));
      met.set(by, (met.get(by) ?? 0) + 1);
    }
    database.close();
  }
  const expected = ['distribution', 'fix-state', 'ignore-rule', 'package-kind', 'severity', 'vex'];
  assert.deepEqual([...met.keys()].sort(), expected);
});
