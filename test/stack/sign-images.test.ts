/** Several images in one go: an index with all below it, and one certificate for every statement of a run. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildIndex, descriptorOf } from '#formats/oci';
import { waybillHere } from '../cli/here.ts';
import { putImage, quickRegistry } from '../oci/helpers.ts';
import { ada, startStack, temporaryFolder } from './helper.ts';

const stack = await startStack();
const folder = await temporaryFolder();
const repository = quickRegistry().repository({ registry: stack.registryHost, repository: 'acme/multi' });
const images = [await putImage(repository, 'one'), await putImage(repository, 'two')];
const platform = (architecture: string) => ({ os: 'linux', architecture });
const [one, two] = images.map((image) => descriptorOf(image));
assert.ok(one !== undefined && two !== undefined);
// One image stands for two platforms.
const index = buildIndex({
  manifests: [
    { ...one, platform: platform('amd64') },
    { ...one, platform: platform('386') },
    { ...two, platform: platform('arm64') },
  ],
});
await repository.putManifest(index, { tag: 'v1' });

const waybill = async (...args: string[]) => {
  const token = (await stack.mint({ sub: ada, email: ada })).reveal();
  const env = { ...process.env, HOME: folder, DOCKER_CONFIG: folder, WAYBILL_STACK: stack.dataDir };
  return waybillHere([...args, '--identity-token', token], { env });
};
const bundlesOf = async (digest: typeof one.digest) => (await repository.referrers(digest)).length;

test('sign -r signs an index and every image in it once, the index last', async () => {
  const ran = await waybill('sign', '--json', '-r', `${stack.registryHost}/acme/multi:v1`);
  assert.equal(ran.code, 0, ran.stderr);
  const signed = JSON.parse(ran.stdout).images as { image: string }[];
  const digests = signed.map(({ image }) => image.slice(image.indexOf('@') + 1));
  assert.deepEqual(digests, [one.digest, two.digest, index.digest]);
  for (const digest of digests) assert.equal(await bundlesOf(digest as typeof one.digest), 1);
});

test('attest says one thing about several images with one certificate', async () => {
  const predicate = join(folder, 'predicate.json');
  await writeFile(predicate, '{"ok":true}');
  const places = images.map(({ digest }) => `${stack.registryHost}/acme/multi@${digest}`);
  const before = await Promise.all(images.map(({ digest }) => bundlesOf(digest)));
  const issued = async () => {
    const head = (await (await fetch(`${stack.origins.ct}/ct/v1/get-sth`)).json()) as { tree_size: number };
    return head.tree_size;
  };
  const certificates = await issued();
  const ran = await waybill('attest', '--json', '--predicate', predicate, '--type', 'custom', ...places);
  assert.equal(ran.code, 0, ran.stderr);
  const attested = JSON.parse(ran.stdout).images as { image: string }[];
  assert.deepEqual(
    attested.map(({ image }) => image),
    places,
  );
  assert.deepEqual(
    await Promise.all(images.map(({ digest }) => bundlesOf(digest))),
    before.map((count) => count + 1),
  );
  assert.equal(await issued(), certificates + 1);
});
