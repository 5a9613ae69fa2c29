/** A TUF repository whose online key lies elsewhere: what it signs, what it refuses, what a failing holder leaves. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, holderOf, type KeyHolder } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { createTuf, type Tuf } from '#services/tuf';
import { R as sign } from '../../src/sign/reasons.ts';

const roots: string[] = [];
after(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-tuf-holder-'));
  roots.push(dir);
  return dir;
};
// Its own check is a client that asks the clock of this machine.
const START_MS = Date.now();
const DAY_MS = 86_400_000;
const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;
const target = (text: string) => [{ name: 'trusted_root.json', bytes: utf8(text) }];
const files = (dir: string, what: string): string[] => readdirSync(join(dir, what)).sort();

/** A key somewhere else that can be away. */
function elsewhere(kind: 'p256' | 'ed25519' = 'p256') {
  const holder = holderOf(generateKey(kind));
  const place = { isAway: false, signed: 0 };
  const held: KeyHolder = {
    publicKey: holder.publicKey,
    sign: async (data, algorithm) => {
      if (place.isAway) throw fail(sign.external, { expected: 'a signature', actual: 'nobody there' });
      place.signed++;
      return holder.sign(data, algorithm);
    },
  };
  return { held, place };
}

const open = (dir: string, keys: Readonly<Record<string, KeyHolder>>, clock = new FixedClock(START_MS)) =>
  createTuf({ dir, clock, elsewhere: new Map(Object.entries(keys)) });

for (const kind of ['p256', 'ed25519'] as const) {
  test(`snapshot and timestamp are signed by an online key that lies elsewhere (${kind})`, async () => {
    const dir = folder();
    const { held, place } = elsewhere(kind);
    const tuf = await open(dir, { online: held });
    assert.equal(await tuf.publish(target('one')), true);
    assert.equal(place.signed, 2);
    assert.deepEqual(files(dir, 'keys'), ['root-1.key', 'root-2.key', 'root-3.key']);
    await tuf.close();
    // Without it, or with another under its name, nothing is signed that no client would follow.
    await assert.rejects(createTuf({ dir, clock: new FixedClock(START_MS) }), codeIs('WB-1061'));
    await assert.rejects(open(dir, { online: elsewhere(kind).held }), codeIs('WB-1061'));
  });
}

test('a holder that is away publishes nothing, in part or whole, and the repository goes on when it is back', async () => {
  const dir = folder();
  const { held, place } = elsewhere();
  const clock = new FixedClock(START_MS);
  const tuf: Tuf = await open(dir, { online: held }, clock);
  await tuf.publish(target('one'));
  const before = [files(dir, 'metadata'), files(dir, 'targets')];
  place.isAway = true;
  await assert.rejects(tuf.publish(target('two')), codeIs('WB-823'));
  clock.advance(20 * DAY_MS);
  await assert.rejects(tuf.renew(), codeIs('WB-823'));
  assert.deepEqual([files(dir, 'metadata'), files(dir, 'targets')], before);
  place.isAway = false;
  assert.deepEqual(await tuf.renew(), ['snapshot', 'timestamp']);
  assert.equal(await tuf.publish(target('two')), true);
  await tuf.close();
});

test('a rotation takes the next key from where the one before is, never from a file', async () => {
  const dir = folder();
  const first = elsewhere();
  const tuf = await open(dir, { online: first.held });
  await tuf.publish(target('one'));
  await assert.rejects(tuf.rotate('online'), codeIs('WB-1067'));
  assert.equal((await tuf.status())?.rootVersion, 1);
  assert.deepEqual(files(dir, 'keys'), ['root-1.key', 'root-2.key', 'root-3.key']);
  await tuf.close();
  const second = elsewhere();
  const again = await open(dir, { online: first.held, 'online-v2': second.held });
  assert.equal(await again.rotate('online'), 2);
  assert.equal(second.place.signed, 2);
  await again.close();
  // The old one is not needed any more.
  const last = await open(dir, { 'online-v2': second.held });
  assert.equal(await last.publish(target('three')), true);
  await last.close();
});

test('a repository with its online key in a file moves to one elsewhere by a rotation', async () => {
  const dir = folder();
  const plain = await open(dir, {});
  await plain.publish(target('one'));
  await plain.close();
  const { held, place } = elsewhere();
  const tuf = await open(dir, { 'online-v2': held });
  assert.equal(await tuf.rotate('online'), 2);
  assert.equal(place.signed, 2);
  await tuf.close();
});
