/**
 * Nobody knows better what is installed than the manager that installed it: each is asked about the unpacked image,
 * and all it lists has to be found; of packages of a system nothing else may be.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ours } from './recall.ts';
import { type RealImage, realImages } from './sbom-images.ts';
import { findApk, type Truth, truthKey, truthsOf, unpack } from './sbom-truth.ts';

let folder: string;
let images: readonly RealImage[];
before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-truth-'));
    images = await realImages(folder);
  },
  { timeout: 600_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

/** Managers that have to have answered, wherever this runs. */
const needed = ['dpkg-query', 'rpm -qa', 'npm ls', 'pip list'];

test('all that dpkg, apk, rpm, npm, pip, gem and go list in each image is found', {
  timeout: 1_200_000,
}, async () => {
  const wrong: string[] = [];
  const answered: string[] = [];
  for (const image of images) {
    const root = await unpack(image, join(folder, `${image.name}.root`));
    const sbom = await ours(image);
    const judge = ({ manager, type, packages, isWhole }: Truth): void => {
      const found = new Set(sbom.packages.filter((one) => one.type === type).map(truthKey));
      const missing = [...packages].filter((key) => !found.has(key));
      const more = isWhole ? [...found].filter((key) => !packages.has(key)) : [];
      console.log(
        `${image.name} ${type}: ${packages.size - missing.length} of ${packages.size} of ${manager}`,
      );
      wrong.push(...missing.map((key) => `${image.name}: ${manager} lists ${key}`));
      wrong.push(...more.map((key) => `${image.name}: ${manager} does not list ${key}`));
      answered.push(manager);
    };
    for (const truth of await truthsOf(root)) judge(truth);
    for (const path of [root, `${root}.apk`]) await rm(path, { recursive: true, force: true });
  }
  assert.deepEqual(wrong, []);
  const silent = needed.filter((name) => !answered.some((manager) => manager.startsWith(name)));
  assert.deepEqual(silent, [], 'managers nothing was asked of');
  if (findApk() === undefined)
    console.log('apk was not asked: put the program of Alpine on the PATH, or name it in WAYBILL_APK');
  else assert.ok(answered.some((manager) => manager.startsWith('apk')));
});
