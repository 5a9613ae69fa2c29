/** A scan of an image and of its SBOM, in whatever form it was written, say the same: findings and gaps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { cycloneDxBytes } from '#formats/cyclonedx';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { syftBytes } from '#formats/sbom-syft';
import { spdxBytes } from '#formats/spdx';
import { spdx3Bytes } from '#formats/spdx3';
import { catalogueLayers } from '#sbom';
import { matchPackages, memoryDatabase, type ScanResult } from '#scan';
import { goProgram } from '../sbom/binaries.ts';
import { type Entry, image, options } from '../sbom/fixture.ts';
import { advisory } from './records.ts';

const createdMs = Date.UTC(2026, 10, 21);
const forms: Readonly<Record<string, (sbom: Sbom) => Uint8Array>> = {
  CycloneDX: (sbom) => cycloneDxBytes(sbom, { createdMs }),
  'SPDX 2.3': (sbom) => spdxBytes(sbom, { createdMs }),
  'SPDX 3.0': (sbom) => spdx3Bytes(sbom, { createdMs }),
  'Syft JSON': syftBytes,
};

const stanza = (name: string, version: string, more = ''): string =>
  `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\nArchitecture: amd64\n${more}\n`;
const metadata = 'Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n';
const owned = '/usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA';
const modules =
  'path\texample.com/t\nmod\texample.com/t\t(devel)\t\ndep\tgithub.com/Masterminds/goutils\tv1.1.0\t\n';

/** An owner and what it owns, sources with other versions, epochs, a program without a version, and a broken file. */
const content: readonly Entry[] = [
  {
    path: 'var/lib/dpkg/status',
    text:
      stanza('python3-six', '1.16.0-4') +
      stanza('bsdutils', '1:2.38.1-5', 'Source: util-linux (2.38.1-5)\n') +
      stanza('libssl3', '3.0.11-1', 'Source: openssl\n'),
  },
  { path: 'var/lib/dpkg/info/python3-six.list', text: `${owned}\n` },
  { path: owned.slice(1), text: metadata },
  { path: 'app/lib/six-1.15.0.dist-info/METADATA', text: metadata.replace('1.16', '1.15') },
  { path: 'app/package.json', text: '{"name":"app","version":"1.0.0"}' },
  { path: 'broken/package.json', text: '{"name":"cut' },
  { path: 'srv/main', text: goProgram('go1.17.1', modules, true), mode: 0o755 },
];

const systems: Readonly<Record<string, readonly Entry[]>> = {
  Debian: [{ path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' }],
  'a descendant of Debian': [
    { path: 'etc/os-release', text: 'ID=example\nVERSION_ID=1\nID_LIKE="debian"\n' },
  ],
  'no named distribution': [],
};

function told(result: ScanResult): object {
  const shown = ({ package: one, id, source, fixed }: ScanResult['findings'][number]): object => ({
    ...{ id, source, fixed, type: one.type, name: one.name, version: one.version, purl: one.purl },
    paths: one.locations.map(({ path }) => path),
  });
  return {
    findings: result.findings.map(shown),
    suppressed: result.suppressed.map(({ finding, reason }) => [shown(finding), reason]),
    undetermined: result.undetermined.map((one) => [one.id, one.package.name, one.reason].join(' ')).sort(),
    coverage: result.coverage,
    unknowns: result.unknowns,
    notes: result.notes,
  };
}

for (const [system, entries] of Object.entries(systems)) {
  test(`${system}: a scan of each form of the SBOM is the scan of the image`, async () => {
    const { input } = await image([...entries, ...content]);
    const { sbom } = await catalogueLayers(input, options);
    const ecosystem = system === 'Debian' ? 'Debian:12' : 'Debian:11';
    const names: readonly (readonly [string, string])[] = [
      ...['python3-six', 'util-linux', 'bsdutils', 'openssl'].map((name) => [ecosystem, name] as const),
      ['PyPI', 'six'],
      ['npm', 'app'],
      ['Go', 'example.com/t'],
      ['Go', 'github.com/Masterminds/goutils'],
    ];
    const records = names.map(([of, name], i) => {
      // Of what is known of six, the distribution speaks for its own copy.
      const more = name === 'python3-six' ? { aliases: ['X-4'] } : {};
      return advisory(`X-${i}`, of, name, of === ecosystem ? '9:9' : '9.0.0', more);
    });
    const database = memoryDatabase(records.concat(advisory('Y-1', 'Go', 'stdlib', '1.18.0')), 0);
    const ofImage = matchPackages(sbom, database);
    const isDebian = system === 'Debian';
    assert.ok(ofImage.findings.length >= (isDebian ? 5 : 3), String(ofImage.findings.length));
    assert.ok(ofImage.unknowns.length > 0 && ofImage.undetermined.length > 0);
    assert.equal(ofImage.suppressed.length, isDebian ? 1 : 0);
    for (const [form, write] of Object.entries(forms)) {
      const result = matchPackages(unwrap(parseSbom(write(sbom))), database);
      assert.deepEqual(told(result), told(ofImage), form);
    }
    database.close();
  });
}
