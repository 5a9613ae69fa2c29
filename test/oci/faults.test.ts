import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import { Secret } from '#base/secret';
import { type Descriptor, descriptorOf, type ImageManifest, mediaType } from '#formats/oci';
import {
  type Attachments,
  attachBundle,
  attachLegacySignature,
  type CredentialSource,
  fallbackTag,
  fixedCredential,
  listAttachments,
} from '#oci';
import { type FaultyRegistry, faultyRegistry } from '../double/registry-faults.ts';
import { drain, putImage, quickRegistry, reasonOf, repositoryAt } from './helpers.ts';

let faulty: FaultyRegistry;
let image: ImageManifest;
let layer: Descriptor;

before(async () => {
  faulty = await faultyRegistry();
  image = await putImage(repositoryAt(faulty.host), 'x'.repeat(5000), { tag: 'v1' });
  layer = image.layers[0] as Descriptor;
});
after(() => faulty.close());
beforeEach(() => {
  faulty.misbehave();
  faulty.seen.length = 0;
});

const basicChallenge = {
  kind: 'answer',
  status: 401,
  headers: { 'www-authenticate': 'Basic realm="x"' },
} as const;

const canary = (host: string): CredentialSource =>
  fixedCredential(host, { kind: 'basic', username: 'me', password: new Secret('canary') });

const manifests = /\/manifests\//;
const blobs = /\/blobs\/sha256:/;

test('without faults the image resolves and its layer streams', async () => {
  const repository = repositoryAt(faulty.host);
  assert.equal((await repository.resolve({ tag: 'v1' })).digest, image.digest);
  assert.equal(await drain(repository.blob(layer)), layer.size);
});

test('a manifest with other bytes than its digest is refused', async () => {
  faulty.misbehave({ path: manifests, fault: { kind: 'flip' } });
  const why = await reasonOf(repositoryAt(faulty.host).manifest(image.digest));
  assert.equal(why.code, 'WB-188');
});

test('a lying Docker-Content-Digest changes nothing: the digest is computed', async () => {
  const lie = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` };
  faulty.misbehave({ path: manifests, fault: { kind: 'headers', set: lie } });
  assert.equal((await repositoryAt(faulty.host).resolve({ tag: 'v1' })).digest, image.digest);
});

test('a manifest served as another media type is refused', async () => {
  faulty.misbehave({
    path: manifests,
    fault: { kind: 'headers', set: { 'content-type': mediaType.ociIndex } },
  });
  const why = await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }));
  assert.deepEqual([why.code, why.side, why.exit], ['WB-520', 'environment', 20]);
  assert.match(why.actual, /WB-187/);
  const byDigest = await reasonOf(repositoryAt(faulty.host).manifest(image.digest));
  assert.equal(byDigest.code, 'WB-520', 'the content is well: the header is the word of the registry');
});

test('a login page in place of a manifest is refused with a hint', async () => {
  const headers = { 'content-type': 'text/html' };
  const page = { kind: 'answer', status: 200, headers, body: '<html>log in</html>' } as const;
  faulty.misbehave({ path: manifests, fault: page });
  const why = await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }));
  assert.deepEqual([why.code, why.exit], ['WB-520', 20]);
  assert.equal(why.expected, `the manifest v1 from http://${faulty.host}/v2/team/app/manifests/v1`);
  assert.match(why.actual, /^an HTML page where a JSON document was expected \(WB-186 /);
  assert.match(why.hint, /login page/);
});

test('an empty answer, and other JSON after a redirect, are named with their addresses', async () => {
  faulty.misbehave({ path: manifests, fault: { kind: 'answer', status: 200, body: '' } });
  const empty = await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }));
  assert.deepEqual([empty.code, empty.exit], ['WB-520', 20]);
  const location = `http://${faulty.host}/elsewhere?token=1`;
  faulty.misbehave(
    { path: manifests, fault: { kind: 'answer', status: 302, headers: { location } } },
    { path: /elsewhere/, fault: { kind: 'answer', status: 200, body: '{"hello":1}' } },
  );
  const other = await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }));
  assert.deepEqual([other.code, other.exit], ['WB-520', 20]);
  const asked = `http://${faulty.host}/v2/team/app/manifests/v1`;
  assert.equal(
    other.expected,
    `the manifest v1 from ${asked} (redirected to http://${faulty.host}/elsewhere)`,
  );
});

