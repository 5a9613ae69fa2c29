import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { copyImage as copyFlow } from '#flows/copy-image';
import { resolveImage } from '#flows/resolve';
import { treeOf } from '#flows/tree';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { descriptorOf } from '#formats/oci';
import {
  attachBundle,
  attachLegacyAttestation,
  attachLegacySignature,
  copyImage,
  createLayout,
  type ImageStore,
  type LegacySuffix,
  listAttachments,
  openLayout,
} from '#oci';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { faultyRegistry } from '../double/registry-faults.ts';
import { putImage, putMultiArch, quickRegistry, reasonOf, repositoryAt } from './helpers.ts';

let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-copy-'));
  registry = await createRegistry({ dataDir: join(folder, 'registry') });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

const at = (name: string) => repositoryAt(registry.host, name);

/** A multi-platform image: index and one child signed in both layouts, a bundle that is itself signed. */
async function putSigned(store: ImageStore, text: string) {
  const { index, images } = await putMultiArch(store, text, 'v1');
  const subject = descriptorOf(index);
  const bundle = await attachBundle(store, subject, utf8(`{"${text}":1}`), { createdMs: 0 });
  await attachBundle(store, bundle.manifest, utf8(`{"${text}":"of the bundle"}`), { createdMs: 0 });
  await attachLegacySignature(store, index.digest, utf8(`{"${text}":2}`), { signature: 'c2ln' });
  const child = images[0];
  assert.ok(child);
  await attachBundle(store, descriptorOf(child), utf8(`{"${text}":3}`), { createdMs: 0 });
  await attachLegacyAttestation(store, child.digest, utf8(`{"${text}":4}`), { predicateType: 'x' });
  return { index, child, bundle: bundle.manifest };
}

async function assertAllThere(
  store: ImageStore,
  signed: Awaited<ReturnType<typeof putSigned>>,
): Promise<void> {
  const top = await listAttachments(store, signed.index.digest);
  assert.deepEqual([top.bundles.length, top.legacySignatures.length], [1, 1]);
  const child = await listAttachments(store, signed.child.digest);
  assert.deepEqual([child.bundles.length, child.legacyAttestations.length], [1, 1]);
  assert.equal((await listAttachments(store, signed.bundle.digest)).bundles.length, 1);
}

test('a copy inside a registry brings children, referrers of each, their referrers and legacy tags', async () => {
  const signed = await putSigned(at('src/a'), 'a');
  const result = await copyImage(at('src/a'), { tag: 'v1' }, at('dst/a'), { tag: 'v2' });
  assert.equal(result.digest, signed.index.digest);
  assert.equal((await at('dst/a').resolve({ tag: 'v2' })).digest, signed.index.digest);
  await assertAllThere(at('dst/a'), signed);
});

test('a copy to a registry without the referrers API keeps everything under fallback tags', async () => {
  const old = await faultyRegistry();
  try {
    old.misbehave(
      { path: /referrers/, fault: { kind: 'answer', status: 404 } },
      { method: 'PUT', path: /manifests/, fault: { kind: 'headers', set: { 'oci-subject': undefined } } },
    );
    const signed = await putSigned(at('src/b'), 'b');
    const target = repositoryAt(old.host, 'dst/b');
    await copyImage(at('src/b'), { tag: 'v1' }, target, { tag: 'v1' });
    await assertAllThere(repositoryAt(old.host, 'dst/b'), signed);
  } finally {
    await old.close();
  }
});

test('through a layout directory nothing is lost, as over an air gap', async () => {
  const signed = await putSigned(at('src/c'), 'c');
  const directory = join(folder, 'air-gap');
  await copyImage(at('src/c'), { tag: 'v1' }, await createLayout(directory), { tag: 'v1' });
  const carried = await openLayout(directory);
  await assertAllThere(carried, signed);
  await copyImage(carried, {}, at('dst/c'), { tag: 'v1' });
  await assertAllThere(at('dst/c'), signed);
});

