/** The registry over an S3-compatible store: several machines, lost folders, lost answers, what is given up. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { buildIndex, buildManifest, describe, descriptorOf, mediaType } from '#formats/oci';
import { httpTransport } from '#platform/http-client';
import { openDatabase } from '#platform/sqlite';
import { openBucket } from '#platform/store-s3-bucket';
import { systemRandom } from '#platform/system';
import { createRegistry, type RunningRegistry } from '#services/registry';
import { openStation, registryParts } from '#stack';
import { fetchSnapshot, writeSnapshot } from '../../src/services/registry/snapshots.ts';
import { tellIn } from '../cli/in-process.ts';
import { startS3 } from '../double/s3.ts';
import { once, putBytes, putImage, reasonOf, repositoryAt } from '../oci/helpers.ts';

const s3 = await startS3('images');
const folder = await mkdtemp(join(tmpdir(), 'waybill-registry-bucket-'));
const running = new Set<RunningRegistry>();
after(async () => {
  for (const registry of running) await registry.close();
  await s3.close();
  await rm(folder, { recursive: true });
});

const DAY = 86_400_000;
const clock = new FixedClock(Date.UTC(2026, 0, 1));
let made = 0;

/** Where one registry lives, and its machines by turns. */
function place(prefix = `place-${made++}`) {
  const bucket = {
    ...{ endpoint: s3.endpoint, region: 'us-east-1', bucket: 'images', prefix },
    ...{ accessKeyId: 'key', secretAccessKey: new Secret('secret') },
  };
  const machine = async (name: string): Promise<RunningRegistry> => {
    const registry = await createRegistry({ dataDir: join(folder, prefix, name), bucket }, { clock });
    running.add(registry);
    return registry;
  };
  const keys = (start: string): string[] =>
    [...s3.objects.keys()]
      .filter((key) => key.startsWith(`images/${prefix}/${start}`))
      .map((key) => key.slice(`images/${prefix}/`.length));
  return { bucket, machine, keys, prefix };
}

async function closeOne(registry: RunningRegistry): Promise<void> {
  running.delete(registry);
  await registry.close();
}

test('what one machine acknowledged, every other shows at once: tags, bytes, referrers, deletions', async () => {
  const { machine } = place();
  const [a, b] = [await machine('a'), await machine('b')];
  const [here, there] = [repositoryAt(a.host), repositoryAt(b.host)];
  const image = await putImage(here, 'layer', { tag: 'v1' });
  assert.equal((await there.resolve({ tag: 'v1' })).digest, image.digest);
  const config = await putBytes(there, utf8('{}'), 'application/vnd.oci.empty.v1+json');
  const signature = buildManifest({ config, layers: [config], subject: descriptorOf(image) });
  await there.putManifest(signature);
  assert.deepEqual(
    (await here.referrers(image.digest)).map((one) => one.digest),
    [signature.digest],
  );
  assert.equal(await there.deleteTag('v1'), true);
  assert.deepEqual(await here.tags(), []);
});

test('of forty writers on two machines with the same condition exactly one moves the tag', async () => {
  const { machine } = place();
  const origins = [(await machine('a')).origin, (await machine('b')).origin];
  const put = (n: number): Promise<Response> => {
    const { bytes } = buildIndex({ manifests: [], annotations: new Map([['n', String(n)]]) });
    const headers = { 'content-type': mediaType.ociIndex, 'if-none-match': '*' };
    const body = bytes as Uint8Array<ArrayBuffer>;
    return fetch(`${origins[n % 2]}/v2/a/manifests/v1`, { method: 'PUT', headers, body });
  };
  const statuses = (await Promise.all(Array.from({ length: 40 }, (_, n) => put(n)))).map((one) => one.status);
  assert.equal(statuses.filter((status) => status === 201).length, 1);
  assert.equal(statuses.filter((status) => status === 412).length, 39);
});

test('a machine that lost its folder has everything again, also from a snapshot', async () => {
  const { machine, bucket } = place();
  const first = await machine('first');
  const images = [];
  for (const tag of ['v1', 'v2']) images.push(await putImage(repositoryAt(first.host), tag, { tag }));
  const second = await machine('second');
  assert.deepEqual(await repositoryAt(second.host).tags(), ['v1', 'v2']);

  const opened = await openBucket(bucket);
  const file = join(folder, 'copy.sqlite');
  const names = openDatabase(join(folder, bucket.prefix, 'first', 'names.sqlite'));
  const position = Number(names.prepare('SELECT position FROM journal').get()?.['position']);
  await writeSnapshot(opened, names, position, file);
  names.close();
  await fetchSnapshot(opened, file);
  const copy = openDatabase(file);
  assert.equal(copy.prepare('SELECT count(*) AS n FROM tags').get()?.['n'], 2);
  copy.close();
  // With the entries before it gone, only the snapshot can tell.
  for (let n = 1; n < position; n++) await opened.delete(`journal/${String(n).padStart(16, '0')}`);
  const third = await machine('third');
  assert.deepEqual(await repositoryAt(third.host).tags(), ['v1', 'v2']);
  assert.equal((await repositoryAt(third.host).resolve({ tag: 'v2' })).digest, images[1]?.digest);
  opened.close();
});