test('a list of tags or referrers that is none is the fault of the registry', async () => {
  const headers = { 'content-type': mediaType.ociIndex };
  for (const body of ['', 'null', '{"tags":7}', '{"manifests":[{"digest":"x"}]}']) {
    const fault = { kind: 'answer', status: 200, headers, body } as const;
    faulty.misbehave({ path: /referrers|tags\/list/, fault });
    const repository = repositoryAt(faulty.host);
    const why = await reasonOf(repository.referrers(image.digest));
    assert.deepEqual([why.code, why.exit], ['WB-520', 20], `referrers: ${body}`);
    if (body === '' || body.includes('tags')) {
      assert.equal((await reasonOf(repository.tags())).code, 'WB-520', `tags: ${body}`);
    }
  }
});

test('a manifest that has its digest and is malformed is the fault of the image', async () => {
  const body = '{"schemaVersion":2}';
  const digest = digestOf(utf8(body));
  faulty.misbehave({ path: manifests, fault: { kind: 'answer', status: 200, body } });
  const why = await reasonOf(repositoryAt(faulty.host).manifest(digest));
  assert.deepEqual([why.code, why.side], ['WB-186', 'input']);
});

test('nonsense in one place of the evidence does not hide what lies in another, and is never "none"', async () => {
  const repository = repositoryAt(faulty.host, 'places/app');
  const subject = descriptorOf(await putImage(repository, 'places'));
  const bundle = utf8('{"places":1}');
  await attachBundle(repository, subject, bundle, { createdMs: 0 });
  await attachLegacySignature(repository, subject.digest, utf8('{"p":1}'), { signature: 'c2ln' });
  const headers = { 'content-type': mediaType.ociIndex };
  const nonsense = { kind: 'answer', status: 200, headers, body: '{"manifests":[{}]}' } as const;
  const codes = (found: Attachments) => found.problems.map(({ reason }) => reason.code);
  faulty.misbehave({ path: /referrers/, fault: nonsense });
  const signed = await listAttachments(repositoryAt(faulty.host, 'places/app'), subject.digest);
  assert.deepEqual([signed.legacySignatures.length, codes(signed)], [1, ['WB-520']]);
  faulty.misbehave({ path: /manifests\/.*\.sig$/, fault: nonsense });
  const bundled = await listAttachments(repositoryAt(faulty.host, 'places/app'), subject.digest);
  assert.deepEqual([bundled.bundles.length, codes(bundled)], [1, ['WB-520']]);
  faulty.misbehave({ path: /referrers|manifests\/.*\.sig$/, fault: nonsense });
  const none = listAttachments(repositoryAt(faulty.host, 'places/app'), subject.digest);
  assert.equal((await reasonOf(none)).exit, 20);
});

test('a blob with a changed byte is refused before its end', async () => {
  faulty.misbehave({ path: blobs, fault: { kind: 'flip' } });
  assert.equal((await reasonOf(drain(repositoryAt(faulty.host).blob(layer)))).code, 'WB-188');
});

test('a blob that is too short is refused', async () => {
  faulty.misbehave({ path: blobs, fault: { kind: 'truncate' } });
  const why = await reasonOf(drain(repositoryAt(faulty.host).blob(layer)));
  assert.equal(why.code, 'WB-188');
  assert.equal(why.actual, `${layer.size - 1} bytes`);
});

test('a blob without end is cut at the first byte too many', async () => {
  faulty.misbehave({ path: blobs, fault: { kind: 'endless' } });
  const why = await reasonOf(drain(repositoryAt(faulty.host).blob(layer)));
  assert.equal(why.code, 'WB-188');
  assert.equal(why.actual, 'more bytes');
});

