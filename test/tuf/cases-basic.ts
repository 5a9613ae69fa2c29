/** Refresh: which files are asked for, which are kept, which metadata is refused. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { cases, topRoles } from './case.ts';
import { TestKey } from './keys.ts';
import { DAY, type MetaEntry } from './simulator.ts';

const { list, add } = cases('basic');
export const basicCases = list;

const walk = ['root 2', 'timestamp', 'snapshot 1', 'targets 1'];
const everything = ['root', 'targets', 'snapshot', 'timestamp'];

add('asks for each role once, in order', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.ok(await client.refresh());
  assert.deepEqual(repo.metadataRequests, walk);
});

add('keeps what the repository published, byte for byte', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.amendBytes('timestamp', (bytes) => utf8(`${Buffer.from(bytes).toString()} `));
  assert.ok(await client.refresh());
  for (const role of topRoles) assert.deepEqual(await client.bytes(role), Buffer.from(repo.last(role) ?? []));
});

add('refreshes before a download', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.equal(await client.download('nothing of this name'), false);
  assert.deepEqual(repo.metadataRequests, walk);
  await client.assertTrusts('root 1', 'timestamp 1', 'snapshot 1', 'targets 1');
});

add('an initial root without a version is no root', async ({ repo, client }) => {
  repo.amend('root', ({ signed }) => {
    delete signed['version'];
  });
  await client.init(repo.last('root') as Uint8Array);
  assert.equal(await client.refresh(), false);
  assert.deepEqual(repo.metadataRequests, []);
});

add('an initial root that does not verify by itself is no root', async ({ repo, client }) => {
  repo.amend('root', ({ signatures }) => {
    (signatures[0] as { sig: string }).sig = new TestKey().sign('something else');
  });
  await client.init(repo.last('root') as Uint8Array);
  assert.equal(await client.refresh(), false);
  assert.deepEqual(repo.metadataRequests, []);
});

const unsigned: Readonly<Record<string, string[]>> = {
  root: ['root 1'],
  timestamp: ['root 2'],
  snapshot: ['root 2', 'timestamp 2'],
  targets: ['root 2', 'timestamp 2', 'snapshot 2'],
};
for (const [role, trusted] of Object.entries(unsigned)) {
  add(`${role} without a signature is refused, what came before it is kept`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.signers.set(role, []);
    repo.publish(...everything);
    assert.equal(await client.refresh(), false);
    await client.assertTrusts(...trusted);
  });
}

for (const role of ['root', 'snapshot', 'targets']) {
  add(`${role} of another version than its name says is refused`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    (repo.roles.get(role) as { version: number }).version += 1;
    repo.publish(...everything);
    assert.equal(await client.refresh(), false);
    await client.assertTrusts(...(unsigned[role] as string[]));
  });
}

add('a timestamp with other content under the same version changes nothing', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.ok(await client.refresh());
  const before = await client.bytes('timestamp');
  (repo.timestamp.meta['snapshot.json'] as MetaEntry).version = 100;
  repo.startAgain('timestamp');
  repo.publish('timestamp');
  assert.ok(await client.refresh());
  assert.equal(repo.metadataRequests.at(-1), 'timestamp');
  assert.deepEqual(await client.bytes('timestamp'), before);
});

add('hashes of metadata are checked and pass', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.withHashes = true;
  repo.publish('targets', 'snapshot', 'timestamp');
  assert.ok(await client.refresh());
});

const wrongHash = { sha256: '0'.repeat(64) };

add('targets with another hash than the snapshot says are refused', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.withHashes = true;
  repo.publish('targets', 'snapshot', 'timestamp');
  assert.ok(await client.refresh());
  repo.publish('targets');
  (repo.snapshot.meta['targets.json'] as MetaEntry)['hashes'] = wrongHash;
  repo.publish('snapshot', 'timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('snapshot'), 3);
  assert.equal(await client.version('targets'), 2);
});

add('a snapshot with another hash than the timestamp says is refused', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.withHashes = true;
  repo.publish('snapshot', 'timestamp');
  assert.ok(await client.refresh());
  repo.publish('snapshot');
  (repo.timestamp.meta['snapshot.json'] as MetaEntry)['hashes'] = wrongHash;
  repo.publish('timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('timestamp'), 3);
  assert.equal(await client.version('snapshot'), 2);
});

add('fields nobody knows are signed content like any other', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.root['x-custom'] = 'value';
  repo.addKey('root', new TestKey('ecdsa', { 'x-extra': { a: 1, b: 2 } }));
  repo.roleKeys('root')['x-another'] = 'value';
  repo.publish('root');
  assert.ok(await client.refresh());
  assert.equal(await client.version('root'), 2);
});

add('keyid_hash_algorithms of old keys means nothing', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.roleKeys('snapshot').keyids = [];
  repo.signers.set('snapshot', []);
  repo.addKey('snapshot', new TestKey('ecdsa', { keyid_hash_algorithms: 'md5' }));
  repo.publish('root', 'snapshot', 'timestamp');
  assert.ok(await client.refresh());
  await client.assertTrusts('root 2', 'timestamp 2', 'snapshot 2', 'targets 1');
});

add('a snapshot that is not there fails the refresh, the timestamp is kept', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.ok(await client.refresh());
  (repo.timestamp.meta['snapshot.json'] as MetaEntry).version += 1;
  repo.publish('timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(repo.metadataRequests.at(-1), 'snapshot 2');
  await client.assertTrusts('root 1', 'timestamp 2', 'snapshot 1', 'targets 1');
});

add('targets that are not there fail the refresh, the rest is kept', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.ok(await client.refresh());
  (repo.snapshot.meta['targets.json'] as MetaEntry).version += 1;
  repo.publish('snapshot', 'timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(repo.metadataRequests.at(-1), 'targets 2');
  await client.assertTrusts('root 1', 'timestamp 2', 'snapshot 2', 'targets 1');
});

add('a timestamp that is not there fails the refresh', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.ok(await client.refresh());
  repo.published.delete('timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(repo.metadataRequests.at(-1), 'timestamp');
});

add('a snapshot that poses as a timestamp is refused for its type', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.addKey('snapshot', (repo.signers.get('timestamp') ?? [])[0]);
  repo.snapshot.meta = { 'snapshot.json': { version: 1 } };
  repo.publish('root', 'snapshot');
  const posing = repo.last('snapshot') as Uint8Array;
  repo.published.get('snapshot')?.pop();
  repo.published.get('timestamp')?.push(posing);
  assert.equal(await client.refresh(), false);
  await client.assertTrusts('root 2');
});

add('the clock is the one of the system', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.root.expires = repo.inDays(7);
  repo.publish('root');
  assert.ok(await client.refresh());
  assert.equal(await client.refresh(repo.now + 8 * DAY), false);
});
