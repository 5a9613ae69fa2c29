import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { parseImageConfig } from '#formats/image-config';
import {
  buildManifest,
  type Descriptor,
  descriptorOf,
  emptyDescriptor,
  emptyJson,
  type ImageManifest,
  mediaType,
} from '#formats/oci';
import {
  attachBundle,
  attachLegacyAttestation,
  attachLegacySignature,
  attachmentPlaces,
  cleanAttachments,
  fallbackTag,
  imageTree,
  legacyTag,
  listAttachments,
  readBlob,
} from '#oci';
import { httpTransport, type Transport } from '#platform/http-client';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { once, putBytes, putImage, quickRegistry, reasonOf, repositoryAt } from './helpers.ts';

let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-attach-'));
  registry = await createRegistry({ dataDir: folder });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

const at = (name: string) => repositoryAt(registry.host, name);
const SIGN = 'https://sigstore.dev/cosign/sign/v1';

test('the manifest of a bundle is the one cosign writes, field by field', async () => {
  const repository = at('exact');
  const image = descriptorOf(await putImage(repository, 'exact'));
  const bundle = utf8('{"mediaType":"x"}');
  const createdMs = Date.UTC(2026, 10, 21, 12, 0, 0);
  const { manifest } = await attachBundle(repository, image, bundle, { predicateType: SIGN, createdMs });
  const text = new TextDecoder().decode((await repository.manifest(manifest.digest)).bytes);
  const layer = (await repository.manifest(manifest.digest)) as ImageManifest;
  assert.equal(
    text,
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",' +
      '"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,' +
      '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",' +
      '"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"},' +
      '"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":17,' +
      `"digest":"${layer.layers[0]?.digest}"}],` +
      '"annotations":{"dev.sigstore.bundle.content":"dsse-envelope",' +
      `"dev.sigstore.bundle.predicateType":"${SIGN}",` +
      '"org.opencontainers.image.created":"2026-11-21T12:00:00Z"},' +
      `"subject":{"mediaType":"${image.mediaType}","size":${image.size},"digest":"${image.digest}"},` +
      '"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}',
  );
});

test('both layouts are read together and neither hides the other', async () => {
  const repository = at('both');
  const image = descriptorOf(await putImage(repository, 'both'));
  await attachBundle(repository, image, utf8('{"b":1}'), { predicateType: SIGN, createdMs: 0 });
  const material = { signature: 'c2ln', certificate: 'PEM', rekorBundle: '{}', timestamp: '{"t":1}' };
  await attachLegacySignature(repository, image.digest, utf8('{"payload":1}'), material);
  await attachLegacyAttestation(repository, image.digest, utf8('{"payloadType":"x"}'), {
    predicateType: 'https://slsa.dev/provenance/v1',
  });
  const found = await listAttachments(repository, image.digest);
  assert.deepEqual(
    [
      found.bundles.length,
      found.legacySignatures.length,
      found.legacyAttestations.length,
      found.problems.length,
    ],
    [1, 1, 1, 0],
  );
  const [bundle] = found.bundles;
  assert.equal(bundle?.predicateType, SIGN);
  assert.deepEqual(bundle?.bytes, utf8('{"b":1}'));
  const [signature] = found.legacySignatures;
  assert.deepEqual(signature?.payload, utf8('{"payload":1}'));
  assert.equal(signature?.signature, 'c2ln');
  assert.equal(signature?.certificate, 'PEM');
  assert.equal(signature?.chain, undefined);
  assert.equal(signature?.rekorBundle, '{}');
  assert.equal(signature?.timestamp, '{"t":1}');
  const [attestation] = found.legacyAttestations;
  assert.equal(attestation?.predicateType, 'https://slsa.dev/provenance/v1');
  assert.equal(attestation?.signature, undefined);
  assert.equal(attestation?.layer.annotations.get('dev.cosignproject.cosign/signature'), '');
});

test('signatures of many jobs at once are all in the tag, each once', async () => {
  const repository = at('parallel');
  const image = descriptorOf(await putImage(repository, 'parallel'));
  const sleep = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  const sign = (i: number) =>
    attachLegacySignature(
      repositoryAt(registry.host, 'parallel', { sleep }),
      image.digest,
      utf8(`{"n":${i}}`),
      {
        signature: 'c2ln',
      },
    );
  await Promise.all(Array.from({ length: 10 }, (_, i) => sign(i)));
  await sign(0);
  const found = await listAttachments(repository, image.digest);
  assert.equal(found.legacySignatures.length, 10);
});

test('the image of legacy signatures has a real config that lists its layers, and no time', async () => {
  const repository = at('config');
  const image = descriptorOf(await putImage(repository, 'config'));
  await attachLegacySignature(repository, image.digest, utf8('{"n":1}'), { signature: 'c2ln' });
  await attachLegacySignature(repository, image.digest, utf8('{"n":2}'), { signature: 'c2ln' });
  const held = (await repository.tagged(legacyTag(image.digest, 'sig')))?.manifest as ImageManifest;
  const config = unwrap(parseImageConfig(await readBlob(repository, held.config)));
  assert.deepEqual(
    config.diffIds,
    held.layers.map((layer) => layer.digest),
  );
  assert.equal(config.created, '0001-01-01T00:00:00Z');
});

