import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Updater } from 'tuf-js';
import { utf8, utf8Text } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { WaybillError } from '#base/reason';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createTuf, registerTuf, type Tuf, type TufConfig } from '#services/tuf';

const folders: string[] = [];
const closers: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of closers) await close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'waybill-test-tuf-'));
  folders.push(made);
  return made;
}

async function serve(tuf: Tuf): Promise<string> {
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1024 });
  registerTuf(app, tuf);
  closers.push(() => app.close());
  return listen(app, '127.0.0.1', 0);
}

const open = (dir: string, more: Partial<TufConfig> = {}): Promise<Tuf> =>
  createTuf({ dir, clock: systemClock, ...more });

/** The independent client, as a program that knows only the address and the first root would use it. */
async function client(mirror: string, root: Uint8Array, metadataDir?: string): Promise<Updater> {
  const dir = metadataDir ?? (await folder());
  if (metadataDir === undefined) await writeFile(join(dir, 'root.json'), root);
  return new Updater({
    metadataDir: dir,
    targetDir: dir,
    metadataBaseUrl: mirror,
    targetBaseUrl: `${mirror}/targets`,
    config: { fetchRetry: 0 },
  });
}

const hello = { name: 'hello.txt', bytes: utf8('hello') };

test('tuf-js finds and checks a target from the first root', async () => {
  const tuf = await open(await folder());
  assert.equal(await tuf.publish([hello]), true);
  const updater = await client(await serve(tuf), await tuf.initialRoot());
  const info = await updater.getTargetInfo('hello.txt');
  assert.ok(info);
  assert.equal(await readFile(await updater.downloadTarget(info), 'utf8'), 'hello');
});

test('root names three keys, two of which must sign, and one other key for the online roles', async () => {
  const tuf = await open(await folder());
  await tuf.publish([hello]);
  const { signed, signatures } = JSON.parse(utf8Text(await tuf.initialRoot())) as {
    signed: { roles: Record<string, { keyids: string[]; threshold: number }>; consistent_snapshot: boolean };
    signatures: unknown[];
  };
  assert.equal(signed.consistent_snapshot, true);
  assert.equal(signatures.length, 3);
  assert.equal(signed.roles['root']?.threshold, 2);
  assert.equal(signed.roles['targets']?.keyids.length, 3);
  assert.deepEqual(signed.roles['snapshot'], signed.roles['timestamp']);
  assert.equal(signed.roles['root']?.keyids.includes(signed.roles['snapshot']?.keyids[0] ?? ''), false);
});

test('a client that knows version 1 sees a new target, and an unchanged publication changes nothing', async () => {
  const tuf = await open(await folder());
  await tuf.publish([hello]);
  const mirror = await serve(tuf);
  const dir = await folder();
  await writeFile(join(dir, 'root.json'), await tuf.initialRoot());
  await (await client(mirror, await tuf.initialRoot(), dir)).refresh();
  assert.equal(await tuf.publish([hello]), false);
  assert.equal(await tuf.publish([hello, { name: 'new.txt', bytes: utf8('new') }]), true);
  const updater = await client(mirror, await tuf.initialRoot(), dir);
  assert.ok(await updater.getTargetInfo('new.txt'));
});

test('custom fields of a target reach the client', async () => {
  const tuf = await open(await folder());
  const custom = { sigstore: { status: 'Active', usage: 'Rekor', uri: 'http://127.0.0.1' } };
  await tuf.publish([{ name: 'rekor.pub', bytes: utf8('key'), custom }]);
  const updater = await client(await serve(tuf), await tuf.initialRoot());
  assert.deepEqual((await updater.getTargetInfo('rekor.pub'))?.custom, custom);
});

test('a second start continues with the same keys and versions', async () => {
  const dir = await folder();
  const first = await open(dir);
  await first.publish([hello]);
  const root = await first.initialRoot();
  const second = await open(dir);
  assert.equal(await second.publish([hello]), false);
  assert.deepEqual(await second.initialRoot(), root);
  assert.equal((await second.status())?.timestampVersion, 1);
});

test('keys that are not those of the metadata are refused with WB-1061', async () => {
  const dir = await folder();
  await (await open(dir)).publish([hello]);
  await rm(join(dir, 'keys', 'online.key'));
  await assert.rejects(
    open(dir),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-1061',
  );
});

test('renewal signs only what has lived half its time', async () => {
  const clock = new FixedClock(systemClock.now());
  const tuf = await open(await folder(), { clock, selfCheck: async () => {} });
  await tuf.publish([hello]);
  assert.deepEqual(await tuf.renew(), []);
  clock.advance(4 * 86_400_000);
  assert.deepEqual(await tuf.renew(), ['timestamp']);
  clock.advance(16 * 86_400_000);
  assert.deepEqual(await tuf.renew(), ['snapshot', 'timestamp']);
  clock.advance(200 * 86_400_000);
  assert.deepEqual(await tuf.renew(), ['root', 'targets', 'snapshot', 'timestamp']);
  assert.equal((await tuf.status())?.rootVersion, 2);
});

