/**
 * Real images, and every advisory there is: a scan of the image says what scans of its SBOM say, in each form an SBOM
 * is written in.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { unwrap } from '#base/result';
import { cycloneDxBytes } from '#formats/cyclonedx';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import { syftBytes } from '#formats/sbom-syft';
import { spdxBytes } from '#formats/spdx';
import { spdx3Bytes } from '#formats/spdx3';
import { buildDatabase, loadDatabase, matchPackages } from '#scan';
import { ours } from './recall.ts';
import { realImages } from './sbom-images.ts';

const folder = mkdtempSync(join(tmpdir(), 'waybill-scan-images-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const forms: Readonly<Record<string, (sbom: Sbom) => Uint8Array>> = {
  CycloneDX: (sbom) => cycloneDxBytes(sbom, { createdMs: 0 }),
  'SPDX 2.3': (sbom) => spdxBytes(sbom, { createdMs: 0 }),
  'SPDX 3.0': (sbom) => spdx3Bytes(sbom, { createdMs: 0 }),
  'Syft JSON': syftBytes,
};

test('a scan of each real image finds what a scan of its SBOM finds, in every form', {
  timeout: 1_200_000,
}, async () => {
  const records = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories');
  const file = join(folder, 'advisories.db');
  await buildDatabase([records], file, { builtMs: 0 });
  const database = loadDatabase(file);
  const scan = (sbom: Sbom): string[] =>
    matchPackages(sbom, database)
      .findings.map(({ id, advisories, package: { name, version, purl = '' } }) =>
        [id, ...advisories, name, version, purl].join(' '),
      )
      .sort();
  let found = 0;
  try {
    for (const image of await realImages(folder)) {
      const sbom = await ours(image);
      const ofImage = scan(sbom);
      found += ofImage.length;
      for (const [form, write] of Object.entries(forms))
        assert.deepEqual(scan(unwrap(parseSbom(write(sbom)))), ofImage, `${image.name}, ${form}`);
      console.log(
        `${image.name}: ${ofImage.length} findings, the same in ${Object.keys(forms).length} forms`,
      );
    }
  } finally {
    database.close();
  }
  assert.ok(found > 0, 'no image has a finding: nothing was compared');
});