test('the same bundle found through the API and the fallback tag counts once', async () => {
  const repository = at('twice');
  const image = descriptorOf(await putImage(repository, 'twice'));
  const bundle = await attachBundle(repository, image, utf8('{"b":1}'), { createdMs: 0 });
  const { buildIndex } = await import('#formats/oci');
  await repository.putManifest(buildIndex({ manifests: [bundle.manifest] }), {
    tag: fallbackTag(image.digest),
  });
  const found = await listAttachments(repository, image.digest);
  assert.equal(found.bundles.length, 1);
  assert.equal((await repository.referrers(image.digest))[0]?.artifactType, mediaType.bundle);
});

test('two bundles of the same bytes under two manifests count once', async () => {
  const repository = at('same');
  const image = descriptorOf(await putImage(repository, 'same'));
  await attachBundle(repository, image, utf8('{"b":1}'), { createdMs: 0 });
  await attachBundle(repository, image, utf8('{"b":1}'), { createdMs: 5000 });
  assert.equal((await repository.referrers(image.digest)).length, 2);
  assert.equal((await listAttachments(repository, image.digest)).bundles.length, 1);
});

test('legacy signatures stored as OCI 1.1 referrers are found', async () => {
  const repository = at('oci11');
  const image = descriptorOf(await putImage(repository, 'oci11'));
  const payload = await putBytes(repository, utf8('{"p":1}'), mediaType.simpleSigning);
  await repository.putBlob(emptyDescriptor, () => once(emptyJson));
  const layer = { ...payload, annotations: new Map([['dev.cosignproject.cosign/signature', 'c2ln']]) };
  const artifactType = 'application/vnd.dev.cosign.artifact.sig.v1+json';
  await repository.putManifest(
    buildManifest({ config: emptyDescriptor, layers: [layer], subject: image, artifactType }),
  );
  assert.equal((await listAttachments(repository, image.digest)).legacySignatures.length, 1);
});

test('an SBOM tag and a referrer of another kind are listed as what they are', async () => {
  const repository = at('others');
  const image = descriptorOf(await putImage(repository, 'others'));
  const sbom = await putBytes(repository, utf8('{}'), 'application/vnd.cyclonedx+json');
  await repository.putBlob(emptyDescriptor, () => once(emptyJson));
  const holder = buildManifest({ config: emptyDescriptor, layers: [sbom] });
  await repository.putManifest(holder, { tag: legacyTag(image.digest, 'sbom') });
  const readme = buildManifest({
    config: emptyDescriptor,
    layers: [],
    subject: image,
    artifactType: 'text/markdown',
  });
  await repository.putManifest(readme);
  const found = await listAttachments(repository, image.digest);
  assert.equal(found.legacySboms[0]?.layer.mediaType, 'application/vnd.cyclonedx+json');
  assert.equal(found.others[0]?.artifactType, 'text/markdown');
});

test('an attachment whose blob is gone is a problem beside the ones that are well', async () => {
  const repository = at('broken');
  const image = descriptorOf(await putImage(repository, 'broken'));
  await attachBundle(repository, image, utf8('{"b":1}'), { createdMs: 0 });
  const index = (await import('#formats/oci')).buildIndex({ manifests: [] });
  await repository.putManifest(index, { tag: legacyTag(image.digest, 'sig') });
  const found = await listAttachments(repository, image.digest);
  assert.equal(found.bundles.length, 1);
  assert.deepEqual(
    found.problems.map((problem) => problem.reason.code),
    ['WB-516'],
  );
});

test('an attachment above the size somebody reads is a problem by name, and is not fetched (WB-189)', async () => {
  const repository = at('large');
  const image = await putImage(repository, 'large');
  const small = utf8('{"mediaType":"small"}');
  const large = utf8(JSON.stringify({ mediaType: 'x'.repeat(5000) }));
  for (const bytes of [small, large]) {
    await attachBundle(repository, descriptorOf(image), bytes, { predicateType: SIGN, createdMs: 0 });
  }
  const bounded = await listAttachments(repository, image.digest, { bytesMax: large.length - 1 });
  assert.deepEqual(
    bounded.bundles.map(({ bytes }) => bytes),
    [small],
  );
  assert.deepEqual(
    bounded.problems.map(({ reason }) => reason.code),
    ['WB-189'],
  );
  const whole = await listAttachments(repository, image.digest, { bytesMax: large.length });
  assert.deepEqual([whole.bundles.length, whole.problems.length], [2, 0]);
});

