import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, privateKeyFromPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { systemClock } from '#platform/system';
import { createTuf, describeRoot, draftRoot, signRoot, type Tuf } from '#services/tuf';
import { openRepository } from '#trust';

const DAY_MS = 86_400_000;
const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'waybill-test-tuf-'));
  folders.push(made);
  return made;
}

const hello = { name: 'hello.txt', bytes: utf8('hello') };
const open = (dir: string, clock = systemClock): Promise<Tuf> => createTuf({ dir, clock });
const code = (wanted: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, wanted, error.message);
  return true;
};

/** What a client that pinned the first root sees: root and timestamp version. */
async function seen(tuf: Tuf, root?: Uint8Array): Promise<[number, number]> {
  const repository = await openRepository(root ?? (await tuf.initialRoot()), {
    read: (path) => tuf.read(path),
  });
  assert.ok((await repository.target('hello.txt')) !== undefined);
  return [repository.rootVersion, repository.versions.timestamp];
}

const newest = async (tuf: Tuf): Promise<Uint8Array> => (await tuf.newestRoot()) as Uint8Array;

test('online and root keys are rotated; clients of every earlier root follow, and the repository goes on', async () => {
  const dir = await folder();
  const tuf = await open(dir);
  await tuf.publish([hello]);
  const first = await tuf.initialRoot();
  assert.equal(await tuf.rotate('online'), 2);
  const second = await newest(tuf);
  assert.deepEqual(await seen(tuf, first), [2, 2]);
  assert.equal(await tuf.rotate('root'), 3);
  assert.equal(await tuf.rotate('online'), 4);
  for (const root of [first, second]) assert.deepEqual((await seen(tuf, root))[0], 4);
  const { roles } = describeRoot(await newest(tuf), second);
  for (const role of ['root', 'targets', 'timestamp'] as const) {
    const found = roles.find((one) => one.role === role);
    assert.ok(
      found?.keys.every(({ isNew }) => isNew),
      role,
    );
  }
  const again = await open(dir);
  assert.equal(await again.publish([hello, { name: 'more.txt', bytes: utf8('more') }]), true);
  assert.deepEqual((await seen(again, first))[0], 4);
});

test('a stop between the new root and what its keys sign is mended at the next renewal', async () => {
  const dir = await folder();
  const tuf = await open(dir);
  await tuf.publish([hello]);
  const before = new Map<string, Uint8Array>();
  for (const name of ['timestamp.json', '1.snapshot.json']) {
    before.set(name, (await tuf.read(name)) as Uint8Array);
  }
  await tuf.rotate('online');
  // The root was written first; the machine stopped before the rest.
  for (const [name, bytes] of before) await writeFile(join(dir, 'metadata', name), bytes);
  await rm(join(dir, 'metadata/2.snapshot.json'));
  const again = await open(dir);
  await assert.rejects(seen(again), code('WB-601'));
  assert.deepEqual(await again.renew(), ['snapshot', 'timestamp']);
  assert.deepEqual(await seen(again), [2, 2]);
});

test('the root moves to keys elsewhere by a ceremony; the repository then renews all but the root', async () => {
  const dir = await folder();
  // The check before publication asks the system's time; ours is that and later.
  const clock = new FixedClock(systemClock.now());
  const tuf = await open(dir, clock);
  await tuf.publish([hello]);
  const holders = [generateKey('p256'), generateKey('ed25519'), generateKey('p256')] as const;
  const one = await newest(tuf);
  const held =
    describeRoot(one)
      .roles.find(({ role }) => role === 'root')
      ?.keys.map(({ id }) => id) ?? [];
  const draft = draftRoot(one, {
    roles: ['root'],
    add: holders.map(({ publicKey }) => publicKey),
    remove: held.map((id) => id.slice(0, 12)),
    threshold: 2,
    expires: clock.now() + 365 * DAY_MS,
  });
  const unsigned = describeRoot(draft, one);
  assert.deepEqual([unsigned.version, unsigned.missing, unsigned.missingBefore], [2, 2, 2]);
  assert.match(unsigned.sha256, /^[0-9a-f]{64}$/);
  await assert.rejects(tuf.accept(draft), code('WB-1065'));

  // The new holders sign, each at their own machine; the old keys sign where they are.
  let signed = signRoot(draft, holders[0]);
  signed = signRoot(signed, holders[1]);
  assert.throws(() => signRoot(signed, generateKey('p256'), one), code('WB-1065'));
  await assert.rejects(tuf.accept(signed), code('WB-1065'));
  for (const name of ['root-1', 'root-2']) {
    const pem = await readFile(join(dir, 'keys', `${name}.key`), 'utf8');
    signed = signRoot(signed, unwrap(privateKeyFromPem(pem)), one);
  }
  const full = describeRoot(signed, one);
  assert.deepEqual([full.missing, full.missingBefore, full.sha256], [0, 0, unsigned.sha256]);
  assert.equal(await tuf.accept(signed), 2);
  assert.equal((await seen(tuf))[0], 2);
  assert.equal((await tuf.status())?.canSignRoot, false);
  await assert.rejects(tuf.rotate('online'), code('WB-1064'));

  // Half a year and more later: everything but the root is renewed here.
  clock.advance(200 * DAY_MS);
  assert.deepEqual(await tuf.renew(), ['targets', 'snapshot', 'timestamp']);
  const next = draftRoot(signed, { roles: [], add: [], remove: [], expires: clock.now() + 365 * DAY_MS });
  const renewed = signRoot(signRoot(next, holders[1]), holders[2]);
  assert.equal(await tuf.accept(renewed), 3);
  await assert.rejects(tuf.accept(renewed), code('WB-1065'));
});

test('a draft that could never be signed is refused', async () => {
  const tuf = await open(await folder());
  await tuf.publish([hello]);
  const root = await newest(tuf);
  const expires = systemClock.now() + DAY_MS;
  const change = { roles: ['root'] as const, add: [], remove: [], expires };
  assert.throws(() => draftRoot(root, { ...change, threshold: 4 }), code('WB-1065'));
  assert.throws(() => draftRoot(root, { ...change, threshold: 0 }), code('WB-1065'));
  assert.throws(() => draftRoot(root, { ...change, remove: ['00000000'] }), code('WB-1065'));
  const rsa = [generateKey('rsa').publicKey];
  assert.throws(() => draftRoot(root, { ...change, add: rsa }), code('WB-1065'));
  await assert.rejects(tuf.accept(utf8('{}')), code('WB-1065'));
});
