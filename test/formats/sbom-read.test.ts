/** Documents of others as they are really written: nothing they list is lost, nothing they leave open is guessed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import { cycloneDxBytes } from '#formats/cyclonedx';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { spdxBytes } from '#formats/spdx';
import { spdx3Bytes } from '#formats/spdx3';
import { sampleSbom } from '../vectors/sboms.ts';

const read = (json: object): Sbom => unwrap(parseSbom(utf8(JSON.stringify(json))));
const cycloneDx = (components: readonly object[], rest: object = {}): Sbom =>
  read({ bomFormat: 'CycloneDX', specVersion: '1.6', components, ...rest });
const spdx = (packages: readonly object[], rest: object = {}): Sbom =>
  read({ spdxVersion: 'SPDX-2.3', name: 'document', packages, ...rest });
const withPurl = (
  SPDXID: string,
  name: string,
  versionInfo: string,
  purl: string,
  rest: object = {},
): object => ({
  SPDXID,
  name,
  versionInfo,
  externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  ...rest,
});
const named = ({ packages }: Sbom): string[] =>
  packages.map((one) => `${one.type} ${one.name} ${one.version}`);
const reasons = ({ unknowns }: Sbom): string[] => unknowns.map((one) => one.reason);

test('the epoch of a Debian package is kept where Trivy writes it, and so are the parts of its source version', () => {
  const purl = 'pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u3?arch=amd64&distro=debian-12.15&epoch=1';
  const properties = [
    { name: 'aquasecurity:trivy:SrcName', value: 'util-linux' },
    { name: 'aquasecurity:trivy:SrcRelease', value: '5+deb12u3' },
    { name: 'aquasecurity:trivy:SrcVersion', value: '2.38.1' },
  ];
  const version = '1:2.38.1-5+deb12u3';
  const sbom = cycloneDx([{ type: 'library', name: 'bsdutils', version, purl, properties }]);
  assert.deepEqual(named(sbom), [`deb bsdutils ${version}`]);
  assert.deepEqual(sbom.packages[0]?.source, { name: 'util-linux', version: '2.38.1-5+deb12u3' });
  assert.deepEqual(sbom.unknowns, []);
  const shadow = [
    { name: 'aquasecurity:trivy:SrcName', value: 'shadow' },
    { name: 'aquasecurity:trivy:SrcEpoch', value: '1' },
    { name: 'aquasecurity:trivy:SrcVersion', value: '4.13+dfsg1' },
    { name: 'aquasecurity:trivy:SrcRelease', value: '1' },
  ];
  const login = cycloneDx([{ type: 'library', name: 'login', version: '1', properties: shadow }]);
  assert.deepEqual(login.packages[0]?.source, { name: 'shadow', version: '1:4.13+dfsg1-1' });
});

test('an epoch that only one of version and package URL states is no disagreement', () => {
  const of = (version: string, purl: string): string[] => {
    const sbom = cycloneDx([{ type: 'library', name: 'x', version, purl }]);
    assert.deepEqual(sbom.unknowns, [], purl);
    return named(sbom);
  };
  assert.deepEqual(of('2:1.0-1', 'pkg:deb/debian/x@1.0-1'), ['deb x 2:1.0-1']);
  assert.deepEqual(of('0:1.0-1', 'pkg:rpm/fedora/x@1.0-1'), ['rpm x 1.0-1']);
  assert.deepEqual(of('1.0-1', 'pkg:rpm/fedora/x@1.0-1?epoch=3'), ['rpm x 3:1.0-1']);
  assert.deepEqual(of('v1.2.3', 'pkg:golang/x@1.2.3'), ['golang x 1.2.3']);
  assert.deepEqual(of('go1.26.1', 'pkg:golang/stdlib@1.26.1'), ['golang stdlib 1.26.1']);
});

test('a version that its package URL contradicts is told, and both are taken', () => {
  const purl = 'pkg:npm/left@2.0.0';
  const sbom = cycloneDx([{ type: 'library', 'bom-ref': 'a', name: 'left', version: '1.0.0', purl }]);
  assert.deepEqual(named(sbom), ['npm left 1.0.0', 'npm left 2.0.0']);
  assert.match(reasons(sbom).join(), /"left" has version 1\.0\.0, by its package URL 2\.0\.0/);
  // A statement about the one must not hold for the other.
  assert.deepEqual(
    sbom.packages.map((one) => one.purl),
    [undefined, purl],
  );
  assert.deepEqual(named(spdx([withPurl('a', 'left', '1.0.0', purl)])), named(sbom));
});

test('Go modules have the path beside a package URL in lower case, and what stands behind its #', () => {
  const of = (name: string, purl: string): string =>
    named(cycloneDx([{ type: 'library', name, version: 'v2.2.10', purl }])).join();
  const lower = 'pkg:golang/github.com/masterminds/goutils@v2.2.10';
  assert.equal(of('github.com/Masterminds/goutils', lower), 'golang github.com/Masterminds/goutils v2.2.10');
  assert.equal(of('goutils', lower), 'golang github.com/masterminds/goutils v2.2.10');
  const behind = 'pkg:golang/github.com/klauspost/cpuid@v2.2.10#v2';
  assert.equal(of('github.com/klauspost/cpuid/v2', behind), 'golang github.com/klauspost/cpuid/v2 v2.2.10');
  assert.equal(of('cpuid', behind), 'golang github.com/klauspost/cpuid/v2 v2.2.10');
  const inside = 'pkg:golang/google.golang.org/genproto@v2.2.10#googleapis/api';
  assert.equal(of('genproto', inside), 'golang google.golang.org/genproto v2.2.10');
});

test('a package without a version is a package without a version, and told', () => {
  const purl = 'pkg:npm/left';
  for (const sbom of [
    cycloneDx([{ type: 'library', name: 'left', purl }]),
    spdx([{ ...withPurl('a', 'left', '', purl), versionInfo: undefined }]),
    read({ descriptor: { name: 'syft' }, artifacts: [{ id: 'a', name: 'left', type: 'npm' }] }),
  ]) {
    assert.deepEqual(named(sbom), ['npm left ']);
    assert.deepEqual(reasons(sbom), ['"left" without a version']);
  }
});

test('a package URL that cannot be read is told', () => {
  const sbom = cycloneDx([{ type: 'library', name: 'left', version: '1', purl: 'pkg:npm' }]);
  assert.deepEqual(named(sbom), ['generic left 1']);
  assert.match(reasons(sbom).join(), /"left" with a package URL that cannot be read: "pkg:npm"/);
});

test('CycloneDX: files, systems and the subject are packages where something names the package', () => {
  const sbom = cycloneDx(
    [
      { type: 'file', name: 'lib.jar', version: '1.0', purl: 'pkg:maven/org.example/lib@1.0' },
      { type: 'file', name: '/usr/bin/x', hashes: [] },
      {
        type: 'file',
        name: 'openssl',
        version: '1.1.1',
        cpe: 'cpe:2.3:a:openssl:openssl:1.1.1:*:*:*:*:*:*:*',
      },
      { type: 'operating-system', name: 'debian', version: '12' },
      { type: 'operating-system', name: 'rtos', version: '3', purl: 'pkg:github/vendor/rtos@3' },
      {
        type: 'application',
        name: 'package-lock.json',
        properties: [{ name: 'aquasecurity:trivy:Class', value: 'lang-pkgs' }],
      },
    ],
    {
      metadata: {
        component: {
          type: 'application',
          name: 'app',
          version: '1.2.3',
          purl: 'pkg:npm/app@1.2.3',
          components: [{ type: 'library', name: 'workspace', version: '4', purl: 'pkg:npm/workspace@4' }],
        },
      },
    },
  );
  assert.deepEqual(named(sbom), [
    'generic openssl 1.1.1',
    'github vendor/rtos 3',
    'maven org.example:lib 1.0',
    'npm app 1.2.3',
    'npm workspace 4',
  ]);
  assert.equal(sbom.distro?.id, 'debian');
  assert.deepEqual(sbom.unknowns, []);
  const root = { type: 'library', name: 'app', version: '1', purl: 'pkg:npm/app@1' };
  assert.equal(cycloneDx([root], { metadata: { component: root } }).packages.length, 1);
});

test('SPDX: what a document describes is not lost, be it one package or all of them', () => {
  const app = withPurl('SPDXRef-a', 'app', '1', 'pkg:npm/app@1');
  const lib = withPurl('SPDXRef-b', 'lib', '2', 'pkg:npm/lib@2');
  const image = withPurl('SPDXRef-i', 'image', 'sha256:00', 'pkg:oci/image@sha256%3A00');
  assert.deepEqual(named(spdx([app, lib], { documentDescribes: ['SPDXRef-a'] })), ['npm app 1', 'npm lib 2']);
  const all = spdx([app, lib], { documentDescribes: ['SPDXRef-a', 'SPDXRef-b'] });
  assert.deepEqual(named(all), ['npm app 1', 'npm lib 2']);
  assert.equal(all.subject.name, 'document');
  assert.deepEqual(named(spdx([image, lib], { documentDescribes: ['SPDXRef-i'] })), ['npm lib 2']);
});

test('a list that its own document calls incomplete is an unknown, in every form and when it is written again', () => {
  const of = (...compositions: object[]): Sbom => cycloneDx([], { compositions });
  const whole = 'the document says that its list is incomplete';
  assert.deepEqual(reasons(of({ aggregate: 'incomplete' })), [whole]);
  assert.deepEqual(
    reasons(
      of(
        { aggregate: 'incomplete_third_party_only', assemblies: ['app'] },
        { aggregate: 'unknown', dependencies: ['a', 'b', 'c', 'd'] },
      ),
    ),
    [
      'the document says that its list of "app" is incomplete_third_party_only',
      'the document says that its list of "a, b, c" and 1 more is unknown',
    ],
  );
  const silent = [{ aggregate: 'complete', assemblies: ['app'] }, { aggregate: 'not_specified' }];
  assert.deepEqual(reasons(of(...silent, { aggregate: 'incomplete', vulnerabilities: ['v'] })), []);
  const written = cycloneDxBytes(of({ aggregate: 'incomplete' }), { createdMs: 0 });
  assert.deepEqual(reasons(unwrap(parseSbom(written))), [whole]);

  const needs = { spdxElementId: 'SPDXRef-a', relationshipType: 'DEPENDS_ON' };
  const open = { ...needs, relatedSpdxElement: 'NOASSERTION' };
  assert.match(reasons(spdx([], { relationships: [open] })).join(), /of "SPDXRef-a" is unknown/);
  const none = { ...needs, relatedSpdxElement: 'NONE' };
  assert.deepEqual(reasons(spdx([], { relationships: [none] })), []);
  const graph = (completeness: string): Sbom =>
    read({
      '@graph': [
        { type: 'CreationInfo', specVersion: '3.0.1' },
        { type: 'Relationship', from: 'urn:a', to: [], relationshipType: 'contains', completeness },
      ],
    });
  assert.match(reasons(graph('incomplete')).join(), /of "urn:a" is incomplete/);
  assert.deepEqual(reasons(graph('complete')), []);
});

test('SPDX: the owner of a package is read as Syft writes it', () => {
  const sbom = spdx(
    [
      withPurl('SPDXRef-deb', 'python3-six', '1.16.0-4', 'pkg:deb/debian/python3-six@1.16.0-4'),
      withPurl('SPDXRef-py', 'six', '1.16.0', 'pkg:pypi/six@1.16.0'),
    ],
    {
      relationships: [
        {
          spdxElementId: 'SPDXRef-deb',
          relatedSpdxElement: 'SPDXRef-py',
          relationshipType: 'OTHER',
          comment:
            'ownership-by-file-overlap: indicates that the parent package claims ownership of a child package since the parent metadata indicates overlap with a location that a cataloger found the child package by',
        },
        {
          spdxElementId: 'SPDXRef-py',
          relatedSpdxElement: 'SPDXRef-deb',
          relationshipType: 'OTHER',
          comment: "evident-by: indicates the package's existence is evident by the given file",
        },
      ],
    },
  );
  const [deb, python] = sbom.packages;
  assert.equal(python?.ownedBy, deb?.id);
  assert.equal(deb?.ownedBy, undefined);
});

test('SPDX of either version keeps what a scan needs as well as CycloneDX does', () => {
  const extra = (
    type: string,
    name: string,
    version: string,
    rest: Partial<SbomPackage> = {},
  ): SbomPackage => {
    const id = packageId(type, name, version, rest.purl, 'test');
    return { id, type, name, version, foundBy: 'test', locations: [], licenses: [], dependsOn: [], ...rest };
  };
  const sbom: Sbom = {
    ...sampleSbom,
    distro: { id: 'arch', idLike: ['archlinux'], prettyName: 'Arch' },
    packages: [
      ...sampleSbom.packages,
      extra('golang', 'example.org/Main', ''),
      extra('deb', 'libx', '1', { architecture: 'arm64', source: { name: 'x', version: '2' } }),
    ],
  };
  const needed = (bytes: Uint8Array): unknown => {
    const { subject, distro, packages, unknowns } = unwrap(parseSbom(bytes));
    const { name, digest, tag, os, architecture } = subject;
    const facts = packages.map((one) => ({
      id: one.id,
      type: one.type,
      name: one.name,
      version: one.version,
      purl: one.purl,
      architecture: one.architecture,
      source: one.source,
      ownedBy: one.ownedBy,
      dependsOn: one.dependsOn,
      cpes: one.cpes,
      paths: one.locations.map(({ path }) => path),
    }));
    return { name, digest, tag, os, architecture, distro, unknowns, facts };
  };
  const wanted = needed(cycloneDxBytes(sbom, { createdMs: 0 }));
  assert.deepEqual(needed(spdxBytes(sbom, { createdMs: 0 })), wanted);
  assert.deepEqual(needed(spdx3Bytes(sbom, { createdMs: 0 })), wanted);
});