test('a blob that drips is given up after a deadline for the whole', async () => {
  faulty.misbehave({ path: blobs, fault: { kind: 'drip', everyMs: 40 } });
  const repository = repositoryAt(faulty.host, 'team/app', { timeoutMs: 300 });
  assert.equal((await reasonOf(drain(repository.blob(layer)))).code, 'WB-202');
});

test('a registry that never answers is a timeout', async () => {
  faulty.misbehave({ path: manifests, fault: { kind: 'silent' } });
  const repository = repositoryAt(faulty.host, 'team/app', { timeoutMs: 200 });
  assert.equal((await reasonOf(repository.resolve({ tag: 'v1' }))).code, 'WB-202');
});

test('429 is waited out as long as the registry asks, within reason', async () => {
  const waits: number[] = [];
  const sleep = (ms: number): Promise<void> => Promise.resolve(void waits.push(ms));
  const busy = { kind: 'answer', status: 429, headers: { 'retry-after': '2' } } as const;
  faulty.misbehave({ path: manifests, fault: busy, times: 2 });
  const repository = repositoryAt(faulty.host, 'team/app', { sleep });
  assert.equal((await repository.resolve({ tag: 'v1' })).digest, image.digest);
  assert.deepEqual(waits, [2000, 2000]);
});

test('429 for a day is not waited for', async () => {
  const busy = { kind: 'answer', status: 429, headers: { 'retry-after': '86400' } } as const;
  faulty.misbehave({ path: manifests, fault: busy });
  assert.equal((await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }))).code, 'WB-504');
  assert.equal(faulty.seen.length, 1);
});

test('503 is tried five times and no more', async () => {
  faulty.misbehave({ path: manifests, fault: { kind: 'answer', status: 503 } });
  const why = await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }));
  assert.equal(why.code, 'WB-504');
  assert.equal(why.side, 'environment');
  assert.equal(faulty.seen.length, 5);
});

test('a broken connection is tried again for a GET', async () => {
  faulty.misbehave({ path: manifests, fault: { kind: 'break' }, times: 2 });
  assert.equal((await repositoryAt(faulty.host).resolve({ tag: 'v1' })).digest, image.digest);
});

test('an unexpected status names what the registry said', async () => {
  const body = JSON.stringify({ errors: [{ code: 'TEAPOT', message: 'short and stout' }] });
  faulty.misbehave({ path: manifests, fault: { kind: 'answer', status: 418, body } });
  const why = await reasonOf(repositoryAt(faulty.host).resolve({ tag: 'v1' }));
  assert.equal(why.code, 'WB-503');
  assert.match(why.actual, /418: TEAPOT short and stout/);
});

test('a blob redirect to another host carries no credentials', async () => {
  const other = await faultyRegistry();
  try {
    await putImage(repositoryAt(other.host), 'x'.repeat(5000));
    other.seen.length = 0;
    const location = `http://${other.host}/v2/team/app/blobs/${layer.digest}`;
    const redirect = { kind: 'answer', status: 307, headers: { location } } as const;
    faulty.misbehave({ path: blobs, fault: basicChallenge, times: 1 }, { path: blobs, fault: redirect });
    const credentials = canary(faulty.host);
    assert.equal(await drain(repositoryAt(faulty.host, 'team/app', { credentials }).blob(layer)), layer.size);
    assert.match(faulty.seen[1]?.headers.authorization ?? '', /^Basic /);
    assert.deepEqual(
      other.seen.map((request) => request.headers.authorization),
      [undefined],
    );
  } finally {
    await other.close();
  }
});

for (const location of [
  'http://169.254.169.254/latest/meta-data/',
  'file:///etc/passwd',
  'ftp://127.0.0.1/x',
]) {
  test(`a redirect to ${location} is refused`, async () => {
    faulty.misbehave({ path: blobs, fault: { kind: 'answer', status: 307, headers: { location } } });
    const why = await reasonOf(drain(repositoryAt(faulty.host).blob(layer)));
    assert.deepEqual([why.code, why.actual], ['WB-505', location]);
  });
}