test('a large layer goes up in parts, and comes back whole and in ranges', async () => {
  const { machine } = place();
  const registry = await machine('a');
  const bytes = new Uint8Array(9 * 1024 * 1024).map((_, i) => i % 251);
  const layer = describe(bytes, mediaType.ociLayer);
  const to = repositoryAt(registry.host);
  await to.putBlob(layer, () => once(bytes));
  const url = `${registry.origin}/v2/team/app/blobs/${layer.digest}`;
  assert.deepEqual(new Uint8Array(await (await fetch(url)).arrayBuffer()), bytes);
  const part = await fetch(url, { headers: { range: `bytes=8388600-8388620` } });
  assert.equal(part.status, 206);
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.subarray(8_388_600, 8_388_621));
});

test('a write whose answer was lost is done once and acknowledged; one that was not done is done again', async () => {
  const { machine, keys } = place();
  const registry = await machine('a');
  const put = (tag: string): Promise<Response> => {
    const { bytes } = buildIndex({ manifests: [] });
    const init = { method: 'PUT', headers: { 'content-type': mediaType.ociIndex, 'if-none-match': '*' } };
    return fetch(`${registry.origin}/v2/a/manifests/${tag}`, {
      ...init,
      body: bytes as Uint8Array<ArrayBuffer>,
    });
  };
  for (const [tag, after] of [
    ['done', true],
    ['not-done', false],
  ] as const) {
    const before = keys('journal/').length;
    s3.failNext('PUT', after);
    assert.equal((await put(tag)).status, 201, tag);
    assert.equal(keys('journal/').length, before + 1);
  }
});

test('bytes in the bucket that are others than they were never arrive as a whole blob', async () => {
  const { machine, keys, prefix } = place();
  const registry = await machine('a');
  const layer = await putBytes(repositoryAt(registry.host), utf8('sound content'), mediaType.ociLayer);
  const key = `images/${prefix}/${keys('blobs/')[0]}`;
  s3.objects.set(key, Buffer.from('rotte content'));
  const url = `${registry.origin}/v2/team/app/blobs/${layer.digest}`;
  const whole = await fetch(url)
    .then((answer) => answer.text())
    .catch(() => 'broken off');
  assert.ok(whole === 'broken off' || whole.includes('WB-1097'), whole);
  s3.objects.delete(key);
  assert.equal((await fetch(url)).status, 500);
});

test('what nothing leads to leaves the bucket, bytes last; a push of the same bytes meanwhile keeps its own', async () => {
  const { machine, keys } = place();
  const [a, b] = [await machine('a'), await machine('b')];
  const to = repositoryAt(a.host);
  await putImage(to, 'old', { tag: 'moving' });
  clock.advance(10 * DAY);
  const next = await putImage(to, 'next', { tag: 'moving' });
  assert.equal((await b.collect(DAY, true)).manifests.length, 1);
  const found = await b.collect(DAY);
  assert.deepEqual([found.manifests.length, found.blobs], [1, 2]);
  assert.equal(keys('blobs/').length, 4);
  const again = await putImage(repositoryAt(a.host), 'old', { tag: 'back' });
  assert.deepEqual(await a.sweep(), { removed: 0 }, 'linked again before the bytes went');
  await to.deleteManifest(again.digest);
  clock.advance(10 * DAY);
  await a.collect(DAY);
  assert.deepEqual(await b.sweep(), { removed: 2 });
  assert.equal(keys('blobs/').length, 2);
  const third = repositoryAt(b.host);
  await putImage(third, 'old', { tag: 'more' });
  assert.ok(await third.manifest(next.digest));
  assert.equal(keys('blobs/').length, 4);
});

test('a stray upload goes after a day, one that may still be linked stays', async () => {
  const { machine, keys, bucket } = place();
  const registry = await machine('a');
  const opened = await openBucket(bucket);
  const at = (ms: number): string => `blobs/sha256/aa/${'a'.repeat(64)}/${ms.toString(36)}-${'0'.repeat(16)}`;
  await opened.put(at(clock.now() - 2 * DAY), utf8('old'));
  await opened.put(at(clock.now()), utf8('young'));
  assert.deepEqual(await registry.sweep(), { removed: 1 });
  assert.deepEqual(keys('blobs/'), [at(clock.now())]);
  opened.close();
});

