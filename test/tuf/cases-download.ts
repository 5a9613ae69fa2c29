/** Targets: where they are read, how they are checked, when they are not read again. */
import assert from 'node:assert/strict';
import { utf8 } from '#base/bytes';
import { cases } from './case.ts';

const { list, add } = cases('download');
export const downloadCases = list;

const publishTargets = ['targets', 'snapshot', 'timestamp'];

for (const path of ['file.txt', 'path/to/a/file.txt']) {
  add(`${path} is downloaded, and only when asked for`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.addArtifact('targets', path, 'content');
    repo.publish(...publishTargets);
    assert.ok(await client.refresh());
    assert.deepEqual(await client.downloaded(), []);
    assert.ok(await client.download(path));
    assert.deepEqual(await client.downloaded(), ['content']);
  });
}

add('content that was exchanged on the mirror is never accepted', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.addArtifact('targets', 'one', 'good one');
  repo.addArtifact('targets', 'two', 'good two');
  repo.publish(...publishTargets);
  assert.ok(await client.download('one'));
  repo.artifacts.set('one', utf8('bad'));
  repo.artifacts.set('two', utf8('bad'));
  assert.ok(await client.download('one'), 'what is there and right is not read again');
  assert.equal(await client.download('two'), false);
  assert.deepEqual(await client.downloaded(), ['good one']);
});

add('a target that changes often is followed, exchanged content is not', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.addArtifact('targets', 'file', 'first');
  repo.publish(...publishTargets);
  assert.ok(await client.download('file'));
  const others: string[] = [];
  for (let round = 0; round < 11; round++) {
    repo.addArtifact('targets', 'file', `changed ${round}`);
    repo.addArtifact('targets', `new-${round}`, `new ${round}`);
    repo.publish(...publishTargets);
    if (round % 5 !== 0) continue;
    assert.ok(await client.download('file'));
    assert.ok(await client.download(`new-${round}`));
    others.push(`new ${round}`);
    const expected = [`changed ${round}`, ...others].sort();
    assert.deepEqual(await client.downloaded(), expected);
    repo.artifacts.set('file', utf8(`bad ${round}`));
    repo.publish(...publishTargets);
    await client.download('file');
    assert.deepEqual(await client.downloaded(), expected);
  }
});

for (const hashes of [['sha256'], ['sha512'], ['sha256', 'sha512']]) {
  add(`targets by ${hashes.join(' and ')}`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.addArtifact('targets', 'file', 'content', hashes);
    repo.publish(...publishTargets);
    assert.ok(await client.download('file'));
    assert.deepEqual(repo.targetRequests, ['file']);
    assert.deepEqual(await client.downloaded(), ['content']);
  });
}

add('a target with hashes nobody can check is refused', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.addArtifact('targets', 'file', 'content');
  const listed = repo.targets().targets['file'] as { hashes: Record<string, string> };
  listed.hashes = { 'unknown-hash': listed.hashes['sha256'] as string };
  repo.publish(...publishTargets);
  assert.equal(await client.download('file'), false);
  assert.deepEqual(await client.downloaded(), []);
});

add('a target that is there already is not read again', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.addArtifact('targets', 'file', 'content');
  repo.publish(...publishTargets);
  assert.ok(await client.download('file'));
  assert.ok(await client.download('file'));
  assert.deepEqual(repo.targetRequests, ['file']);
});