test('a redirect loop ends after three hops', async () => {
  const location = `/v2/team/app/blobs/${layer.digest}`;
  faulty.misbehave({ path: blobs, fault: { kind: 'answer', status: 307, headers: { location } } });
  assert.equal((await reasonOf(drain(repositoryAt(faulty.host).blob(layer)))).code, 'WB-505');
  assert.equal(faulty.seen.length, 4);
});

test('an upload location on another host gets the bytes but no credentials', async () => {
  const other = await faultyRegistry();
  try {
    const location = `http://${other.host}/v2/team/app/blobs/uploads/0`;
    faulty.misbehave(
      { path: /uploads/, fault: basicChallenge, times: 1 },
      { method: 'POST', path: /uploads/, fault: { kind: 'answer', status: 202, headers: { location } } },
    );
    const credentials = canary(faulty.host);
    const repository = repositoryAt(faulty.host, 'team/app', { credentials });
    assert.equal((await reasonOf(putImage(repository, 'elsewhere'))).code, 'WB-510');
    assert.ok(faulty.seen.some((request) => request.headers.authorization !== undefined));
    assert.deepEqual(
      other.seen.map((request) => request.headers.authorization),
      [undefined],
    );
  } finally {
    await other.close();
  }
});

test('the list of tags stops at a link that points to itself', async () => {
  const link = '</v2/team/app/tags/list?n=1000>; rel="next"';
  faulty.misbehave({ path: /tags\/list/, fault: { kind: 'headers', set: { link } } });
  assert.equal((await reasonOf(repositoryAt(faulty.host).tags())).code, 'WB-509');
});

test('referrers without end stop at the page limit', async () => {
  let page = 0;
  const fault = {
    kind: 'headers',
    get set() {
      return { link: `</v2/team/app/referrers/${image.digest}?page=${++page}>; rel="next"` };
    },
  } as const;
  faulty.misbehave({ path: /referrers/, fault });
  const why = await reasonOf(repositoryAt(faulty.host).referrers(image.digest));
  assert.deepEqual([why.code, why.side, why.exit], ['WB-509', 'environment', 20]);
  assert.match(why.hint, /operator/);
  assert.equal(faulty.seen.filter((request) => /referrers/.test(request.path)).length, 20);
});

test('a list of more referrers than are read is refused whole, as something that cannot be seen', async () => {
  const entry = (n: number) => ({
    mediaType: mediaType.ociManifest,
    digest: `sha256:${n.toString(16).padStart(64, '0')}`,
    size: 2,
  });
  const manifests = Array.from({ length: 3000 }, (_, n) => entry(n));
  const body = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.ociIndex, manifests });
  const headers = { 'content-type': mediaType.ociIndex };
  faulty.misbehave({ path: /referrers/, fault: { kind: 'answer', status: 200, headers, body } });
  const why = await reasonOf(listAttachments(repositoryAt(faulty.host), image.digest));
  assert.deepEqual([why.code, why.exit, why.actual], ['WB-509', 20, '3000']);
});

test('a later page of referrers that fails is a failure, never a shorter list', async () => {
  const repository = repositoryAt(faulty.host, 'pages/app');
  const subject = descriptorOf(await putImage(repository, 'pages'));
  await attachBundle(repository, subject, utf8('{"a":1}'), { createdMs: 0 });
  const path = `/v2/pages/app/referrers/${subject.digest}`;
  const link = `<${path}?page=2>; rel="next"`;
  faulty.misbehave(
    { path: /referrers\/[^?]*\?page=2/, fault: { kind: 'answer', status: 404 } },
    { path: /referrers/, fault: { kind: 'headers', set: { link } } },
  );
  const fresh = repositoryAt(faulty.host, 'pages/app');
  assert.equal((await reasonOf(fresh.referrers(subject.digest))).side, 'environment');
});

