import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { digestOf } from '#base/digest';
import { cycloneDxBytes, cycloneDxVersions } from '#formats/cyclonedx';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { spdxBytes } from '#formats/spdx';

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors');

function package_(type: string, name: string, version: string, rest: Partial<SbomPackage>): SbomPackage {
  const id = packageId(type, name, version, rest.purl, rest.foundBy ?? 'test');
  return { id, type, name, version, foundBy: 'test', locations: [], licenses: [], dependsOn: [], ...rest };
}

const layer = digestOf(new Uint8Array([1]));
const openssl = package_('deb', 'openssl', '3.0.11-1~deb12u2', {
  purl: 'pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12',
  foundBy: 'dpkg',
  locations: [{ path: 'var/lib/dpkg/status', layer }],
  licenses: ['Apache-2.0', 'GPL-1+', 'MIT OR Apache-2.0'],
  supplier: 'Debian OpenSSL Team',
  homepage: 'https://www.openssl.org/',
  architecture: 'amd64',
  source: { name: 'openssl', version: '3.0.11-1~deb12u2' },
});
const app = package_('npm', '@scope/app', '1.0.0', {
  purl: 'pkg:npm/%40scope/app@1.0.0',
  foundBy: 'npm',
  locations: [{ path: 'app/package.json', layer }, { path: 'app/copy/package.json' }],
  licenses: ['MIT OR Apache-2.0'],
  description: '<b>"quoted"</b> \u001b[31m\n',
  homepage: 'not a url at all',
  dependsOn: [openssl.id],
  ownedBy: openssl.id,
});
const node = package_('generic', 'node', '20.11.1', {
  purl: 'pkg:generic/node@20.11.1',
  foundBy: 'binary',
  licenses: ['MVT-1.1'],
  cpes: ['cpe:2.3:a:nodejs:node.js:20.11.1:*:*:*:*:*:*:*', 'cpe:2.3:a:other:x:1:*:*:*:*:*:*:*'],
});
const bare = package_('deb', 'nowhere', '1', {});

