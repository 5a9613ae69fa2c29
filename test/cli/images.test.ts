/** The verbs over images, in the words users have for them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { Secret } from '#base/secret';
import { descriptorOf, type ImageManifest } from '#formats/oci';
import { attachBundle, attachLegacySignature, listAttachments } from '#oci';
import type { RunResult } from '#platform/process';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { putImage, putMultiArch, repositoryAt } from '../oci/helpers.ts';
import { waybillHere } from './here.ts';

let folder: string;
let registry: RunningRegistry;
let image: ImageManifest;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-cli-'));
  registry = await createRegistry({ dataDir: join(folder, 'registry') });
  const repository = repositoryAt(registry.host, 'app');
  image = await putImage(repository, 'app', { tag: 'v1' });
  await attachBundle(repository, descriptorOf(image), utf8('{"b":1}'), {
    predicateType: 'https://p',
    createdMs: 0,
  });
  await attachLegacySignature(repository, image.digest, utf8('{}'), { signature: 'c2ln' });
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

const waybill = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunResult> =>
  waybillHere(args, { env: { ...process.env, HOME: folder, DOCKER_CONFIG: folder, ...env } });

const ref = (name: string): string => `${registry.host}/${name}`;

test('digest prints the digest alone, or the pinned reference', async () => {
  const plain = await waybill(['digest', ref('app:v1')]);
  assert.deepEqual([plain.code, plain.stdout], [0, `${image.digest}\n`]);
  const full = await waybill(['digest', '--full-ref', ref('app:v1')]);
  assert.equal(full.stdout, `${ref('app')}@${image.digest}\n`);
});

test('digest picks a platform, and says when a tag beside a digest has moved', async () => {
  const { images } = await putMultiArch(repositoryAt(registry.host, 'multi'), 'm', 'v1');
  const arm = await waybill(['digest', '--platform', 'linux/arm64', ref('multi:v1')]);
  assert.equal(arm.stdout, `${images[1]?.digest}\n`);
  const moved = await waybill(['digest', `${ref('multi:v1')}@${images[0]?.digest}`]);
  assert.equal(moved.stdout, `${images[0]?.digest}\n`);
  assert.match(moved.stderr, /the tag names sha256:/);
});

test('an image that is not there exits 11, a malformed name 3', async () => {
  const absent = await waybill(['digest', ref('app:none')]);
  assert.deepEqual([absent.code, absent.stdout], [11, '']);
  assert.match(absent.stderr, /WB-502/);
  const malformed = await waybill(['digest', 'Not/A:Name:Here']);
  assert.equal(malformed.code, 3);
  assert.match(malformed.stderr, /WB-185/);
});

test('tree shows what is attached in both layouts', async () => {
  const shown = await waybill(['tree', ref('app:v1')]);
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, /├── 1 signatures {2}tag sha256-[0-9a-f]{64}\.sig\n└── bundle {2}https:\/\/p /);
  const json = JSON.parse((await waybill(['tree', '--json', ref('app:v1')])).stdout);
  assert.equal(json.schema, 'waybill.dev/tree/v1');
  assert.equal(json.root.children.length, 2);
});

test('copy, save and load carry everything', async () => {
  const count = async (name: string): Promise<number> => {
    const found = await listAttachments(repositoryAt(registry.host, name), image.digest);
    return found.bundles.length + found.legacySignatures.length;
  };
  const copied = await waybill(['copy', '--quiet', ref('app:v1'), ref('prod/app:v1')]);
  assert.deepEqual([copied.code, copied.stderr], [0, '']);
  assert.equal(copied.stdout, `${ref('prod/app')}@${image.digest}\n`);
  assert.equal(await count('prod/app'), 2);
  const dir = join(folder, 'layout');
  assert.equal((await waybill(['save', ref('prod/app:v1'), '--dir', dir])).code, 0);
  assert.equal((await waybill(['load', ref('loaded/app:v1'), '--dir', dir, '--source-tag', 'v1'])).code, 0);
  assert.equal(await count('loaded/app'), 2);
  const bare = await waybill(['copy', '--without-attachments', '--json', ref('app:v1'), ref('bare/app:v1')]);
  assert.equal(JSON.parse(bare.stdout).attachments, 0);
  assert.equal(await count('bare/app'), 0);
});

test('credentials come from flags or the environment, go to that registry, and their absence exits 21', async () => {
  const token = {
    name: 'ci',
    token: new Secret('s3cret'),
    actions: ['pull', 'push'] as const,
    repositories: ['*'],
  };
  const closed = await createRegistry({ dataDir: join(folder, 'closed'), tokens: [token] });
  try {
    const target = `${closed.host}/app:v1`;
    const refused = await waybill(['copy', '--quiet', ref('app:v1'), target]);
    assert.equal(refused.code, 21);
    assert.match(refused.stderr, /WB-501/);
    const flags = ['--registry-username', 'ci', '--registry-password', 's3cret'];
    assert.equal((await waybill(['copy', '--quiet', ...flags, ref('app:v1'), target])).code, 0);
    assert.equal((await waybill(['digest', target], { WAYBILL_REGISTRY_TOKEN: 's3cret' })).code, 0);
    assert.equal((await waybill(['digest', target], { WAYBILL_REGISTRY_TOKEN: 'wrong' })).code, 21);
    const env = { WAYBILL_REGISTRY_USERNAME: 'ci', WAYBILL_REGISTRY_PASSWORD: 's3cret' };
    assert.equal((await waybill(['digest', target], env)).code, 0);
  } finally {
    await closed.close();
  }
});

test('clean removes what is attached and never the image, lists first, and needs a word', async () => {
  assert.equal((await waybill(['copy', '--quiet', ref('app:v1'), ref('cleaned:v1')])).code, 0);
  const target = ref('cleaned:v1');
  const count = async (): Promise<readonly number[]> => {
    const found = await listAttachments(repositoryAt(registry.host, 'cleaned'), image.digest);
    return [found.bundles.length, found.legacySignatures.length];
  };
  const unsaid = await waybill(['clean', target]);
  assert.equal(unsaid.code, 3);
  assert.match(unsaid.stderr, /expected:\s+--yes/);
  const listed = await waybill(['clean', '--dry-run', target]);
  assert.deepEqual([listed.code, await count()], [0, [1, 1]]);
  assert.equal(listed.stdout.match(/would remove/g)?.length, 2);
  const bundles = JSON.parse(
    (await waybill(['clean', '--json', '--yes', '--type', 'bundle', target])).stdout,
  );
  assert.deepEqual([bundles.schema, bundles.removed.length], ['waybill.dev/clean/v1', 1]);
  assert.deepEqual(await count(), [0, 1]);
  assert.equal((await waybill(['clean', '--yes', target])).code, 0);
  assert.deepEqual(await count(), [0, 0]);
  assert.match((await waybill(['clean', '--yes', target])).stdout, /nothing is attached/);
  assert.equal((await waybill(['digest', target])).stdout, `${image.digest}\n`);
});

test('help names every option', async () => {
  const help = await waybill(['copy', '--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--without-attachments[\s\S]*--allow-http-registry/);
});
