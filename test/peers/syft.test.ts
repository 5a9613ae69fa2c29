/**
 * What real Syft finds in real images, and what we find: by type, name and version. Every difference is of a kind
 * that was looked at and has its reason here; what is left has to agree.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { unwrap } from '#base/result';
import { parseSbom } from '#formats/sbom-read';
import { run } from '#platform/process';
import { requirePeer } from './cache.ts';
import { type Artifact, keysOfSigners, ours, Recall } from './recall.ts';
import { type RealImage, realImages } from './sbom-images.ts';

const binary = requirePeer('syft');

let folder: string;
let images: readonly RealImage[];
before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-syft-'));
    images = await realImages(folder);
  },
  { timeout: 600_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

/** Types of Syft that purls name otherwise. */
const purlTypes: Readonly<Record<string, string>> = {
  'go-module': 'golang',
  python: 'pypi',
  'java-archive': 'maven',
  'jenkins-plugin': 'maven',
  'rust-crate': 'cargo',
  'php-composer': 'composer',
  'php-pear': 'pear',
  dotnet: 'nuget',
  binary: 'generic',
  'R-package': 'cran',
};

async function theirs(image: RealImage): Promise<readonly Artifact[]> {
  const file = join(folder, `${image.name}.json`);
  const result = await run(binary, [`oci-dir:${image.folder}`, '-q', '-o', `syft-json=${file}`], {
    timeoutMs: 600_000,
  });
  assert.equal(result.code, 0, result.stderr);
  const text = readFileSync(file);
  // What it writes is read by our own reader as well.
  assert.ok(unwrap(parseSbom(new Uint8Array(text))).packages.length >= 0);
  const { artifacts } = JSON.parse(text.toString()) as {
    artifacts: (Artifact & { locations: { path: string }[] })[];
  };
  return artifacts.map((one) => ({
    name: one.name,
    version: one.version,
    type: purlTypes[one.type] ?? one.type,
    path: one.locations[0]?.path ?? '',
  }));
}

test('at least five real images are there', () =>
  assert.ok(images.length >= 5, images.map((one) => one.name).join(', ')));

test('of what Syft finds in each image, 99 % of every type is found here, and each difference is explained', {
  timeout: 3_000_000,
}, async () => {
  const recall = new Recall('Syft', [keysOfSigners]);
  for (const image of images) recall.compare(image, await ours(image), await theirs(image));
  recall.finish();
  assert.deepEqual(recall.open, []);
});