test('tuf-js walks from the first root over a renewed one', async () => {
  const clock = new FixedClock(systemClock.now() - 200 * 86_400_000);
  const tuf = await open(await folder(), { clock, selfCheck: async () => {} });
  await tuf.publish([hello]);
  const root = await tuf.initialRoot();
  clock.advance(200 * 86_400_000);
  await tuf.renew();
  const updater = await client(await serve(tuf), root);
  assert.ok(await updater.getTargetInfo('hello.txt'));
});

test('tuf-js refuses an expired repository', async () => {
  const clock = new FixedClock(systemClock.now() - 20 * 86_400_000);
  const tuf = await open(await folder(), { clock, selfCheck: async () => {} });
  await tuf.publish([hello]);
  const updater = await client(await serve(tuf), await tuf.initialRoot());
  await assert.rejects(updater.refresh(), /timestamp\.json is expired/);
});

test('metadata that would not verify is not published: WB-1060, and the old stays', async () => {
  const dir = await folder();
  const tuf = await open(dir);
  await tuf.publish([hello]);
  // A clock far in the past makes metadata every client would call expired.
  const late = await open(dir, { clock: new FixedClock(0) });
  await assert.rejects(
    late.publish([{ name: 'other.txt', bytes: utf8('x') }]),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-1060',
  );
  assert.equal((await tuf.status())?.targetsVersion, 1);
  assert.deepEqual((await readdir(join(dir, 'targets'))).length, 1);
});

test('names outside the repository are not served', async () => {
  const dir = await folder();
  const tuf = await open(dir);
  await tuf.publish([hello]);
  const mirror = await serve(tuf);
  for (const path of [
    '/keys',
    '/..%2fkeys%2fonline.key',
    '/targets/..%2f..%2fkeys%2fonline.key',
    '/2.root.json',
  ]) {
    const answer = await fetch(mirror + path);
    assert.equal(answer.status, 404, path);
    assert.doesNotMatch(await answer.text(), /PRIVATE/);
  }
});

test('only timestamp.json may change under its name', async () => {
  const tuf = await open(await folder());
  await tuf.publish([hello]);
  const mirror = await serve(tuf);
  const caching = async (path: string): Promise<string | null> =>
    (await fetch(mirror + path)).headers.get('cache-control');
  assert.equal(await caching('/timestamp.json'), 'no-cache');
  assert.match((await caching('/1.snapshot.json')) ?? '', /immutable/);
});

test('a target name that is no plain file name is WB-1063, and nothing is published', async () => {
  const dir = await folder();
  const tuf = await open(dir);
  for (const name of ['../up', 'a/b', '', '.hidden', 'x'.repeat(201)]) {
    await assert.rejects(
      tuf.publish([{ name, bytes: utf8('x') }]),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1063',
    );
  }
  assert.equal(await tuf.status(), undefined);
});

test('a timestamp.json that is gone is signed again, and a client that knows a later version follows', async () => {
  const dir = await folder();
  const clock = new FixedClock(systemClock.now() - 20 * 86_400_000);
  const more = { clock, selfCheck: async () => {} };
  const tuf = await open(dir, more);
  await tuf.publish([hello]);
  for (let days = 0; days < 20; days += 4) {
    clock.advance(4 * 86_400_000);
    await tuf.renew();
  }
  const before = await tuf.status();
  assert.ok((before?.timestampVersion ?? 0) > (before?.snapshotVersion ?? 0) + 2, 'renewed on its own');
  const mirror = await serve(tuf);
  const known = await folder();
  await writeFile(join(known, 'root.json'), await tuf.initialRoot());
  await (await client(mirror, await tuf.initialRoot(), known)).refresh();
  await rm(join(dir, 'metadata', 'timestamp.json'));
  const again = await open(dir, more);
  assert.equal(await again.publish([hello]), false);
  await again.publish([hello, { name: 'new.txt', bytes: utf8('new') }]);
  const updater = await client(await serve(again), await tuf.initialRoot(), known);
  assert.ok(await updater.getTargetInfo('new.txt'));
  assert.equal((await again.status())?.targetsVersion, 2);
});

test('metadata that is gone or damaged is WB-1066 and named; nothing begins anew', async () => {
  const dir = await folder();
  const tuf = await open(dir);
  await tuf.publish([hello]);
  await tuf.rotate('online');
  const metadata = join(dir, 'metadata');
  const refused = async (file: string, damage: (path: string) => Promise<void>): Promise<void> => {
    const path = join(metadata, file);
    const kept = await readFile(path);
    await damage(path);
    const use = async (): Promise<unknown> => (await open(dir)).status();
    await assert.rejects(use(), (error) => {
      assert.ok(error instanceof WaybillError, String(error));
      assert.equal(error.reason.code, 'WB-1066', error.message);
      assert.match(error.message, new RegExp(file.replaceAll('.', '\\.')));
      return true;
    });
    await writeFile(path, kept);
  };
  for (const file of ['1.root.json', '2.snapshot.json', '1.targets.json'])
    await refused(file, (path) => rm(path));
  for (const file of ['2.root.json', 'timestamp.json', '2.snapshot.json']) {
    await refused(file, (path) => writeFile(path, '{"signed":'));
  }
  for (const file of ['1.root.json', '2.root.json']) await rm(join(metadata, file));
  await assert.rejects(open(dir), /WB-1066/);
});
