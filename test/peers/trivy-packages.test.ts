/**
 * What real Trivy finds in the same images. It leaves out what a package of the operating system brought, which we
 * list with its owner, as Syft does: so its list is the shorter one, and all of it has to be in ours.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { unwrap } from '#base/result';
import { parsePurl } from '#formats/purl';
import { run } from '#platform/process';
import { requirePeer } from './cache.ts';
import { type Artifact, keysOfSigners, ours, Recall } from './recall.ts';
import { type RealImage, realImages } from './sbom-images.ts';

const binary = requirePeer('trivy');

let folder: string;
let images: readonly RealImage[];
before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-trivy-'));
    images = await realImages(folder);
  },
  { timeout: 600_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

interface Component {
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
}

async function theirs(image: RealImage): Promise<readonly Artifact[]> {
  // Without its database of jars Trivy stops at the first one: those are left to the comparison with Syft.
  const flags = ['--offline-scan', '--skip-db-update', '--skip-java-db-update', '--skip-version-check'];
  const file = join(folder, `${image.name}.json`);
  const to = ['--format', 'cyclonedx', '--output', file];
  const args = ['image', '--input', image.folder, '--quiet', ...to, ...flags];
  const options = { timeoutMs: 300_000, env: { ...process.env, TRIVY_CACHE_DIR: join(folder, 'cache') } };
  const result = await run(binary, [...args, '--skip-files', '**/*.jar'], options);
  assert.equal(result.code, 0, result.stderr);
  const { components = [] } = JSON.parse(readFileSync(file, 'utf8')) as { components?: Component[] };
  return components.flatMap(({ purl, version = '' }): Artifact[] => {
    if (purl === undefined) return [];
    const parsed = unwrap(parsePurl(purl, { lenient: true }));
    const isSystem = ['deb', 'rpm', 'apk'].includes(parsed.type);
    const { namespace } = parsed;
    const name = isSystem || namespace === undefined ? parsed.name : `${namespace}/${parsed.name}`;
    return [{ type: parsed.type, name, version: isSystem ? version : (parsed.version ?? version) }];
  });
}

test('of what Trivy finds in each image, 99 % of every type is found here, and each difference is explained', {
  timeout: 3_000_000,
}, async () => {
  const recall = new Recall('Trivy', [keysOfSigners]);
  for (const image of images) {
    const sbom = await ours(image);
    recall.compare(image, sbom, await theirs(image));
    const owned = sbom.packages.filter((one) => one.ownedBy !== undefined).length;
    if (owned > 0)
      console.log(`${image.name}: ${owned} packages the operating system brought, which Trivy leaves out`);
  }
  recall.finish();
  assert.deepEqual(recall.open, []);
});
