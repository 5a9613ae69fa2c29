/** A repository that goes back, and one that recovers from having gone too far ahead. */
import assert from 'node:assert/strict';
import { cases } from './case.ts';

const { list, add } = cases('rollback');
export const rollbackCases = list;

add('a timestamp of an older version is refused', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.publish('timestamp');
  assert.ok(await client.refresh());
  repo.startAgain('timestamp');
  repo.publish('timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('timestamp'), 2);
  assert.equal(repo.metadataRequests.at(-1), 'timestamp');
});

for (const withHashes of [false, true]) {
  const how = withHashes ? ', hashes listed' : '';
  add(`a snapshot of an older version is refused${how}`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.withHashes = withHashes;
    repo.publish('snapshot', 'timestamp');
    assert.ok(await client.refresh());
    repo.startAgain('snapshot');
    repo.publish('snapshot', 'timestamp');
    assert.equal(await client.refresh(), false);
    await client.assertTrusts('root 1', 'timestamp 2', 'snapshot 2', 'targets 1');
    assert.equal(repo.metadataRequests.at(-1), 'timestamp');
  });
  add(`targets of an older version are refused${how}`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.withHashes = withHashes;
    repo.publish('targets', 'snapshot', 'timestamp');
    assert.ok(await client.refresh());
    repo.startAgain('targets');
    repo.publish('targets', 'snapshot', 'timestamp');
    assert.equal(await client.refresh(), false);
    assert.equal(await client.version('snapshot'), 2);
    assert.equal(await client.version('targets'), 2);
  });
}

add('a snapshot that no longer lists a role is refused', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.delegate('targets', { name: 'delegated', paths: ['some/*'] });
  repo.publish('delegated', 'targets', 'snapshot', 'timestamp');
  assert.ok(await client.refresh());
  delete repo.snapshot.meta['delegated.json'];
  repo.publish('snapshot', 'timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('snapshot'), 2);
});

const FAR = 99;

add('targets recover from a version too high by new snapshot keys', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.delegate('targets', { name: 'delegated', paths: ['some/*'] });
  repo.publish('delegated');
  for (let more = 0; more < FAR; more++) repo.publish('targets');
  repo.publish('snapshot', 'timestamp');
  assert.ok(await client.refresh());
  assert.equal(await client.version('targets'), 100);
  repo.rotate('snapshot');
  repo.startAgain('targets');
  delete repo.snapshot.meta['delegated.json'];
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  assert.ok(await client.refresh());
  assert.equal(await client.version('targets'), 1);
});

add('a snapshot recovers from a version too high by new snapshot and timestamp keys', async (world) => {
  const { repo, client } = world;
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  for (let more = 0; more < FAR; more++) repo.publish('snapshot');
  repo.publish('timestamp');
  assert.ok(await client.refresh());
  assert.equal(await client.version('snapshot'), 100);
  repo.rotate('snapshot');
  repo.rotate('timestamp');
  repo.startAgain('snapshot');
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  assert.ok(await client.refresh());
  assert.equal(await client.version('snapshot'), 1);
});

add('a timestamp recovers from a version too high by new timestamp keys', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  for (let more = 0; more < FAR; more++) repo.publish('timestamp');
  assert.ok(await client.refresh());
  assert.equal(await client.version('timestamp'), 100);
  repo.rotate('timestamp');
  repo.startAgain('timestamp');
  repo.publish('root', 'timestamp');
  assert.ok(await client.refresh());
  assert.equal(await client.version('timestamp'), 1);
});
