/** SBOMs that every writer has to get right, and one function that writes them in every format. */
import { digestOf } from '#base/digest';
import { cycloneDxBytes, cycloneDxVersions } from '#formats/cyclonedx';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { spdxBytes } from '#formats/spdx';
import { spdx3Bytes } from '#formats/spdx3';

function pack(type: string, name: string, version: string, rest: Partial<SbomPackage>): SbomPackage {
  const id = packageId(type, name, version, rest.purl, 'test');
  return { id, type, name, version, foundBy: 'test', locations: [], licenses: [], dependsOn: [], ...rest };
}

const layer = digestOf(new Uint8Array([1]));
const system = pack('deb', 'openssl', '3.0.11-1~deb12u2', {
  purl: 'pkg:deb/debian/openssl@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=ossl%403.0.11',
  locations: [{ path: 'var/lib/dpkg/status', layer }],
  licenses: ['Apache-2.0', 'GPL-1+', 'MIT OR Apache-2.0', ' odd "name" \u001b[31m'],
  supplier: 'Debian OpenSSL Team <x@example.org>',
  homepage: 'https://www.openssl.org/',
  architecture: 'amd64',
  source: { name: 'ossl', version: '3.0.11' },
});

/** Everything a package can have, odd texts, and packages that have next to nothing. */
export const sampleSbom: Sbom = {
  subject: {
    name: 'registry.example/team/app',
    digest: digestOf(new Uint8Array([2])),
    tag: '1',
    os: 'linux',
    architecture: 'amd64',
  },
  distro: { id: 'debian', versionId: '12', idLike: ['x'], prettyName: 'Debian GNU/Linux 12' },
  packages: [
    system,
    pack('deb', 'nowhere', '1', {}),
    pack('npm', '@scope/app', '1.0.0', {
      purl: 'pkg:npm/%40scope/app@1.0.0',
      licenses: ['MIT'],
      description: '<b>"quoted"</b>\n',
      homepage: 'not a url at all',
      hashes: [`sha512:${'ab'.repeat(64)}`, 'sha1:short'],
      dependsOn: [system.id],
      ownedBy: system.id,
    }),
    pack('maven', 'org.example:lib', '2.0', {
      purl: 'pkg:maven/org.example/lib@2.0',
      hashes: [`sha1:${'0'.repeat(40)}`],
    }),
    pack('generic', 'node', '20.11.1', {
      purl: 'pkg:generic/node@20.11.1',
      cpes: ['cpe:2.3:a:nodejs:node.js:20.11.1:*:*:*:*:*:*:*', 'cpe:2.3:a:other:x:1:*:*:*:*:*:*:*'],
    }),
  ],
  layers: [
    { digest: layer, diffId: layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', size: 7 },
  ],
  unknowns: [{ path: 'a/package.json', wantedBy: 'npm', reason: 'broken "JSON"' }],
  tool: { name: 'waybill', version: '0.1.0' },
};

export const folderSbom: Sbom = {
  ...sampleSbom,
  subject: { name: 'src', kind: 'folder' },
  layers: [],
  packages: [],
};

const createdMs = Date.UTC(2026, 10, 21);

/** Each sample in each version, with the label of the schema it has to meet. */
export function* writtenSboms(): Generator<{
  readonly format: 'cyclonedx' | 'spdx';
  readonly version: string;
  readonly bytes: Uint8Array;
}> {
  for (const sbom of [sampleSbom, folderSbom]) {
    for (const version of cycloneDxVersions) {
      yield { format: 'cyclonedx', version, bytes: cycloneDxBytes(sbom, { createdMs, version }) };
    }
    yield { format: 'spdx', version: '2.3', bytes: spdxBytes(sbom, { createdMs }) };
    yield { format: 'spdx', version: '3.0.1', bytes: spdx3Bytes(sbom, { createdMs }) };
  }
}
