/** What the rows TUF-… of the corpus ask beyond the cases of the client in test/tuf and of the cache in test/trust. */
import assert from 'node:assert/strict';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { parseTrustedRoot } from '#formats/trusted-root';
import { systemClock } from '#platform/system';
import { mirrorFolder } from '#trust';
import { base, DAY, load, mirror, noNetwork, rootText, source, targets } from '../../trust/world.ts';
import { inside, inWorld } from '../../tuf/client.ts';
import { type JsonMap, TestKey } from '../../tuf/keys.ts';
import type { Delegation, Simulator } from '../../tuf/simulator.ts';

const began = (repo: Simulator): Uint8Array => repo.last('root') as Uint8Array;

test('TUF-06: another root under a version that is kept does not take its place', async () => {
  const from = await mirror();
  await load(source(from, 'same-version'));
  const stranger = await mirror();
  from.lies.set('/2.root.json', await stranger.tuf.initialRoot());
  await assert.rejects(load(source(from, 'same-version')), /WB-601/);
  assert.equal((await load(source(from, 'same-version', { offline: true }), noNetwork)).tuf?.rootVersion, 1);
});

test('TUF-08: a threshold that is absent is no threshold', () =>
  inWorld(inside, async ({ repo, client }) => {
    assert.ok(await client.init(began(repo)));
    delete (repo.roleKeys('timestamp') as JsonMap)['threshold'];
    repo.publish('root', 'timestamp');
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version('timestamp'), undefined);
  }));

test('TUF-09: keys under ids of a stranger’s choosing meet no threshold together', () =>
  inWorld(inside, async ({ repo, client }) => {
    assert.ok(await client.init(began(repo)));
    const [key] = repo.signers.get('timestamp') ?? [];
    assert.ok(key !== undefined);
    const ids = ['00'.repeat(32), 'ff'.repeat(32)];
    for (const id of ids) repo.root.keys[id] = key.fields;
    Object.assign(repo.roleKeys('timestamp'), { keyids: ids, threshold: 2 });
    repo.publish('root', 'timestamp');
    repo.amend('timestamp', (envelope) => {
      envelope.signatures = ids.map((keyid) => ({ keyid, sig: key.sign(envelope.signed) }));
    });
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version('timestamp'), undefined);
  }));

const roleOf = (name: string, key: TestKey): Delegation => ({
  ...{ name, keyids: [key.id], threshold: 1, terminating: false, paths: ['*'] },
});

const odd: Readonly<Record<string, string>> = {
  'an escaped slash': 'a%2fb',
  'an escaped climb': '..%2f..%2foutside',
  '300 characters': 'x'.repeat(300),
  'a NUL': 'a\0b',
  'a device of Windows': 'CON',
  'a ligature': 'ﬁle',
  'a backslash': '..\\outside',
};
for (const [what, name] of Object.entries(odd)) {
  test(`TUF-12: a target whose name has ${what} lies among the targets as one plain file, or not at all`, () =>
    inWorld(inside, async ({ repo, client }) => {
      assert.ok(await client.init(began(repo)));
      repo.addArtifact('targets', name, 'content');
      repo.publish('targets', 'snapshot', 'timestamp');
      const outside = async (): Promise<string[]> =>
        (await readdir(client.folder)).filter((one) => one !== 'targets').sort();
      const before = await outside();
      const isKept = await client.download(name);
      assert.deepEqual(await outside(), before);
      assert.deepEqual(await client.downloaded(), isKept ? ['content'] : []);
      const folder = join(client.folder, 'targets');
      for (const one of await readdir(folder).catch(() => [])) {
        assert.ok((await lstat(join(folder, one))).isFile(), one);
      }
    }));
}

test('TUF-14: of a thousand levels a search reads no more than it may', () =>
  inWorld(inside, async ({ repo, client }) => {
    assert.ok(await client.init(began(repo)));
    const key = new TestKey();
    for (let depth = 0; depth < 1000; depth++) {
      const { keys, roles } = repo.delegations(depth === 0 ? 'targets' : `r${depth - 1}`);
      keys[key.id] = key.fields;
      roles.push(roleOf(`r${depth}`, key));
      repo.roles.set(`r${depth}`, repo.newTargets());
      repo.signers.set(`r${depth}`, [key]);
    }
    repo.publish(...Array.from({ length: 1000 }, (_, i) => `r${i}`), 'targets', 'snapshot', 'timestamp');
    assert.equal(await client.download('nowhere'), false);
    assert.ok(repo.metadataRequests.length < 50, `${repo.metadataRequests.length} requests`);
  }));

test('TUF-14: ten thousand delegated roles are refused before they cost anything; as many as may be are read', () =>
  inWorld(inside, async ({ repo, client }) => {
    assert.ok(await client.init(began(repo)));
    const key = new TestKey();
    const { keys, roles } = repo.delegations('targets');
    keys[key.id] = key.fields;
    const upTo = (count: number): void => {
      for (let i = roles.length; i < count; i++) roles.push(roleOf(`wide${i}`, key));
      repo.publish('targets', 'snapshot', 'timestamp');
    };
    upTo(limits.tufEntries);
    assert.equal(await client.refresh(), true);
    upTo(10_000);
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version('targets'), 2);
    assert.equal(await client.version('timestamp'), 3);
  }));