test('a referrers list that names a manifest about something else is a problem, not an attachment', async () => {
  const repository = repositoryAt(faulty.host, 'lists/wrong');
  const mine = await putImage(repository, 'mine');
  const other = await putImage(repository, 'other');
  const bundle = await attachBundle(repository, descriptorOf(other), utf8('{"a":1}'), { createdMs: 0 });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaType.ociIndex,
    manifests: [
      { mediaType: mediaType.ociManifest, digest: bundle.manifest.digest, size: bundle.manifest.size },
    ],
  });
  const headers = { 'content-type': mediaType.ociIndex };
  faulty.misbehave({ path: /referrers/, fault: { kind: 'answer', status: 200, headers, body: index } });
  const found = await listAttachments(repository, mine.digest);
  assert.deepEqual(found.bundles, []);
  assert.deepEqual(
    found.problems.map((problem) => problem.reason.code),
    ['WB-516'],
  );
});

test('a fallback tag that holds nonsense does not hide what the API lists, but is no empty list either', async () => {
  const repository = repositoryAt(faulty.host, 'nonsense/app');
  const subject = descriptorOf(await putImage(repository, 'nonsense'));
  await attachBundle(repository, subject, utf8('{"a":1}'), { createdMs: 0 });
  const tag = new RegExp(`/manifests/${fallbackTag(subject.digest)}$`);
  const nonsense = { path: tag, fault: { kind: 'answer', status: 200, body: 'x' } } as const;
  faulty.misbehave(nonsense);
  assert.equal((await repository.referrers(subject.digest)).length, 1);
  faulty.misbehave(nonsense, noReferrersApi[0]);
  const fresh = repositoryAt(faulty.host, 'nonsense/app');
  assert.equal((await reasonOf(fresh.referrers(subject.digest))).code, 'WB-520');
  const headers = { 'content-type': mediaType.ociIndex };
  const empty = JSON.stringify({ schemaVersion: 2, mediaType: mediaType.ociIndex, manifests: [] });
  const nobody = { kind: 'answer', status: 200, headers, body: empty } as const;
  faulty.misbehave(nonsense, { path: /referrers/, fault: nobody });
  assert.equal((await reasonOf(fresh.referrers(subject.digest))).code, 'WB-520');
});

test('a registry that cannot be asked for referrers is unavailable, not empty', async () => {
  faulty.misbehave({ path: /referrers/, fault: { kind: 'answer', status: 500 } });
  const why = await reasonOf(listAttachments(repositoryAt(faulty.host), image.digest));
  assert.equal(why.code, 'WB-504');
  assert.equal(why.side, 'environment');
});

const noReferrersApi = [
  { path: /referrers/, fault: { kind: 'answer', status: 404, body: '404 page not found' } },
  { method: 'PUT', path: manifests, fault: { kind: 'headers', set: { 'oci-subject': undefined } } },
] as const;

test('without the referrers API a bundle is found through the fallback tag, with type and annotations', async () => {
  faulty.misbehave(...noReferrersApi);
  const repository = repositoryAt(faulty.host, 'old/app');
  const subject = descriptorOf(await putImage(repository, 'old', { tag: 'v1' }));
  await attachBundle(repository, subject, utf8('{"b":1}'), {
    predicateType: 'https://p.example',
    createdMs: 0,
  });
  const held = await repository.tagged(fallbackTag(subject.digest));
  const entry = held?.manifest.kind === 'index' ? held.manifest.manifests[0] : undefined;
  assert.equal(entry?.artifactType, mediaType.bundle);
  assert.equal(entry?.annotations.get('dev.sigstore.bundle.predicateType'), 'https://p.example');
  const found = await listAttachments(repositoryAt(faulty.host, 'old/app'), subject.digest);
  assert.equal(found.bundles.length, 1);
});

