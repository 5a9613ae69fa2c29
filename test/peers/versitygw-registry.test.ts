/** Our registry over a real S3-compatible store, used by crane and by our client. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import { descriptorOf, mediaType } from '#formats/oci';
import { attachBundle, listAttachments } from '#oci';
import { run } from '#platform/process';
import { openBucket } from '#platform/store-s3-bucket';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { requirePeer } from './cache.ts';
import { startVersitygw } from './versitygw-server.ts';

const binary = requirePeer('crane');
const { root, bucketOptions } = await startVersitygw('images');
const bucket = bucketOptions('registry');
const clock = new FixedClock(Date.UTC(2026, 0, 1));
const running: RunningRegistry[] = [];
async function machine(name: string): Promise<RunningRegistry> {
  const registry = await createRegistry({ dataDir: join(root, name), bucket }, { clock });
  running.push(registry);
  return registry;
}
const [a, b] = [await machine('a'), await machine('b')];
after(async () => {
  for (const registry of running) await registry.close();
});

async function crane(...args: readonly string[]): Promise<string> {
  const env = { ...process.env, DOCKER_CONFIG: root };
  const result = await run(binary, args, { env, timeoutMs: 60_000 });
  assert.equal(result.code, 0, `crane ${args.join(' ')}\n${result.stderr}`);
  return result.stdout.trim();
}

const DAY = 86_400_000;

test('crane pushes to one machine and reads, validates, copies and deletes at the other', async () => {
  await writeFile(join(root, 'hello.txt'), 'hello\n');
  await run('tar', ['czf', join(root, 'layer.tgz'), '-C', root, 'hello.txt']);
  await crane('append', '--oci-empty-base', '-f', join(root, 'layer.tgz'), '-t', `${a.host}/crane/app:v1`);
  await crane('validate', '--remote', `${b.host}/crane/app:v1`);
  await crane('copy', `${b.host}/crane/app:v1`, `${a.host}/crane/copy:v2`);
  assert.match(await crane('export', `${b.host}/crane/copy:v2`, '-'), /hello/);
  assert.deepEqual((await crane('catalog', b.host)).split('\n'), ['crane/app', 'crane/copy']);
  const digest = await crane('digest', `${b.host}/crane/app:v1`);
  await crane('delete', `${b.host}/crane/app@${digest}`);
  assert.equal(await crane('ls', `${a.host}/crane/app`), '');
});

test('what is attached at one machine is found at the other', async () => {
  const at = (host: string) => repositoryAt(host, 'attached');
  const image = descriptorOf(await putImage(at(a.host), 'x', { tag: 'v1' }));
  await attachBundle(at(b.host), image, utf8('{"b":1}'), { createdMs: 0 });
  assert.equal((await listAttachments(at(a.host), image.digest)).bundles.length, 1);
});

test('a layer of several parts is pushed in chunks and read whole and in ranges', async () => {
  const bytes = Buffer.alloc(20 * 1024 * 1024 + 17);
  for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, Math.min(i, bytes.length - 4));
  const start = await fetch(`${a.origin}/v2/big/blobs/uploads/`, { method: 'POST' });
  const location = `${a.origin}${start.headers.get('location')}`;
  const half = 10 * 1024 * 1024;
  const first = await fetch(location, { method: 'PATCH', body: bytes.subarray(0, half) });
  assert.deepEqual([first.status, first.headers.get('range')], [202, `0-${half - 1}`]);
  const digest = digestOf(bytes);
  const done = await fetch(`${location}?digest=${digest}`, { method: 'PUT', body: bytes.subarray(half) });
  assert.equal(done.status, 201);
  const url = `${b.origin}/v2/big/blobs/${digest}`;
  const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
  assert.equal(Buffer.compare(whole, bytes), 0);
  const range = `bytes=${half - 5}-${half + 5}`;
  const part = await fetch(url, { headers: { range } });
  assert.equal(part.status, 206);
  assert.equal(Buffer.compare(Buffer.from(await part.arrayBuffer()), bytes.subarray(half - 5, half + 6)), 0);
});

test('forty writers on two machines: one moves the tag', async () => {
  const [one, other] = await Promise.all(
    ['one', 'other'].map((text) => putImage(repositoryAt(a.host, 'race'), text)),
  );
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const headers = { 'content-type': mediaType.ociManifest, 'if-none-match': '*' };
      const body = (n % 3 === 0 ? one : other)?.bytes as Uint8Array<ArrayBuffer>;
      const url = `${(n % 2 === 0 ? a : b).origin}/v2/race/manifests/v1`;
      return (await fetch(url, { method: 'PUT', headers, body })).status;
    }),
  );
  assert.deepEqual(
    statuses.sort((x, y) => x - y),
    [201, ...Array.from({ length: 39 }, () => 412)],
  );
});

test('what nothing leads to goes, and a machine that begins afterwards sees what stays', async () => {
  clock.advance(2 * DAY);
  assert.ok((await b.collect(DAY)).blobs >= 1, 'the layer no manifest names');
  const { removed } = await a.sweep();
  assert.ok(removed >= 1);
  const opened = await openBucket(bucket);
  const left = await opened.list('blobs/');
  opened.close();
  const c = await machine('c');
  assert.equal((await repositoryAt(c.host, 'attached').tags()).includes('v1'), true);
  const image = await repositoryAt(c.host, 'attached').resolve({ tag: 'v1' });
  assert.equal((await listAttachments(repositoryAt(c.host, 'attached'), image.digest)).bundles.length, 1);
  assert.ok(left.length > 0);
});