test('signatures that are at the target already are kept beside the copied ones', async () => {
  const image = await putImage(at('src/d'), 'd', { tag: 'v1' });
  await putImage(at('dst/d'), 'd', { tag: 'v1' });
  await attachLegacySignature(at('src/d'), image.digest, utf8('{"from":"source"}'), { signature: 'YQ==' });
  await attachLegacySignature(at('dst/d'), image.digest, utf8('{"from":"target"}'), { signature: 'Yg==' });
  await copyImage(at('src/d'), { tag: 'v1' }, at('dst/d'), { tag: 'v1' });
  await copyImage(at('src/d'), { tag: 'v1' }, at('dst/d'), { tag: 'v1' });
  assert.equal((await listAttachments(at('dst/d'), image.digest)).legacySignatures.length, 2);
});

test('without attachments only the image is copied', async () => {
  const signed = await putSigned(at('src/e'), 'e');
  const result = await copyImage(at('src/e'), { tag: 'v1' }, at('dst/e'), { withAttachments: false });
  assert.equal(result.attachments, 0);
  const found = await listAttachments(at('dst/e'), signed.index.digest);
  assert.equal(found.bundles.length + found.legacySignatures.length, 0);
});

test('of the attachments only those asked for travel, in both layouts, and no tag moves', async () => {
  const image = await putImage(at('src/o'), 'o', { tag: 'v1' });
  const subject = descriptorOf(image);
  for (const predicateType of [COSIGN_SIGN_V1, 'https://example.com/p']) {
    await attachBundle(at('src/o'), subject, utf8(`{"${predicateType}":1}`), { predicateType, createdMs: 0 });
  }
  await attachLegacySignature(at('src/o'), image.digest, utf8('{"s":1}'), { signature: 'YQ==' });
  await attachLegacyAttestation(at('src/o'), image.digest, utf8('{"a":1}'), { predicateType: 'x' });
  const held = async (only: readonly LegacySuffix[]): Promise<readonly number[]> => {
    const name = `dst/o-${only.join('-')}`;
    await putImage(at(name), 'other', { tag: 'v1' });
    const text = (repository: string, tag = 'v1'): string => `${registry.host}/${repository}:${tag}`;
    await copyFlow(quickRegistry(), text('src/o'), text(name), { only });
    assert.notEqual((await at(name).resolve({ tag: 'v1' })).digest, image.digest);
    const { bundles, legacySignatures, legacyAttestations } = await listAttachments(at(name), image.digest);
    return [bundles.length, legacySignatures.length, legacyAttestations.length];
  };
  assert.deepEqual(await held(['sig']), [1, 1, 0]);
  assert.deepEqual(await held(['att']), [1, 0, 1]);
  assert.deepEqual(await held(['sig', 'att']), [2, 1, 1]);
  assert.deepEqual(await held(['sbom']), [0, 0, 0]);
});

test('attachments under other names travel when their prefix is said', async () => {
  const image = await putImage(at('src/p'), 'p', { tag: 'v1' });
  const tagPrefix = 'team-';
  await attachLegacySignature(
    at('src/p'),
    image.digest,
    utf8('{"s":1}'),
    { signature: 'YQ==' },
    { tagPrefix },
  );
  await copyImage(at('src/p'), { tag: 'v1' }, at('dst/p'), { tagPrefix });
  const there = await listAttachments(at('dst/p'), image.digest, { tagPrefix });
  assert.equal(there.legacySignatures.length, 1);
});

test('blobs of the same registry are mounted, not sent', async () => {
  const watched = await faultyRegistry();
  try {
    await putImage(repositoryAt(watched.host, 'src'), 'mounted', { tag: 'v1' });
    watched.seen.length = 0;
    await copyImage(repositoryAt(watched.host, 'src'), { tag: 'v1' }, repositoryAt(watched.host, 'dst'), {});
    const uploads = watched.seen.filter((request) => request.path.includes('/uploads/'));
    assert.equal(uploads.length, 2);
    assert.ok(uploads.every((request) => request.path.includes('mount=')));
    assert.ok(watched.seen.every((request) => !/GET/.test(request.method) || !/blobs/.test(request.path)));
  } finally {
    await watched.close();
  }
});

