/** Keys, thresholds and signatures of one role. */
import assert from 'node:assert/strict';
import { cases } from './case.ts';
import { type JsonMap, type KeyKind, TestKey } from './keys.ts';

const { list, add } = cases('keys');
export const keyCases = list;

add('two signatures do not meet a threshold of three', async ({ repo, client }) => {
  repo.roleKeys('snapshot').threshold = 3;
  repo.addKey('snapshot');
  repo.addKey('snapshot');
  repo.publish('root', 'targets', 'snapshot', 'timestamp');
  assert.ok(await client.init(repo.published.get('root')?.[0] as Uint8Array));
  assert.ok(await client.refresh());
  repo.signers.get('snapshot')?.pop();
  repo.publish('targets', 'snapshot', 'timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('snapshot'), 2);
});

add('a threshold above the number of keys is never met', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  for (let more = 0; more < 4; more++) repo.addKey('snapshot');
  repo.roleKeys('snapshot').threshold = 6;
  repo.publish('root', 'snapshot', 'timestamp');
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('root'), 2);
  assert.equal(await client.version('snapshot'), undefined);
});

add('one key listed and signing many times counts once', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  const key = repo.addKey('snapshot');
  const role = repo.roleKeys('snapshot');
  for (let more = 0; more < 8; more++) role.keyids.push(key.id);
  role.threshold = 6;
  repo.publish('root', 'snapshot', 'timestamp');
  repo.amend('snapshot', ({ signatures }) => {
    const own = signatures.find((one) => one['keyid'] === key.id) as JsonMap;
    for (let more = 0; more < 8; more++) signatures.push(own);
  });
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('snapshot'), undefined);
});

add('a key id may sign once, also when the threshold is met', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.amend('snapshot', ({ signatures }) => {
    signatures.push(signatures[0] as JsonMap);
  });
  assert.equal(await client.refresh(), false);
  assert.equal(await client.version('snapshot'), undefined);
});

for (const kind of ['rsa', 'ecdsa', 'ed25519'] satisfies KeyKind[]) {
  add(
    `${kind} keys sign, and a signature of theirs over something else does not`,
    async ({ repo, client }) => {
      assert.ok(await client.init(repo.last('root') as Uint8Array));
      const key = repo.addKey('root', new TestKey(kind));
      repo.roleKeys('root').threshold = 2;
      repo.publish('root');
      assert.ok(await client.refresh());
      assert.equal(await client.version('root'), 2);
      repo.publish('root');
      repo.amend('root', ({ signatures }) => {
        const own = signatures.find((one) => one['keyid'] === key.id) as JsonMap;
        own['sig'] = key.sign('something else');
      });
      assert.equal(await client.refresh(), false);
      assert.equal(await client.version('root'), 2);
    },
  );
}

add('a wrong signature beside enough right ones does no harm', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  const [first] = repo.signers.get('timestamp') as [TestKey];
  repo.addKey('timestamp');
  repo.publish('root', 'timestamp');
  for (const sig of [first.sign('something else'), '']) {
    repo.publish('timestamp');
    repo.amend('timestamp', ({ signatures }) => {
      const own = signatures.find((one) => one['keyid'] === first.id) as JsonMap;
      own['sig'] = sig;
    });
    assert.ok(await client.refresh());
  }
});
