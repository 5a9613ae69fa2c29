/** Expiry of each role, on the mirror and on disk. */
import assert from 'node:assert/strict';
import { cases } from './case.ts';
import { DAY } from './simulator.ts';

const { list, add } = cases('expiry');
export const expiryCases = list;

add('an expired root is kept, nothing behind it is', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  assert.ok(await client.refresh());
  repo.publish('root');
  assert.ok(await client.refresh());
  repo.root.expires = repo.inDays(-1);
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  assert.equal(await client.refresh(), false);
  await client.assertTrusts('root 3', 'timestamp 1', 'snapshot 1', 'targets 1');
});

const expired: Readonly<Record<string, string[]>> = {
  timestamp: ['root 1', 'timestamp 1', 'snapshot 1', 'targets 1'],
  snapshot: ['root 1', 'timestamp 2', 'snapshot 1', 'targets 1'],
  targets: ['root 1', 'timestamp 2', 'snapshot 2', 'targets 1'],
};
const upTo: Readonly<Record<string, string[]>> = {
  timestamp: ['timestamp'],
  snapshot: ['snapshot', 'timestamp'],
  targets: ['targets', 'snapshot', 'timestamp'],
};
for (const [role, trusted] of Object.entries(expired)) {
  add(`an expired ${role} does not take the place of the one before`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    assert.ok(await client.refresh());
    (repo.roles.get(role) as { expires: string }).expires = repo.inDays(-5);
    repo.publish(...(upTo[role] as string[]));
    assert.equal(await client.refresh(), false);
    await client.assertTrusts(...trusted);
  });
}

add('a root that expired on disk leads to the one that did not', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.root.expires = repo.inDays(7);
  repo.publish('root');
  assert.ok(await client.refresh());
  repo.root.expires = repo.inDays(21);
  repo.publish('root');
  assert.ok(await client.refresh(repo.now + 18 * DAY));
  assert.equal(await client.version('root'), 3);
});

add('a timestamp that expired on disk leads to the one that did not', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.timestamp.expires = repo.inDays(7);
  repo.publish('timestamp');
  assert.ok(await client.refresh());
  repo.timestamp.expires = repo.inDays(21);
  repo.publish('targets', 'snapshot', 'timestamp');
  assert.ok(await client.refresh(repo.now + 18 * DAY));
  await client.assertTrusts('root 1', 'timestamp 3', 'snapshot 2', 'targets 2');
});