const sbom: Sbom = {
  subject: {
    name: 'registry.example/team/app',
    digest: digestOf(new Uint8Array([2])),
    tag: '1.0',
    os: 'linux',
    architecture: 'amd64',
  },
  distro: { id: 'debian', versionId: '12', idLike: ['x'], prettyName: 'Debian GNU/Linux 12 (bookworm)' },
  packages: [openssl, bare, node, app],
  layers: [
    { digest: layer, diffId: layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', size: 7 },
  ],
  unknowns: [{ path: 'a/package.json', wantedBy: 'npm', reason: 'broken "JSON"' }],
  tool: { name: 'waybill', version: '0.1.0' },
};
const createdMs = Date.UTC(2026, 10, 21, 12, 0, 0);
const write = (): Uint8Array => cycloneDxBytes(sbom, { createdMs });

function validator(version: string): ValidateFunction {
  const load = (name: string): object =>
    JSON.parse(readFileSync(join(shared, 'cyclonedx/schema', name), 'utf8')) as object;
  const ajv = new Ajv({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addFormat('iri-reference', true);
  ajv.addFormat('idn-email', true);
  for (const name of ['spdx.schema.json', 'jsf-0.82.schema.json', 'cryptography-defs.schema.json']) {
    ajv.addSchema(load(name));
  }
  return ajv.compile(load(`bom-${version}.schema.json`));
}

if (existsSync(shared)) {
  for (const version of cycloneDxVersions) {
    test(`the output is valid CycloneDX ${version} by the official schema, with a gap and without`, () => {
      const validate = validator(version);
      for (const unknowns of [sbom.unknowns, []]) {
        const written = cycloneDxBytes({ ...sbom, unknowns }, { createdMs, version });
        assert.ok(validate(JSON.parse(Buffer.from(written).toString())), JSON.stringify(validate.errors));
      }
    });
  }

  for (const version of ['1.6', '1.7']) {
    test(`the validator of this test tells the specification's valid ${version} files from the invalid ones`, () => {
      const validate = validator(version);
      for (const kind of ['valid', 'invalid']) {
        const folder = join(shared, 'cyclonedx', version, kind);
        for (const name of readdirSync(folder)) {
          const json = JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
          assert.equal(validate(json), kind === 'valid', `${kind}/${name}`);
        }
      }
    });

    test(`every valid ${version} file of the specification is read or refused with a reason, never a crash`, () => {
      const folder = join(shared, 'cyclonedx', version, 'valid');
      for (const name of readdirSync(folder)) {
        const read = parseSbom(new Uint8Array(readFileSync(join(folder, name))));
        assert.ok(read.ok || /^WB-\d+$/.test(read.error.code), name);
      }
    });
  }

  test('the SPDX output is valid by the official 2.3 schema', () => {
    const ajv = new Ajv2019({ strict: false });
    addFormats.default(ajv);
    const schema = JSON.parse(
      readFileSync(join(shared, 'spdx/schema/spdx-2.3.schema.json'), 'utf8'),
    ) as object;
    const validate = ajv.compile(schema);
    assert.ok(
      validate(JSON.parse(Buffer.from(spdxBytes(sbom, { createdMs })).toString())),
      JSON.stringify(validate.errors),
    );
  });
} else {
  console.log(`CycloneDX schema suite did not run: ${shared} is absent`);
}

test('equal input gives equal bytes; another package gives another serial number', () => {
  assert.deepEqual(write(), write());
  const serial = (bytes: Uint8Array): unknown =>
    (JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)['serialNumber'];
  const other = cycloneDxBytes({ ...sbom, packages: [openssl] }, { createdMs });
  assert.match(
    String(serial(write())),
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.notEqual(serial(write()), serial(other));
});

test('the component of the image names its digest, so that an attester can compare it', () => {
  const json = JSON.parse(Buffer.from(write()).toString()) as {
    metadata: { component: Record<string, unknown>; timestamp: string };
  };
  assert.equal(json.metadata.timestamp, '2026-11-21T12:00:00Z');
  assert.equal(json.metadata.component['version'], sbom.subject.digest);
  assert.deepEqual(json.metadata.component['hashes'], [
    { alg: 'SHA-256', content: sbom.subject.digest?.slice(7) },
  ]);
});

test('what was written is read back: subject, distribution, layers, unknowns, what matching needs', () => {
  const read = parseSbom(write());
  assert.ok(read.ok);
  const { value } = read;
  assert.deepEqual(value.subject, sbom.subject);
  assert.deepEqual(value.distro, sbom.distro);
  assert.deepEqual(value.layers, sbom.layers);
  assert.deepEqual(value.unknowns, sbom.unknowns);
  assert.deepEqual(value.tool, sbom.tool);
  const pick = (one: SbomPackage): object => ({
    id: one.id,
    type: one.type,
    name: one.name,
    version: one.version,
    purl: one.purl,
    source: one.source,
    ownedBy: one.ownedBy,
    locations: one.locations,
    licenses: one.licenses,
  });
  const byId = (a: SbomPackage, b: SbomPackage): number => (a.id < b.id ? -1 : 1);
  assert.deepEqual([...value.packages].sort(byId).map(pick), [...sbom.packages].sort(byId).map(pick));
});

test('a document with gaps says that its image is incomplete, by the field other tools read', () => {
  const documentOf = (unknowns: Sbom['unknowns']): Record<string, unknown> =>
    JSON.parse(Buffer.from(cycloneDxBytes({ ...sbom, unknowns }, { createdMs })).toString());
  const withGap = documentOf(sbom.unknowns) as { metadata: { component: Record<string, unknown> } };
  const whole = withGap.metadata.component['bom-ref'];
  const compositions = [{ aggregate: 'incomplete', assemblies: [whole] }];
  assert.deepEqual((withGap as Record<string, unknown>)['compositions'], compositions);
  assert.ok(!('compositions' in documentOf([])));
  const unknownsOf = (json: object): Sbom['unknowns'] => {
    const read = parseSbom(Buffer.from(JSON.stringify(json)));
    assert.ok(read.ok);
    return read.value.unknowns;
  };
  assert.deepEqual(unknownsOf(withGap), sbom.unknowns);
  // Without our own words the gap is still one, and what somebody else adds is one more.
  const { component } = withGap.metadata;
  assert.equal(unknownsOf({ ...withGap, metadata: { component } }).length, 1);
  const added = [...compositions, { aggregate: 'incomplete', assemblies: ['other'] }];
  assert.equal(unknownsOf({ ...withGap, compositions: added }).length, sbom.unknowns.length + 1);
});

test('SPDX is read back with its purls and its subject', () => {
  const read = parseSbom(spdxBytes(sbom, { createdMs }));
  assert.ok(read.ok);
  assert.equal(read.value.subject.digest, sbom.subject.digest);
  const purls = (list: readonly SbomPackage[]): unknown[] => list.map((one) => String(one.purl)).sort();
  assert.deepEqual(purls(read.value.packages), purls(sbom.packages));
});

test("Trivy's and Syft's ways of naming distribution and source package are understood", () => {
  const purl = 'pkg:deb/debian/libssl3@3.0.15-1?arch=amd64&distro=debian-12.9&upstream=openssl%403.0.15';
  const properties = [
    { name: 'aquasecurity:trivy:SrcName', value: 'openssl' },
    { name: 'aquasecurity:trivy:SrcVersion', value: '3.0.15-1' },
  ];
  const document = (component: object): Uint8Array =>
    Buffer.from(JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', components: [component] }));
  const trivy = parseSbom(document({ type: 'library', name: 'libssl3', version: 'x', purl, properties }));
  assert.ok(trivy.ok);
  assert.deepEqual(trivy.value.packages[0]?.source, { name: 'openssl', version: '3.0.15-1' });
  assert.deepEqual(trivy.value.distro, { id: 'debian', versionId: '12.9', idLike: [] });
  const syft = parseSbom(document({ type: 'library', name: 'libssl3', version: 'x', purl }));
  assert.ok(syft.ok);
  assert.deepEqual(syft.value.packages[0]?.source, { name: 'openssl', version: '3.0.15' });
  const nameless = parseSbom(document({ type: 'library', name: 'libssl3' }));
  assert.ok(nameless.ok);
  assert.equal(nameless.value.unknowns.length, 1);
});

test('what is no SBOM is refused with its reason', () => {
  const cases: [string, string][] = [
    ['[]', 'WB-192'],
    ['{"a":1}', 'WB-192'],
    ['{"bomFormat":"CycloneDX","specVersion":"1.2"}', 'WB-192'],
    ['{"spdxVersion":"SPDX-3.0"}', 'WB-192'],
    ['<?xml version="1.0"?><bom/>', 'WB-192'],
  ];
  for (const [text, code] of cases) {
    const read = parseSbom(Buffer.from(text));
    assert.ok(!read.ok);
    assert.equal(read.error.code, code, text);
  }
});
