/** What no honest repository does: metadata out of shape, endless files, names that leave their folder. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8 } from '#base/bytes';
import { cases } from './case.ts';
import type { JsonMap } from './keys.ts';
import { DAY } from './simulator.ts';

const { list, add } = cases('hostile');
export const hostileCases = list;

for (const threshold of [0, -1, 1.5, '1', null]) {
  add(`a threshold of ${JSON.stringify(threshold)} is no threshold`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    (repo.roleKeys('timestamp') as JsonMap)['threshold'] = threshold;
    repo.publish('root', 'timestamp');
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version('timestamp'), undefined);
  });
}

add('one key under two ids counts once', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  const [key] = repo.signers.get('timestamp') ?? [];
  assert.ok(key !== undefined);
  const alias = 'ab'.repeat(32);
  repo.root.keys[alias] = key.fields;
  const role = repo.roleKeys('timestamp');
  role.keyids.push(alias);
  role.threshold = 2;
  repo.publish('root', 'timestamp');
  repo.amend('timestamp', ({ signatures, signed }) => {
    signatures.push({ keyid: alias, sig: key.sign(signed) });
  });
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('timestamp'), undefined);
});

for (const role of ['timestamp', 'snapshot', 'targets']) {
  add(`${role} with a member twice is refused`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.amendBytes(role, (bytes) =>
      utf8(Buffer.from(bytes).toString().replace('"version": 1', '"version": 7, "version": 1')),
    );
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version(role), undefined);
  });
  add(`${role} without an end is refused`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.amendBytes(role, (bytes) => Buffer.concat([bytes, Buffer.alloc(6 * 1024 * 1024, 0x20)]));
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version(role), undefined);
  });
  add(`${role} cut off is refused`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.amendBytes(role, (bytes) => bytes.subarray(0, bytes.length - 9));
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version(role), undefined);
  });
  add(`a web page in the place of ${role} is refused`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.amendBytes(role, () => utf8('<!doctype html><title>Sign in</title>'));
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version(role), undefined);
  });
}

add('a root version that is skipped ends the walk', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.root.version += 1;
  repo.publish('root');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('root'), 1);
});

add('an expired root between two good ones is passed', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.root.expires = repo.inDays(-1);
  repo.publish('root');
  repo.root.expires = repo.inDays(30);
  repo.publish('root');
  assert.ok(await client.refresh());
  assert.equal(await client.version('root'), 3);
});

for (const name of ['../outside', '/etc/passwd', 'a/../../b', '.', 'a//b']) {
  add(`a target named ${name} stays where targets lie`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.addArtifact('targets', name, 'content');
    repo.publish('targets', 'snapshot', 'timestamp');
    const before = await readdir(client.folder);
    assert.equal(await client.download(name), false);
    const after = (await readdir(client.folder)).filter((one) => one !== 'targets');
    assert.deepEqual(
      after,
      before.filter((one) => one !== 'targets'),
    );
    assert.deepEqual(await client.downloaded(), []);
  });
}

add('a hundred delegations that lead nowhere end', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  let from = 'targets';
  const names: string[] = [];
  for (let depth = 0; depth < 100; depth++) {
    const name = `r${depth}`;
    repo.delegate(from, { name });
    names.push(name);
    from = name;
  }
  repo.publish(...names, 'targets', 'snapshot', 'timestamp');
  assert.equal(await client.download('nowhere'), false);
  assert.ok(repo.metadataRequests.length < 50, `${repo.metadataRequests.length} requests`);
});

for (const role of ['timestamp', 'snapshot', 'targets']) {
  add(`half a ${role} on disk is read again`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    assert.ok(await client.refresh());
    const whole = (await client.bytes(role)) as Uint8Array;
    await writeFile(join(client.metadataDir, `${role}.json`), whole.subarray(0, whole.length / 2));
    assert.ok(await client.refresh());
    await client.assertTrusts('root 1', 'timestamp 1', 'snapshot 1', 'targets 1');
  });
}

add('a snapshot of one time with targets of another is refused', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.withHashes = true;
  repo.publish('targets', 'snapshot', 'timestamp');
  const first = repo.last('targets') as Uint8Array;
  repo.targets()['x-later'] = true;
  repo.publish('targets', 'snapshot', 'timestamp');
  repo.amendBytes('targets', () => first);
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('targets'), undefined);
});

add('a clock twenty years on skips no expiry', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.equal(await client.refresh(repo.now + 20 * 365 * DAY), false);
  await client.assertTrusts('root 1');
});