test('as many attachments as the cap are read, one more is refused', async () => {
  const repository = at('many');
  const image = descriptorOf(await putImage(repository, 'many'));
  const layers: Descriptor[] = [];
  for (let i = 0; i <= limits.signaturesPerImage; i++) {
    const payload = await putBytes(repository, utf8(`{"n":${i}}`), mediaType.simpleSigning);
    layers.push({ ...payload, annotations: new Map([['dev.cosignproject.cosign/signature', 'c2ln']]) });
  }
  await repository.putBlob(emptyDescriptor, () => once(emptyJson));
  const tag = legacyTag(image.digest, 'sig');
  const put = (count: number) =>
    repository.putManifest(buildManifest({ config: emptyDescriptor, layers: layers.slice(0, count) }), {
      tag,
    });
  await put(limits.signaturesPerImage);
  const found = await listAttachments(repository, image.digest);
  assert.equal(found.legacySignatures.length, limits.signaturesPerImage);
  await put(limits.signaturesPerImage + 1);
  const why = await reasonOf(listAttachments(repository, image.digest));
  assert.deepEqual([why.code, why.exit], ['WB-509', 20]);
  assert.match(why.hint, /waybill clean --dry-run IMAGE/);
});

test('COSIGN_REPOSITORY is written to, and both repositories are read', async () => {
  const image = descriptorOf(await putImage(at('app'), 'app', { tag: 'v1' }));
  await attachBundle(at('app'), image, utf8('{"own":1}'), { createdMs: 0 });
  const name = { registry: registry.host, repository: 'app' };
  const places = attachmentPlaces(quickRegistry(), name, `${registry.host}/signatures/app`);
  assert.equal(places.write.repository, 'signatures/app');
  await attachBundle(places.write, image, utf8('{"moved":1}'), { createdMs: 0 });
  await attachLegacySignature(places.write, image.digest, utf8('{"p":1}'), { signature: 'c2ln' });
  const found = await listAttachments(places.read, image.digest);
  assert.equal(found.bundles.length, 2);
  assert.equal(found.legacySignatures.length, 1);
  assert.deepEqual(attachmentPlaces(quickRegistry(), name, '').read.length, 1);
});

test('the tree shows children, legacy tags and referrers with what they claim', async () => {
  const repository = at('tree');
  const image = descriptorOf(await putImage(repository, 'tree', { tag: 'v1' }));
  await attachBundle(repository, image, utf8('{"b":1}'), { predicateType: SIGN, createdMs: 0 });
  await attachLegacyAttestation(repository, image.digest, utf8('{}'), { predicateType: 'https://p.example' });
  const tree = await imageTree(repository, { tag: 'v1' });
  assert.deepEqual(
    tree.children.map((child) => [child.kind, ...child.predicateTypes]),
    [
      ['legacyAttestations', 'https://p.example'],
      ['bundle', SIGN],
    ],
  );
});

test('clean removes only what was asked for, and never the image', async () => {
  const repository = at('clean');
  const image = descriptorOf(await putImage(repository, 'clean', { tag: 'v1' }));
  const attach = async (): Promise<void> => {
    await attachBundle(repository, image, utf8('{"b":1}'), { createdMs: 0 });
    await attachLegacySignature(repository, image.digest, utf8('{"p":1}'), { signature: 'c2ln' });
    await attachLegacyAttestation(repository, image.digest, utf8('{}'), { predicateType: 'x' });
  };
  await attach();
  const counts = async (): Promise<readonly number[]> => {
    const found = await listAttachments(at('clean'), image.digest);
    return [found.bundles.length, found.legacySignatures.length, found.legacyAttestations.length];
  };
  assert.equal((await cleanAttachments(repository, image.digest, 'signature')).removed.length, 1);
  assert.deepEqual(await counts(), [1, 0, 1]);
  await cleanAttachments(repository, image.digest, 'bundle');
  assert.deepEqual(await counts(), [0, 0, 1]);
  await attach();
  await cleanAttachments(repository, image.digest, 'all');
  assert.deepEqual(await counts(), [0, 0, 0]);
  assert.equal((await repository.resolve({ tag: 'v1' })).digest, image.digest);
});

test('of a sha512 digest no tag is asked for that cannot exist, and its fallback tag is cut as specified', async () => {
  const subject = digestOf(utf8('long'), 'sha512');
  const asked: string[] = [];
  const real = httpTransport();
  const request: Transport['request'] = (one) => {
    asked.push(one.url);
    return real.request(one);
  };
  const repository = repositoryAt(registry.host, 'long/app', { transport: { ...real, request } });
  const found = await listAttachments(repository, subject);
  assert.deepEqual([found.legacySignatures, found.problems], [[], []]);
  await cleanAttachments(repository, subject, 'all');
  const tags = asked.map((url) => /manifests\/(.*)$/.exec(url)?.[1]).filter((tag) => tag !== undefined);
  assert.deepEqual([...new Set(tags)], [`sha512-${subject.slice('sha512:'.length).slice(0, 64)}`]);
});
