/** What the registry's collection removes, and what it must never remove. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import {
  buildIndex,
  buildManifest,
  type Descriptor,
  descriptorOf,
  type ImageManifest,
  mediaType,
} from '#formats/oci';
import type { Repository } from '#oci';
import { lockFolder } from '#platform/folder-lock';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { type Told, tellIn } from '../cli/in-process.ts';
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

for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
  test(`attachments of a ${algorithm} image stay with it and go with it, by referrer and by tag`, async () => {
    const { registry, clock, to } = await open(`by-${algorithm}`);
    const config = await putBytes(to, utf8('{}'), 'application/vnd.oci.empty.v1+json');
    const { bytes, mediaType: type } = buildManifest({ config, layers: [config] });
    const digest = digestOf(bytes, algorithm);
    const put = (name: string, body: Uint8Array, type: string) =>
      fetch(`${registry.origin}/v2/team/app/manifests/${name}`, {
        method: 'PUT',
        headers: { 'content-type': type },
        body: body as Uint8Array<ArrayBuffer>,
      });
    assert.equal((await put(digest, bytes, type)).status, 201);
    const subject = { mediaType: type, digest, size: bytes.length, annotations: new Map<string, string>() };
    await putImage(to, 'beside', { tag: 'beside' });
    const referrer = buildManifest({ config, layers: [config], subject });
    await put(referrer.digest, referrer.bytes, referrer.mediaType);
    // As the fallback of registries without the API: a digest is cut after 64 digits there.
    const index = buildIndex({ manifests: [descriptorOf(referrer)] });
    const cut = `${algorithm}-${digest.slice(algorithm.length + 1).slice(0, 64)}`;
    assert.equal((await put(cut, index.bytes, index.mediaType)).status, 201);
    assert.equal(
      (await put('named', buildIndex({ manifests: [subject] }).bytes, index.mediaType)).status,
      201,
    );
    clock.advance(2 * DAY);
    assert.deepEqual((await registry.collect(DAY)).manifests, [], 'an index that has a name leads to all');
    await to.deleteTag('named');
    const gone = new Set(digestsOf(await registry.collect(DAY)));
    for (const one of [digest, referrer.digest, index.digest]) assert.ok(gone.has(one), one);
    assert.deepEqual(await to.tags(), ['beside']);
  });
}

test('a long name that only begins like an attachment is a name', async () => {
  const { registry, clock, to } = await open('long-names');
  for (const tag of [
    `sha256-${'a'.repeat(63)}`,
    `release-of-${'b'.repeat(60)}`,
    `sha256-${'a'.repeat(63)}z`,
  ]) {
    await putImage(to, tag, { tag });
  }
  clock.advance(2 * DAY);
  assert.deepEqual(await registry.collect(DAY), { manifests: [], blobs: 0 });
});

test('the registry collects by itself, as often as it is told', async () => {
  const clock = new FixedClock(START);
  const config = { dataDir: join(folder, 'by-itself'), untaggedKeptMs: DAY, tidyEveryMs: 20 };
  const registry = await createRegistry(config, { clock });
  running.add(registry);
  const to = repositoryAt(registry.host);
  const { digest } = await putImage(to, 'untagged');
  clock.advance(2 * DAY);
  const url = `${registry.origin}/v2/team/app/manifests/${digest}`;
  for (let i = 0; (await fetch(url, { method: 'HEAD' })).status === 200; i++) {
    assert.ok(i < 3000, 'it was not collected');
    await sleep(20);
  }
});

test('waybill registry collect says first, then does, and not while somebody serves from the folder', async () => {
  const dataDir = join(folder, 'station');
  const registry = await createRegistry({ dataDir: join(dataDir, 'images') });
  const to = repositoryAt(registry.host);
  const kept = await putImage(to, 'kept', { tag: 'v1' });
  const loose = await putImage(to, 'loose');
  await registry.close();
  const clock = new FixedClock(Date.now() + 10 * DAY);
  const collect = (...words: string[]) =>
    tellIn({ json: true, clock }, ['registry', 'collect', '--data', dataDir, ...words]);
  const said = (told: Told) =>
    told.value as unknown as { manifests: object[]; blobs: number; removed: number };
  const trial = said(await collect('--keep', '7d', '--dry-run'));
  assert.deepEqual(trial.manifests, [{ repository: 'team/app', digest: loose.digest }]);
  assert.deepEqual([trial.blobs, trial.removed], [2, 0]);
  const done = said(await collect('--keep', '7d'));
  assert.deepEqual([done.manifests.length, done.blobs, done.removed], [1, 2, 2]);
  const nothing = said(await collect());
  assert.deepEqual([nothing.manifests, nothing.removed], [[], 0]);
  const again = await createRegistry({ dataDir: join(dataDir, 'images') });
  running.add(again);
  assert.ok(await repositoryAt(again.host).manifest(kept.digest));
  const lock = lockFolder(dataDir);
  assert.equal((await collect()).reason?.code, 'WB-210');
  lock.release();
  assert.equal((await collect('--keep', 'soon')).reason?.code, 'WB-1305');
  const empty = await tellIn({}, ['registry', 'collect', '--data', join(folder, 'nothing')]);
  assert.equal(empty.reason?.code, 'WB-1212');
});
