/** Repositories as they are written: by waybill's own stack, and in the shape of the public instance's. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { systemClock } from '#platform/system';
import { createTuf } from '#services/tuf';
import { cases } from './case.ts';

const { list, add } = cases('written');
export const writtenCases = list;

add('by the stack', async ({ repo, client }) => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-tuf-written-'));
  try {
    const tuf = await createTuf({ dir, clock: systemClock });
    const bytes = utf8('{"mediaType":"anything"}');
    await tuf.publish([{ name: 'trusted_root.json', bytes }]);
    const names = ['1.root.json', 'timestamp.json', '1.snapshot.json', '1.targets.json'];
    const files = new Map<string, Uint8Array>();
    for (const name of names) files.set(`metadata/${name}`, (await tuf.read(name)) as Uint8Array);
    files.set(`targets/${toHex(sha256(bytes))}.trusted_root.json`, bytes);
    repo.files = files;
    assert.ok(await client.init(await tuf.initialRoot()));
    assert.ok(await client.refresh());
    assert.ok(await client.download('trusted_root.json'));
    assert.deepEqual(await client.downloaded(), [Buffer.from(bytes).toString()]);
    await tuf.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

add(
  'with fields of a signing service and a terminating delegation by host name',
  async ({ repo, client }) => {
    repo.root['x-tuf-on-ci-expiry-period'] = 182;
    repo.root['x-tuf-on-ci-signing-period'] = 31;
    for (const key of Object.values(repo.root.keys)) key['x-tuf-on-ci-keyowner'] = '@keyholder';
    repo.delegate('targets', { name: 'registry.example', paths: ['registry.example/*'], terminating: true });
    repo.addArtifact('registry.example', 'registry.example/keys.json', 'keys');
    repo.addArtifact('targets', 'trusted_root.json', 'root');
    repo.startAgain('root');
    // A key's id stays the one it was listed under when its owner is noted later.
    repo.publish('root', 'registry.example', 'targets', 'snapshot', 'timestamp');
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    assert.ok(await client.download('trusted_root.json', 'registry.example/keys.json'));
    assert.deepEqual(await client.downloaded(), ['keys', 'root']);
    assert.equal(await client.download('registry.example/other.json'), false);
  },
);
