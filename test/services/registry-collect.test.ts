/** What the registry's collection removes, and what it must never remove. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { buildManifest, type Descriptor, descriptorOf, type ImageManifest, mediaType } from '#formats/oci';
import type { Repository } from '#oci';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { putBytes, putImage, putMultiArch, reasonOf, repositoryAt } from '../oci/helpers.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-collect-'));
const running = new Set<RunningRegistry>();
after(async () => {
  for (const registry of running) await registry.close();
  await rm(folder, { recursive: true, force: true });
});

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);

async function open(name: string, clock = new FixedClock(START)) {
  const registry = await createRegistry({ dataDir: join(folder, name) }, { clock });
  running.add(registry);
  return { registry, clock, to: repositoryAt(registry.host) };
}

/** Something about `subject`: by referrer, or under a tag of the older layout. */
async function attach(
  to: Repository,
  subject: Descriptor,
  text: string,
  tag?: string,
): Promise<ImageManifest> {
  const config = await putBytes(to, utf8('{}'), 'application/vnd.oci.empty.v1+json');
  const layer = await putBytes(to, utf8(text), 'application/vnd.example');
  const manifest = buildManifest({ config, layers: [layer], ...(tag === undefined ? { subject } : {}) });
  await to.putManifest(manifest, tag === undefined ? {} : { tag });
  return manifest;
}

const digestsOf = (found: { readonly manifests: readonly { readonly digest: string }[] }): string[] =>
  found.manifests.map(({ digest }) => digest).sort();

test('what a tag, an index or a subject leads to stays, with everything attached to it', async () => {
  const { registry, clock, to } = await open('kept');
  const image = await putImage(to, 'tagged', { tag: 'v1' });
  const signature = await attach(to, descriptorOf(image), 'signature');
  const aboutSignature = await attach(to, descriptorOf(signature), 'about the signature');
  const legacy = await attach(to, descriptorOf(image), 'older', `${image.digest.replace(':', '-')}.sig`);
  const { index, images } = await putMultiArch(to, 'many', 'v2');
  const child = await attach(to, descriptorOf(images[1] as ImageManifest), 'about a child');
  clock.advance(100 * DAY);
  assert.deepEqual(await registry.collect(DAY), { manifests: [], blobs: 0 });
  for (const { digest } of [image, signature, aboutSignature, legacy, index, ...images, child]) {
    assert.ok(await to.manifest(digest));
  }
});

test('what nothing leads to goes, with its attachments and the blobs only it had', async () => {
  const { registry, clock, to } = await open('gone');
  const shared = await putImage(to, 'shared layer', { tag: 'v1' });
  const old = await putImage(to, 'old', { tag: 'moving' });
  const signature = await attach(to, descriptorOf(old), 'signature of the old one');
  const legacy = await attach(to, descriptorOf(old), 'older', `${old.digest.replace(':', '-')}.sig`);
  clock.advance(10 * DAY);
  const next = await putImage(to, 'next', { tag: 'moving' });
  const expected = [old, signature, legacy].map(({ digest }) => digest).sort();
  const trial = await registry.collect(DAY, true);
  assert.deepEqual(digestsOf(trial), expected);
  assert.ok(await to.manifest(old.digest), 'a trial removes nothing');
  const done = await registry.collect(DAY);
  assert.deepEqual(done, trial);
  assert.equal(done.blobs, 5, 'config and layer of the image, a layer of each signature, their empty config');
  // A client keeps what it has read by digest: another one asks again.
  const stranger = repositoryAt(registry.host);
  for (const { digest } of [old, signature, legacy]) {
    assert.equal((await reasonOf(stranger.manifest(digest))).code, 'WB-502');
  }
  for (const { digest } of [shared, next]) assert.ok(await stranger.manifest(digest));
  assert.deepEqual([...(await to.tags())].sort(), ['moving', 'v1']);
  assert.deepEqual(await registry.collect(DAY), { manifests: [], blobs: 0 });
});

test('a push under way is left alone: blobs first, the manifest by digest, its tag last', async () => {
  const { registry, clock, to } = await open('young');
  clock.advance(DAY);
  await putBytes(to, utf8('a layer'), mediaType.ociLayer);
  const untagged = await putImage(to, 'by digest');
  clock.advance(DAY / 2);
  assert.deepEqual(await registry.collect(DAY), { manifests: [], blobs: 0 });
  clock.advance(DAY);
  assert.deepEqual(digestsOf(await registry.collect(DAY)), [untagged.digest]);
});

test('repositories do not keep each other: an image is judged where it lies', async () => {
  const { registry, clock, to } = await open('apart');
  const other = repositoryAt(registry.host, 'team/other');
  const image = await putImage(to, 'the same', { tag: 'v1' });
  await putImage(other, 'the same');
  clock.advance(2 * DAY);
  assert.deepEqual((await registry.collect(DAY)).manifests, [
    { repository: 'team/other', digest: image.digest },
  ]);
  assert.ok(await to.manifest(image.digest));
});

test('a registry of an earlier version is continued, and what it holds counts as old', async () => {
  const before = await open('earlier');
  const tagged = await putImage(before.to, 'tagged', { tag: 'v1' });
  const untagged = await putImage(before.to, 'untagged');
  running.delete(before.registry);
  await before.registry.close();
  const db = new DatabaseSync(join(folder, 'earlier', 'registry.sqlite'));
  db.exec('ALTER TABLE manifests DROP COLUMN pushed_at; ALTER TABLE blobs DROP COLUMN linked_at');
  db.close();
  const { registry, to } = await open('earlier');
  assert.deepEqual(digestsOf(await registry.collect(DAY)), [untagged.digest]);
  assert.ok(await to.manifest(tagged.digest));
});
