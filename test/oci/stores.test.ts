import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { descriptorOf } from '#formats/oci';
import {
  attachBundle,
  attachLegacySignature,
  createLayout,
  listAttachments,
  openImage,
  openLayout,
} from '#oci';
import { run } from '#platform/process';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { drain, putImage, quickRegistry, reasonOf, repositoryAt } from './helpers.ts';
import { storeConformance } from './store-conformance.ts';

let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-stores-'));
  registry = await createRegistry({ dataDir: join(folder, 'registry') });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

storeConformance('registry', (name) => Promise.resolve(repositoryAt(registry.host, `conformance/${name}`)));
storeConformance('layout', (name) => createLayout(join(folder, 'layouts', name)));

const registryClient = quickRegistry();

test('oci:DIR opens the only image, by tag and by digest', async () => {
  const directory = join(folder, 'one');
  const image = await putImage(await createLayout(directory), 'one', { tag: 'v1' });
  for (const text of [directory, `${directory}:v1`, `${directory}@${image.digest}`]) {
    const opened = await openImage(registryClient, `oci:${text}`);
    assert.equal((await opened.source.resolve(opened.selector)).digest, image.digest);
  }
});

test('a layout of two images wants a tag and says which there are', async () => {
  const layout = await createLayout(join(folder, 'two'));
  await putImage(layout, 'a', { tag: 'a' });
  await putImage(layout, 'b', { tag: 'b' });
  const why = await reasonOf(layout.resolve({}));
  assert.equal(why.code, 'WB-502');
  assert.equal(why.actual, 'a, b');
});

test('signatures and referrers in a layout do not make its image ambiguous', async () => {
  const layout = await createLayout(join(folder, 'signed'));
  const image = await putImage(layout, 'a', { tag: 'a' });
  await attachLegacySignature(layout, image.digest, utf8('{}'), { signature: 'c2ln' });
  await attachBundle(layout, descriptorOf(image), utf8('{"b":1}'), { createdMs: 0 });
  assert.equal((await layout.resolve({})).digest, image.digest);
  const found = await listAttachments(layout, image.digest);
  assert.equal(found.bundles.length + found.legacySignatures.length, 2);
});

test('referrers that index.json does not list are found among the blobs, as cosign leaves them', async () => {
  const directory = join(folder, 'unlisted');
  const layout = await createLayout(directory);
  const image = await putImage(layout, 'a', { tag: 'a' });
  await attachBundle(layout, descriptorOf(image), utf8('{"b":1}'), { createdMs: 0 });
  const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8'));
  index.manifests = index.manifests.filter(
    (entry: { artifactType?: string }) => entry.artifactType === undefined,
  );
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
  assert.equal((await (await openLayout(directory)).referrers(image.digest)).length, 1);
});

test('a directory that is no layout is refused', async () => {
  assert.equal((await reasonOf(openLayout(folder))).code, 'WB-512');
  const directory = join(folder, 'future');
  await mkdir(directory);
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
  assert.equal((await reasonOf(openLayout(directory))).code, 'WB-512');
});

test('a blob changed on disk is refused', async () => {
  const directory = join(folder, 'rotten');
  const layout = await createLayout(directory);
  const image = await putImage(layout, 'sound', { tag: 'a' });
  const [layer] = image.layers;
  assert.ok(layer);
  await writeFile(join(directory, 'blobs/sha256', layer.digest.slice(7)), 'rotte');
  assert.equal((await reasonOf(drain(layout.blob(layer)))).code, 'WB-188');
});

test('a layout in a tar archive is read like one in a directory', async () => {
  const directory = join(folder, 'tarred');
  const image = await putImage(await createLayout(directory), 'tar', { tag: 'v1' });
  const file = join(folder, 'image.tar');
  assert.equal((await run('tar', ['cf', file, '-C', directory, '.'])).code, 0);
  for (const kind of ['oci-archive', 'docker-archive']) {
    const { source, selector } = await openImage(registryClient, `${kind}:${file}:v1`);
    assert.equal((await source.resolve(selector)).digest, image.digest);
    assert.equal(await drain(source.blob(image.config)), image.config.size);
  }
});

test('an archive of an old docker save is read with its tags', async () => {
  const directory = join(folder, 'docker');
  await mkdir(join(directory, 'abc'), { recursive: true });
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } };
  await writeFile(join(directory, 'config.json'), JSON.stringify(config));
  await writeFile(join(directory, 'abc/layer.tar'), 'layer bytes');
  const entry = { Config: 'config.json', RepoTags: ['app:v1'], Layers: ['abc/layer.tar'] };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify([entry]));
  const file = join(folder, 'docker.tar');
  assert.equal((await run('tar', ['cf', file, '-C', directory, '.'])).code, 0);
  const { source, selector } = await openImage(registryClient, `docker-archive:${file}:v1`);
  const manifest = await source.manifest((await source.resolve(selector)).digest);
  assert.ok(manifest.kind === 'manifest' && manifest.layers[0]);
  assert.equal(await drain(source.blob(manifest.layers[0])), 'layer bytes'.length);
  assert.deepEqual(await source.referrers(manifest.digest), []);
  assert.equal((await reasonOf(source.resolve({ tag: 'v2' }))).code, 'WB-502');
});

test('a file that is no archive is refused', async () => {
  const file = join(folder, 'noise.tar');
  await writeFile(file, 'x'.repeat(2000));
  assert.equal((await reasonOf(openImage(registryClient, `oci-archive:${file}`))).code, 'WB-513');
  assert.equal((await reasonOf(openImage(registryClient, `docker-archive:${file}.none`))).code, 'WB-513');
});