test('OCI-Subject from a registry without the API is not believed', async () => {
  faulty.misbehave(noReferrersApi[0]);
  const repository = repositoryAt(faulty.host, 'half/app');
  const subject = descriptorOf(await putImage(repository, 'half', { tag: 'v1' }));
  await attachBundle(repository, subject, utf8('{"b":2}'), { createdMs: 0 });
  assert.ok((await repository.tagged(fallbackTag(subject.digest))) !== undefined);
});

test('sixteen writers of one fallback tag lose nothing when the registry honours conditions', async () => {
  faulty.misbehave(...noReferrersApi);
  await attachMany('busy/app', 16);
});

test('an update lost to a writer without conditions is written again', async () => {
  const repository = repositoryAt(faulty.host, 'lossy/app');
  const subject = descriptorOf(await putImage(repository, 'lossy', { tag: 'v1' }));
  const tag = fallbackTag(subject.digest);
  const rival = repositoryAt(faulty.inner.host, 'lossy/app');
  let lost = 0;
  // The rival overwrites the tag with a list that does not know ours, right after our write.
  const overwrite = async (): Promise<void> => {
    lost++;
    const held = await rival.tagged(tag);
    if (held === undefined) return;
    const { buildIndex } = await import('#formats/oci');
    await rival.putManifest(buildIndex({ manifests: [] }), { tag });
  };
  const isTag = new RegExp(`/manifests/${tag}$`);
  faulty.misbehave(
    { method: 'GET', path: isTag, fault: { kind: 'deaf', to: [] }, times: 1 },
    { method: 'GET', path: isTag, fault: { kind: 'meanwhile', run: overwrite }, times: 1 },
    ...noReferrersApi,
  );
  await attachBundle(repository, subject, utf8('{"b":3}'), { createdMs: 0 });
  assert.equal(lost, 1);
  const found = await listAttachments(repositoryAt(faulty.host, 'lossy/app'), subject.digest);
  assert.equal(found.bundles.length, 1);
});

test('a tag that never keeps the change is a conflict', async () => {
  const repository = repositoryAt(faulty.host, 'stubborn/app');
  const subject = descriptorOf(await putImage(repository, 'stubborn', { tag: 'v1' }));
  const isTag = new RegExp(`/manifests/${fallbackTag(subject.digest)}$`);
  faulty.misbehave({ method: 'GET', path: isTag, fault: { kind: 'answer', status: 404 } }, ...noReferrersApi);
  // The tag exists but reads as absent, so If-None-Match: * fails each time after the first.
  const why = await reasonOf(attachBundle(repository, subject, utf8('{"b":4}'), { createdMs: 0 }));
  assert.equal(why.code, 'WB-508');
});

test('a registry that stores something else than was pushed is found out', async () => {
  faulty.misbehave({ method: 'PUT', path: manifests, fault: { kind: 'answer', status: 400 } });
  assert.equal((await reasonOf(putImage(repositoryAt(faulty.host, 'refused/app'), 'x'))).code, 'WB-510');
});

test('a registry that does not delete says so', async () => {
  faulty.misbehave({ method: 'DELETE', path: manifests, fault: { kind: 'answer', status: 405 } });
  assert.equal((await reasonOf(repositoryAt(faulty.host).deleteManifest(image.digest))).code, 'WB-514');
});

async function attachMany(name: string, count: number): Promise<void> {
  const subject = descriptorOf(await putImage(repositoryAt(faulty.host, name), name, { tag: 'v1' }));
  const writers = Array.from({ length: count }, (_, i) => {
    // Real, short waits: with none at all sixteen writers only trip over each other.
    const sleep = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, (i * 7) % 23));
    const repository = quickRegistry({ sleep }).repository({ registry: faulty.host, repository: name });
    return attachBundle(repository, subject, utf8(`{"writer":${i}}`), { createdMs: 0 });
  });
  await Promise.all(writers);
  const found = await listAttachments(repositoryAt(faulty.host, name), subject.digest);
  assert.equal(found.bundles.length, count);
}