test('a target that shows another digest afterwards is refused', async () => {
  const lying = await faultyRegistry();
  try {
    const target = repositoryAt(lying.host, 'dst');
    await putImage(at('src/f'), 'f', { tag: 'v1' });
    const other = await putImage(target, 'other', { tag: 'other' });
    const body = other.bytes;
    const headers = { 'content-type': other.mediaType };
    lying.misbehave({
      method: 'GET',
      path: /manifests\/v1/,
      fault: { kind: 'answer', status: 200, headers, body },
    });
    const why = await reasonOf(copyImage(at('src/f'), { tag: 'v1' }, target, { tag: 'v1' }));
    assert.equal(why.code, 'WB-510');
  } finally {
    await lying.close();
  }
});

const client = quickRegistry();

test('the flow copies one platform of an index', async () => {
  const { images } = await putMultiArch(at('src/g'), 'g', 'v1');
  const done = await copyFlow(client, `${registry.host}/src/g:v1`, `${registry.host}/dst/g:arm`, {
    platform: { os: 'linux', architecture: 'arm64' },
  });
  assert.equal(done.digest, images[1]?.digest);
  assert.equal(done.pinned, `${registry.host}/dst/g@${images[1]?.digest}`);
});

test('a platform that is not there names those that are', async () => {
  await putMultiArch(at('src/h'), 'h', 'v1');
  const platform = { os: 'linux', architecture: 's390x' };
  const target = `oci:${join(folder, 'never-made')}`;
  const why = await reasonOf(copyFlow(client, `${registry.host}/src/h:v1`, target, { platform }));
  assert.equal(why.code, 'WB-511');
  assert.equal(why.actual, 'linux/amd64, linux/arm64/v8');
  assert.equal((await reasonOf(openLayout(join(folder, 'never-made')))).code, 'WB-512');
});

test('an image saved by digest is listed in the layout without a tag', async () => {
  const image = await putImage(at('src/l'), 'l', { tag: 'v1' });
  const directory = join(folder, 'by-digest');
  const source = `${registry.host}/src/l@${image.digest}`;
  await copyFlow(client, source, `oci:${directory}`);
  assert.equal((await resolveImage(client, `oci:${directory}`)).digest, image.digest);
});

test('the flow refuses archives as targets, and a target digest that is another', async () => {
  const image = await putImage(at('src/i'), 'i', { tag: 'v1' });
  const source = `${registry.host}/src/i:v1`;
  assert.equal((await reasonOf(copyFlow(client, source, 'oci-archive:x.tar'))).code, 'WB-991');
  const wrong = `${registry.host}/dst/i@sha256:${'0'.repeat(64)}`;
  assert.equal((await reasonOf(copyFlow(client, source, wrong))).code, 'WB-992');
  const right = await copyFlow(client, source, `${registry.host}/dst/i@${image.digest}`);
  assert.equal(right.digest, image.digest);
});

test('resolving names the digest, and says when a tag beside a digest has moved', async () => {
  const first = await putImage(at('src/j'), 'first', { tag: 'v1' });
  const second = await putImage(at('src/j'), 'second', { tag: 'v1' });
  const found = await resolveImage(client, `${registry.host}/src/j:v1@${first.digest}`);
  assert.equal(found.digest, first.digest);
  assert.equal(found.tagMovedTo, second.digest);
  assert.equal(found.pinned, `${registry.host}/src/j@${first.digest}`);
  assert.equal((await resolveImage(client, `${registry.host}/src/j:v1`)).tagMovedTo, undefined);
});

test('the flow shows the tree of an index with the attachments of its children', async () => {
  await putSigned(at('src/k'), 'k');
  const { root } = await treeOf(client, `${registry.host}/src/k:v1`);
  assert.deepEqual(
    root.children.map((child) => child.kind),
    ['image', 'image', 'legacySignatures', 'bundle'],
  );
  assert.deepEqual(
    root.children[0]?.children.map((child) => child.kind),
    ['legacyAttestations', 'bundle'],
  );
  assert.equal(root.children[3]?.children[0]?.kind, 'bundle');
});
