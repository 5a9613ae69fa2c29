/** crane (go-containerregistry) against our registry, and our client against what crane pushed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { Secret } from '#base/secret';
import { descriptorOf } from '#formats/oci';
import { attachBundle, copyImage, createLayout, listAttachments, openLayout } from '#oci';
import { run } from '#platform/process';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { drain, putImage, putMultiArch, repositoryAt } from '../oci/helpers.ts';
import { requirePeer } from './cache.ts';

const binary = requirePeer('crane');
let folder: string;
let registry: RunningRegistry;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-crane-'));
  registry = await createRegistry({ dataDir: join(folder, 'registry') });
  await writeFile(join(folder, 'hello.txt'), 'hello\n');
  await run('tar', ['czf', join(folder, 'layer.tgz'), '-C', folder, 'hello.txt']);
});
after(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

/** Runs crane to its end; a failure shows its output. */
async function crane(...args: readonly string[]): Promise<string> {
  const result = await run(binary, args, {
    env: { ...process.env, DOCKER_CONFIG: folder },
    timeoutMs: 60_000,
  });
  assert.equal(result.code, 0, `crane ${args.join(' ')}\n${result.stderr}`);
  return result.stdout.trim();
}

const at = (name: string) => repositoryAt(registry.host, name);

test('crane pushes, lists, validates, copies, exports and deletes', async () => {
  const image = `${registry.host}/crane/app`;
  await crane('append', '--oci-empty-base', '-f', join(folder, 'layer.tgz'), '-t', `${image}:v1`);
  assert.equal(await crane('ls', image), 'v1');
  await crane('validate', '--remote', `${image}:v1`);
  await crane('copy', `${image}:v1`, `${registry.host}/crane/copy:v2`);
  assert.equal(
    await crane('export', `${registry.host}/crane/copy:v2`, '-').then((tar) => tar.includes('hello')),
    true,
  );
  assert.deepEqual((await crane('catalog', registry.host)).split('\n'), ['crane/app', 'crane/copy']);
  const digest = await crane('digest', `${image}:v1`);
  const ours = await at('crane/app').resolve({ tag: 'v1' });
  assert.equal(ours.digest, digest);
  const manifest = await at('crane/app').manifest(ours.digest);
  assert.ok(manifest.kind === 'manifest' && manifest.layers[0]);
  assert.equal(await drain(at('crane/app').blob(manifest.layers[0])), manifest.layers[0].size);
  await crane('delete', `${image}@${digest}`);
  assert.equal(await crane('ls', image), '');
});

test('crane copies an index of ours with all platforms', async () => {
  const { index } = await putMultiArch(at('multi'), 'multi', 'v1');
  await crane('copy', `${registry.host}/multi:v1`, `${registry.host}/multi-copy:v1`);
  assert.equal(await crane('digest', `${registry.host}/multi-copy:v1`), index.digest);
  const one = await crane('digest', '--platform', 'linux/arm64', `${registry.host}/multi-copy:v1`);
  assert.equal(one, index.manifests[1]?.digest);
});

test('layouts go both ways', async () => {
  await putImage(at('layout'), 'layout', { tag: 'v1' });
  const theirs = join(folder, 'theirs');
  await crane('pull', '--format', 'oci', `${registry.host}/layout:v1`, theirs);
  const digest = await crane('digest', `${registry.host}/layout:v1`);
  assert.equal((await (await openLayout(theirs)).resolve({})).digest, digest);
  const ours = join(folder, 'ours');
  await copyImage(at('layout'), { tag: 'v1' }, await createLayout(ours), { tag: 'v1' });
  await crane('push', ours, `${registry.host}/layout-back:v1`);
  assert.equal(await crane('digest', `${registry.host}/layout-back:v1`), digest);
});

test('a docker archive of crane is read with the digests of its content', async () => {
  const file = join(folder, 'docker.tar');
  await crane(
    'append',
    '--oci-empty-base',
    '-f',
    join(folder, 'layer.tgz'),
    '-t',
    `${registry.host}/tarball:v1`,
  );
  await crane('pull', `${registry.host}/tarball:v1`, file);
  const { openImage } = await import('#oci');
  const { quickRegistry } = await import('../oci/helpers.ts');
  const { source, selector } = await openImage(quickRegistry(), `docker-archive:${file}`);
  const manifest = await source.manifest((await source.resolve(selector)).digest);
  assert.ok(manifest.kind === 'manifest' && manifest.layers[0]);
  assert.equal(await drain(source.blob(manifest.layers[0])), manifest.layers[0].size);
});

test('a tag crane moves between two reads of ours is seen, the digest stays', async () => {
  const first = await putImage(at('moved'), 'first', { tag: 'v1' });
  const second = await putImage(at('moved'), 'second', { tag: 'next' });
  const resolved = await at('moved').resolve({ tag: 'v1' });
  await crane('tag', `${registry.host}/moved:next`, 'v1');
  assert.equal(resolved.digest, first.digest);
  assert.equal((await at('moved').resolve({ tag: 'v1' })).digest, second.digest);
});

test('a bundle attached by ours survives a copy of the fallback tag by crane', async () => {
  const image = descriptorOf(await putImage(at('attached'), 'x', { tag: 'v1' }));
  const bundle = await attachBundle(at('attached'), image, utf8('{"b":1}'), { createdMs: 0 });
  await crane('copy', `${registry.host}/attached:v1`, `${registry.host}/attached-copy:v1`);
  await crane(
    'copy',
    `${registry.host}/attached@${bundle.manifest.digest}`,
    `${registry.host}/attached-copy`,
  );
  assert.equal((await listAttachments(at('attached-copy'), image.digest)).bundles.length, 1);
});

test('crane logs in with a token of ours and is refused without', async () => {
  const grant = { name: 'ci', token: new Secret('s3cret'), repositories: ['team/*'] };
  const tokens = [{ ...grant, actions: ['pull', 'push'] as const }];
  const closed = await createRegistry({ dataDir: join(folder, 'closed'), tokens });
  try {
    const args = ['append', '--oci-empty-base', '-f', join(folder, 'layer.tgz'), '-t'];
    const env = { ...process.env, DOCKER_CONFIG: folder };
    const refused = await run(binary, [...args, `${closed.host}/team/app:v1`], { env });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /401|UNAUTHORIZED/);
    await crane('auth', 'login', closed.host, '-u', 'ci', '-p', 's3cret');
    await crane(...args, `${closed.host}/team/app:v1`);
    const denied = await run(binary, [...args, `${closed.host}/other/app:v1`], { env });
    assert.match(denied.stderr, /403|DENIED/);
  } finally {
    await closed.close();
  }
});