for (const [what, written] of Object.entries({
  'of one and a half': '1.5',
  'that is a text': '"1"',
  'below nothing': '-1',
  'above what can be counted': '1e400',
})) {
  test(`TUF-15: a version ${what} is no version`, () =>
    inWorld(inside, async ({ repo, client }) => {
      assert.ok(await client.init(began(repo)));
      repo.amend('timestamp', (envelope) => {
        const [key] = repo.signers.get('timestamp') ?? [];
        envelope.signed['version'] = written === '1e400' ? 1 : (JSON.parse(written) as number);
        envelope.signatures = [{ keyid: key?.id ?? '', sig: key?.sign(envelope.signed) ?? '' }];
      });
      if (written === '1e400') {
        repo.amendBytes('timestamp', (bytes) =>
          Buffer.from(
            Buffer.from(bytes)
              .toString()
              .replace(/"version":1,"expires"/, '"version":1e400,"expires"'),
          ),
        );
        assert.match(Buffer.from(repo.last('timestamp') as Uint8Array).toString(), /1e400/);
      }
      assert.equal(await client.refresh(), false);
      assert.equal(await client.version('timestamp'), undefined);
    }));
}

for (const written of ['1.0', '1e0', '10E-1']) {
  test(`TUF-15: a version written as ${written} is no version, though it counts the same`, () =>
    inWorld(inside, async ({ repo, client }) => {
      assert.ok(await client.init(began(repo)));
      repo.amendBytes('timestamp', (bytes) =>
        utf8(Buffer.from(bytes).toString().replaceAll('"version": 1,', `"version": ${written},`)),
      );
      assert.ok(Buffer.from(repo.last('timestamp') as Uint8Array).includes(`"version": ${written}`));
      assert.equal(await client.refresh(), false);
      assert.equal(await client.version('timestamp'), undefined);
    }));
}

test('TUF-15: what is signed is the canonical form: blanks and order of members mean nothing', () =>
  inWorld(inside, async ({ repo, client }) => {
    assert.ok(await client.init(began(repo)));
    repo.amendBytes('timestamp', (bytes) => {
      const { signatures, signed } = JSON.parse(Buffer.from(bytes).toString()) as Record<string, JsonMap>;
      const turned = Object.fromEntries(Object.entries(signed ?? {}).toReversed());
      return utf8(JSON.stringify({ signed: turned, signatures }, undefined, 7));
    });
    assert.equal(await client.refresh(), true);
  }));

test('TUF-17: a newer timestamp beside an older snapshot in the cache is mended by the next run', async () => {
  const clock = new FixedClock(systemClock.now() - DAY);
  const from = await mirror(clock);
  await load(source(from, 'crash'));
  const folder = join(base, 'crash', mirrorFolder(from.url));
  const timestampFile = join(folder, 'timestamp.json');
  clock.advance(DAY);
  await from.tuf.publish(targets(2));
  const newer = await load(source(from, 'elsewhere'));
  const other = join(base, 'elsewhere', mirrorFolder(from.url), 'timestamp.json');
  await writeFile(timestampFile, await readFile(other), { mode: 0o600 });
  await assert.rejects(load(source(from, 'crash', { offline: true }), noNetwork), /WB-60[13]/);
  const mended = await load(source(from, 'crash'));
  assert.deepEqual(mended.tuf?.versions, newer.tuf?.versions);
  assert.equal(Buffer.from(mended.trustedRootBytes).toString(), rootText(2));
  assert.ok(await load(source(from, 'crash', { offline: true }), noNetwork));
});

test('TUF-18: of many that update one cache at once all are right, and the cache is whole afterwards', async () => {
  const from = await mirror();
  await load(source(from, 'shared'));
  await from.tuf.publish(targets(2));
  const all = await Promise.all(Array.from({ length: 8 }, () => load(source(from, 'shared'))));
  for (const { trustedRootBytes } of all) assert.equal(Buffer.from(trustedRootBytes).toString(), rootText(2));
  const kept = await load(source(from, 'shared', { offline: true }), noNetwork);
  assert.equal(Buffer.from(kept.trustedRootBytes).toString(), rootText(2));
  const folder = join(base, 'shared', mirrorFolder(from.url));
  const left = (await readdir(folder, { recursive: true })).filter((name) => /tmp|~$|\.part/.test(name));
  assert.deepEqual(left, [], 'nothing half written stays');
});

test('TUF-20: fields of a trusted root that nobody knows change nothing of what is read', () => {
  const { note, ...plain } = JSON.parse(rootText()) as JsonMap;
  assert.notEqual(note, undefined);
  const read = (value: JsonMap) => unwrap(parseTrustedRoot(utf8(JSON.stringify(value))));
  assert.deepEqual(read({ ...plain, note: { deep: [1, 'x', null] }, tlogsV9: [] }), read(plain));
});

test('TUF-22: a clock of 1970 is named as one that cannot be, and nothing is read under it', async (t) => {
  const from = await mirror();
  await load(source(from, 'epoch'));
  from.asked.length = 0;
  t.mock.timers.enable({ apis: ['Date'], now: 86_400_000 });
  await assert.rejects(load(source(from, 'epoch')), /WB-615 .*a clock after 2024.*1970-01-02/);
  await assert.rejects(load(source(from, 'epoch', { offline: true }), noNetwork), /WB-615/);
  assert.deepEqual(from.asked, []);
  t.mock.timers.setTime(Date.UTC(2040, 0, 1));
  await assert.rejects(load(source(from, 'epoch', { offline: true }), noNetwork), /WB-602/);
});