test('the folder of another registry, and a bucket that went back, are refused', async () => {
  const [one, other] = [place(), place()];
  const first = await one.machine('a');
  await putImage(repositoryAt(first.host), 'x', { tag: 'v1' });
  await closeOne(first);
  await closeOne(await other.machine('b'));
  const dataDir = join(folder, one.prefix, 'a');
  const isJournal = (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === 'WB-1101';
  await assert.rejects(createRegistry({ dataDir, bucket: other.bucket }, { clock }), isJournal);
  const newest = one.keys('journal/').sort().at(-1);
  s3.objects.delete(`images/${one.prefix}/${newest}`);
  await assert.rejects(createRegistry({ dataDir, bucket: one.bucket }, { clock }), isJournal);
});

test('a manifest whose blob is not there is refused', async () => {
  const { machine } = place();
  const registry = await machine('a');
  const to = repositoryAt(registry.host);
  const config = describe(utf8('{}'), 'application/vnd.oci.empty.v1+json');
  const refused = await reasonOf(to.putManifest(buildManifest({ config, layers: [config] }), { tag: 'v1' }));
  assert.match(refused.actual, /404.*MANIFEST_BLOB_UNKNOWN/);
});

test('machines that start at once each get in', async () => {
  const { machine } = place();
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => machine(name)));
  const image = await putImage(repositoryAt((all[0] as RunningRegistry).host), 'x', { tag: 'v1' });
  for (const { host } of all) {
    assert.equal((await repositoryAt(host).resolve({ tag: 'v1' })).digest, image.digest);
  }
});

test('while the bucket is away nothing is acknowledged, and afterwards everything goes on', async () => {
  const { machine } = place();
  const registry = await machine('a');
  const to = repositoryAt(registry.host);
  await putImage(to, 'before', { tag: 'v1' });
  const url = `${registry.origin}/v2/team/app/manifests`;
  const put = (tag: string): Promise<Response> => {
    const body = buildIndex({ manifests: [] }).bytes as Uint8Array<ArrayBuffer>;
    return fetch(`${url}/${tag}`, { method: 'PUT', headers: { 'content-type': mediaType.ociIndex }, body });
  };
  s3.isAway = true;
  try {
    for (const answer of [await put('v2'), await fetch(`${url}/v1`)]) {
      assert.equal(answer.status, 503);
      assert.match(await answer.text(), /WB-214/);
    }
  } finally {
    s3.isAway = false;
  }
  assert.deepEqual(await to.tags(), ['v1']);
  assert.equal((await put('v2')).status, 201);
});

test('three machines write at random over a bucket that fails now and then: all agree, nothing acknowledged is lost', async () => {
  const { machine } = place();
  const machines = await Promise.all(['a', 'b', 'c'].map((name) => machine(name)));
  let state = 7;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const acknowledged = new Map<string, string>();
  const write = async (n: number): Promise<void> => {
    const { bytes, digest } = buildIndex({ manifests: [], annotations: new Map([['n', String(n)]]) });
    const tag = `tag-${n}`;
    if (random(4) === 0) s3.failNext(random(2) === 0 ? 'PUT' : 'GET', random(2) === 0);
    const origin = (machines[n % 3] as RunningRegistry).origin;
    const headers = { 'content-type': mediaType.ociIndex };
    const body = bytes as Uint8Array<ArrayBuffer>;
    const { status } = await fetch(`${origin}/v2/a/manifests/${tag}`, { method: 'PUT', headers, body });
    if (status === 201) acknowledged.set(tag, digest);
    else assert.equal(status, 503);
  };
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 9 }, (_, i) => write(round * 9 + i)));
  }
  assert.ok(acknowledged.size >= 35, `${acknowledged.size}`);
  const lists = [];
  for (const { host } of [...machines, await machine('later')]) {
    lists.push((await repositoryAt(host, 'a').tags()).join(' '));
  }
  const to = repositoryAt((machines[0] as RunningRegistry).host, 'a');
  for (const [tag, digest] of acknowledged) assert.equal((await to.resolve({ tag })).digest, digest);
  assert.equal(new Set(lists).size, 1);
});

test('serve registry and registry collect take the bucket as an address', async () => {
  const { bucket } = place();
  const store = `s3://images/${bucket.prefix}?endpoint=${encodeURIComponent(s3.endpoint)}`;
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' };
  const settings = {
    ...{
      dataDir: join(folder, 'station'),
      listen: { host: '127.0.0.1', port: 0 },
      logLevel: 'silent' as const,
    },
    ...{ clock, random: systemRandom, transport: httpTransport(), sigstoreMetrics: false },
  };
  const station = await openStation('registry', settings, (deps) => registryParts({ store, env }, deps));
  const to = repositoryAt(new URL(station.origin).host);
  await putImage(to, 'kept', { tag: 'v1' });
  const { digest } = await putImage(to, 'loose');
  // From another machine, while this one serves.
  const later = new FixedClock(clock.now() + 10 * DAY);
  const words = [
    'registry',
    'collect',
    '--data',
    join(folder, 'collector'),
    '--store',
    store,
    '--keep',
    '1d',
  ];
  const told = await tellIn({ env, clock: later, json: true }, words);
  assert.deepEqual((told.value as unknown as { manifests: object[] }).manifests, [
    { repository: 'team/app', digest },
  ]);
  assert.equal((await fetch(`${station.origin}/v2/team/app/manifests/loose`)).status, 404);
  assert.deepEqual(await to.tags(), ['v1']);
  await station.close();
  const noKeys = await tellIn({}, words);
  assert.equal(noKeys.reason?.code, 'WB-1212');
});
