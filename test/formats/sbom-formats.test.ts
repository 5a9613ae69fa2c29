/** Every format written is read back and says the same; documents compared, merged, scored. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { cycloneDxBytes, cycloneDxVersions } from '#formats/cyclonedx';
import type { Sbom, SbomPackage } from '#formats/sbom';
import { diffSboms, isSame } from '#formats/sbom-diff';
import { mergeSboms } from '#formats/sbom-merge';
import { sbomQuality } from '#formats/sbom-quality';
import { parseSbom } from '#formats/sbom-read';
import { syftBytes } from '#formats/sbom-syft';
import { spdxBytes } from '#formats/spdx';
import { spdx3Bytes } from '#formats/spdx3';
import { sampleSbom } from '../vectors/sboms.ts';

const createdMs = Date.UTC(2026, 10, 21);
const writers: Readonly<Record<string, (sbom: Sbom) => Uint8Array>> = {
  ...Object.fromEntries(
    cycloneDxVersions.map((version) => [
      `CycloneDX ${version}`,
      (sbom: Sbom) => cycloneDxBytes(sbom, { createdMs, version }),
    ]),
  ),
  'SPDX 2.3': (sbom) => spdxBytes(sbom, { createdMs }),
  'SPDX 3.0': (sbom) => spdx3Bytes(sbom, { createdMs }),
  'Syft JSON': (sbom) => syftBytes(sbom),
};

const names = (list: readonly SbomPackage[]): string[] =>
  list.map((one) => `${one.type} ${one.name} ${one.version}`);

for (const [format, write] of Object.entries(writers)) {
  test(`${format}: what was written is read back`, () => {
    const read = unwrap(parseSbom(write(sampleSbom)));
    const wanted = sampleSbom.packages;
    // A package without a purl has only its name in SPDX: its type is not told.
    const isTold = (one: SbomPackage): boolean => one.purl !== undefined;
    assert.deepEqual(names(read.packages.filter(isTold)), names(wanted.filter(isTold)).sort());
    assert.equal(read.packages.length, wanted.length);
    assert.equal(read.subject.digest, sampleSbom.subject.digest);
    assert.deepEqual([read.distro?.id, read.distro?.versionId], ['debian', '12']);
    const app = read.packages.find((one) => one.name === '@scope/app');
    const openssl = read.packages.find((one) => one.name === 'openssl');
    assert.deepEqual(app?.dependsOn, [openssl?.id]);
    assert.deepEqual(openssl?.source, { name: 'ossl', version: '3.0.11' });
    assert.equal(openssl?.architecture, 'amd64');
    assert.equal(read.packages.find((one) => one.name === 'node')?.cpes?.length, 2);
    assert.equal(read.tool.name, 'waybill');
  });

  test(`${format}: what could not be read is still said`, () => {
    const gaps = [
      { path: '', wantedBy: 'distro', reason: 'no os-release' },
      { path: 'a/package.json', wantedBy: 'npm-lock', reason: 'broken: "JSON"\nand more' },
      { path: 'a/package.json', wantedBy: 'npm', reason: 'twice' },
    ];
    const said = (unknowns: Sbom['unknowns']): Sbom['unknowns'] =>
      unwrap(parseSbom(write({ ...sampleSbom, unknowns }))).unknowns;
    assert.deepEqual(said(gaps), gaps);
    assert.deepEqual(said([]), []);
  });

  test(`${format}: equal input gives equal bytes`, () =>
    assert.deepEqual(write(sampleSbom), write(sampleSbom)));
}

test('a difference names what is more, less and other, and types only one side has', () => {
  const [first, second] = sampleSbom.packages as [SbomPackage, SbomPackage];
  const from: Sbom = { ...sampleSbom, packages: [first, second] };
  const to: Sbom = {
    ...sampleSbom,
    packages: [
      { ...first, version: '4' },
      { ...first, type: 'rpm', name: 'new', version: '1' },
    ],
  };
  const diff = diffSboms(from, to);
  assert.deepEqual(names(diff.added), ['rpm new 1']);
  assert.deepEqual(names(diff.removed), ['deb nowhere 1']);
  assert.deepEqual(diff.changed, [{ type: 'deb', name: 'openssl', from: [first.version], to: ['4'] }]);
  assert.deepEqual(diff.oneSided, ['rpm']);
  assert.equal(isSame(diff), false);
  assert.equal(isSame(diffSboms(from, from)), true);
});

test('merging joins equal packages, keeps edges, and does not change a document merged with itself', () => {
  const options = { subject: sampleSbom.subject, tool: sampleSbom.tool };
  const merged = mergeSboms([sampleSbom, sampleSbom], options);
  assert.deepEqual(names(merged.packages), names(sampleSbom.packages).sort());
  const app = merged.packages.find((one) => one.name === '@scope/app');
  const openssl = merged.packages.find((one) => one.name === 'openssl');
  assert.deepEqual([app?.dependsOn, app?.ownedBy], [[openssl?.id], openssl?.id]);
  assert.deepEqual(mergeSboms([merged], options).packages, merged.packages);
});

test('the score counts elements of packages and of the document', () => {
  const own = unwrap(parseSbom(cycloneDxBytes(sampleSbom, { createdMs })));
  const { score, elements } = sbomQuality(own);
  const of = (name: string): string => {
    const one = elements.find((element) => element.name === name);
    return `${one?.have} of ${one?.total}`;
  };
  assert.equal(of('supplier'), '1 of 5');
  assert.equal(of('component hash'), '2 of 5');
  assert.equal(of('generation context'), '1 of 1');
  assert.ok(score > 5 && score < 9, String(score));
  assert.equal(
    sbomQuality({ ...sampleSbom, packages: [] }).elements.find((one) => one.name === 'timestamp')?.have,
    0,
  );
});

const readAll = (json: object): Sbom => unwrap(parseSbom(new TextEncoder().encode(JSON.stringify(json))));
const graph = [{ type: 'CreationInfo', specVersion: '3.0.1' }];

/** Documents of each format around a list of packages. */
const around: readonly (readonly [string, (list: unknown) => object])[] = [
  ['CycloneDX', (components) => ({ bomFormat: 'CycloneDX', specVersion: '1.6', components })],
  ['SPDX 2.3', (packages) => ({ spdxVersion: 'SPDX-2.3', packages })],
  ['Syft', (artifacts) => ({ descriptor: {}, artifacts })],
  ['SPDX 3.0', (list) => ({ '@graph': Array.isArray(list) ? [...graph, ...list] : list })],
];

for (const [format, document] of around) {
  test(`${format}: a list of packages that is none is refused, a package without a version is named`, () => {
    for (const list of [['text'], [null], [[]]]) {
      assert.throws(() => readAll(document(list)), /WB-192[\s\S]*a list of objects/);
    }
    if (format !== 'SPDX 3.0' && format !== 'Syft') {
      for (const list of ['text', {}, 5, true]) assert.throws(() => readAll(document(list)), /WB-192/);
    }
    const nameless = { type: 'software_Package', name: 'left' };
    const { packages, unknowns } = readAll(document([nameless, { type: 'software_Package', name: 5 }]));
    assert.deepEqual(packages, []);
    assert.equal(unknowns.length, 2);
    assert.match(unknowns[0]?.reason ?? '', /"left" without a name and a version/);
  });
}

test('SPDX: what stands for the holder of packages needs no version', () => {
  const holder = { name: 'package-lock.json', primaryPackagePurpose: 'APPLICATION' };
  assert.deepEqual(readAll({ spdxVersion: 'SPDX-2.3', packages: [holder] }).unknowns, []);
});
