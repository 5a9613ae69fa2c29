/** What cosign stores beside an image is found and copied by ours; what ours copies, cosign verifies. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { copyImage, createLayout, listAttachments, openLayout } from '#oci';
import { type RunResult, run } from '#platform/process';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { faultyRegistry } from '../double/registry-faults.ts';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { requirePeer } from './cache.ts';

const binary = requirePeer('cosign');
let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-cosign-'));
  registry = await createRegistry({ dataDir: join(folder, 'registry') });
  await cosign('generate-key-pair');
  await writeFile(join(folder, 'predicate.json'), '{"checked":true}');
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

async function tryCosign(...args: readonly string[]): Promise<RunResult> {
  const env = { ...process.env, COSIGN_PASSWORD: 'x', HOME: folder, DOCKER_CONFIG: folder };
  return run(binary, args, { cwd: folder, env, timeoutMs: 120_000 });
}

async function cosign(...args: readonly string[]): Promise<string> {
  const result = await tryCosign(...args);
  assert.equal(result.code, 0, `cosign ${args.join(' ')}\n${result.stderr}`);
  return result.stdout;
}

const withKey = ['-y', '--key', 'cosign.key', '--tlog-upload=false', '--use-signing-config=false'];
const legacy = '--new-bundle-format=false';
const byKey = ['--key', 'cosign.pub', '--insecure-ignore-tlog'];

/** Signs and attests with cosign in both layouts. */
async function signAll(image: string): Promise<void> {
  await cosign('sign', ...withKey, legacy, image);
  await cosign('sign', ...withKey, image);
  const attest = ['attest', ...withKey, '--type', 'custom', '--predicate', 'predicate.json'];
  await cosign(...attest, legacy, image);
  await cosign(...attest, image);
}

async function verifyAll(image: string): Promise<void> {
  await cosign('verify', ...byKey, image);
  await cosign('verify', ...byKey, legacy, image);
  await cosign('verify-attestation', ...byKey, '--type', 'custom', image);
  await cosign('verify-attestation', ...byKey, '--type', 'custom', legacy, image);
}

const at = (name: string) => repositoryAt(registry.host, name);

test('ours finds what cosign attached in both layouts', async () => {
  const image = await putImage(at('found'), 'found', { tag: 'v1' });
  await signAll(`${registry.host}/found@${image.digest}`);
  const found = await listAttachments(at('found'), image.digest);
  assert.deepEqual(
    [found.bundles.length, found.legacySignatures.length, found.legacyAttestations.length, found.problems],
    [2, 1, 1, []],
  );
  assert.deepEqual(
    found.bundles.map((bundle) => bundle.predicateType ?? '').toSorted((a, b) => (a < b ? -1 : 1)),
    ['https://cosign.sigstore.dev/attestation/v1', 'https://sigstore.dev/cosign/sign/v1'],
  );
});

test('what ours copied to another repository, and through a layout, cosign verifies', async () => {
  const image = await putImage(at('source'), 'source', { tag: 'v1' });
  await signAll(`${registry.host}/source@${image.digest}`);
  await copyImage(at('source'), { tag: 'v1' }, at('promoted'), { tag: 'v1' });
  await verifyAll(`${registry.host}/promoted:v1`);
  const directory = join(folder, 'layout');
  await copyImage(at('source'), { tag: 'v1' }, await createLayout(directory), { tag: 'v1' });
  await cosign('verify', ...byKey, legacy, '--local-image', directory);
  await copyImage(await openLayout(directory), {}, at('carried'), { tag: 'v1' });
  await verifyAll(`${registry.host}/carried:v1`);
});

test('a copy to a registry without the referrers API is verified by cosign too', async () => {
  const old = await faultyRegistry();
  try {
    old.misbehave(
      { path: /referrers/, fault: { kind: 'answer', status: 404 } },
      { method: 'PUT', path: /manifests/, fault: { kind: 'headers', set: { 'oci-subject': undefined } } },
    );
    const image = await putImage(at('modern'), 'modern', { tag: 'v1' });
    await signAll(`${registry.host}/modern@${image.digest}`);
    await copyImage(at('modern'), { tag: 'v1' }, repositoryAt(old.host, 'old'), { tag: 'v1' });
    await verifyAll(`${old.host}/old:v1`);
  } finally {
    await old.close();
  }
});

test('a layout saved by cosign is read with everything in it', async () => {
  const image = await putImage(at('saved'), 'saved', { tag: 'v1' });
  await signAll(`${registry.host}/saved@${image.digest}`);
  const directory = join(folder, 'saved');
  await cosign('save', '--dir', directory, `${registry.host}/saved:v1`);
  const layout = await openLayout(directory);
  assert.equal((await layout.resolve({})).digest, image.digest);
  const found = await listAttachments(layout, image.digest);
  assert.deepEqual(
    [found.bundles.length, found.legacySignatures.length, found.legacyAttestations.length],
    [2, 1, 1],
  );
});

test('cosign clean removes what ours attached, since the config descriptor carries the type', async () => {
  const { attachBundle } = await import('#oci');
  const { descriptorOf } = await import('#formats/oci');
  const image = await putImage(at('cleaned'), 'cleaned', { tag: 'v1' });
  const bundle = new TextEncoder().encode('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}');
  await attachBundle(at('cleaned'), descriptorOf(image), bundle, { predicateType: 'x', createdMs: 0 });
  await cosign('clean', '--type', 'referrer', '-f', `${registry.host}/cleaned:v1`);
  assert.deepEqual((await listAttachments(at('cleaned'), image.digest)).bundles, []);
});
