import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import type { Transport } from '#platform/http-client';
import { loadTrust, mirrorRepository, type TufSource } from '#trust';
import { Simulator } from '../tuf/simulator.ts';

const noNetwork: Transport = {
  request: () => assert.fail('a connection'),
  stream: () => assert.fail('a connection'),
};

/** The simulator below one address, as real mirrors are. */
const sourceOf = (repo: Simulator): TufSource => ({
  read: async (path) => repo.read(path.startsWith('targets/') ? path : `metadata/${path}`),
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-mirror-test-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function repository(): Simulator {
  const repo = new Simulator();
  repo.addArtifact('targets', 'trusted_root.json', '{"no":"root"}', ['sha256', 'sha512']);
  repo.delegate('targets', { name: 'registry.example', paths: ['registry.example/*'], terminating: true });
  repo.addArtifact('registry.example', 'registry.example/keys.json', 'keys');
  repo.publish('registry.example', 'targets', 'snapshot', 'timestamp');
  repo.rotate('timestamp');
  repo.publish('root', 'timestamp');
  return repo;
}

const first = (repo: Simulator): Uint8Array => repo.published.get('root')?.[0] as Uint8Array;

test('a copy holds every root, role and target, and clients work against it without the original', () =>
  inFolder(async (folder) => {
    const repo = repository();
    const copy = join(folder, 'copy');
    const root = first(repo);
    const made = await mirrorRepository({ root, source: sourceOf(repo), folder: copy, now: repo.now });
    assert.equal(made.rootVersion, 2);
    assert.deepEqual(made.roles, ['root', 'timestamp', 'snapshot', 'targets', 'registry.example']);
    assert.equal(made.targets, 2);
    assert.equal(made.written.at(-1), 'timestamp.json');
    assert.deepEqual(await readFile(join(copy, '1.root.json')), Buffer.from(root));
    // The trusted root in it is none, which is found only after everything else has verified from the copy.
    const { href } = pathToFileURL(copy);
    const source = { kind: 'tuf', mirror: href, root: join(copy, '1.root.json'), cacheDir: folder } as const;
    await assert.rejects(loadTrust(source, { transport: noNetwork }), (error: WaybillError) => {
      assert.equal(error.reason.code, 'WB-604');
      return true;
    });
    const again = await mirrorRepository({ root, source: sourceOf(repo), folder: copy, now: repo.now });
    assert.deepEqual(again.written, []);
  }));

async function refused(repo: Simulator, folder: string): Promise<WaybillError> {
  const copying = mirrorRepository({ root: first(repo), source: sourceOf(repo), folder, now: repo.now });
  return copying.then(
    () => assert.fail('accepted'),
    (error: unknown) => {
      assert.ok(error instanceof WaybillError, String(error));
      return error;
    },
  );
}

test('an exchanged target, an unsigned role or an older state leaves the copy as it was', () =>
  inFolder(async (copy) => {
    const repo = repository();
    await mirrorRepository({ root: first(repo), source: sourceOf(repo), folder: copy, now: repo.now });
    const before = await readFile(join(copy, 'timestamp.json'));

    repo.addArtifact('targets', 'new.json', 'new');
    repo.publish('targets', 'snapshot', 'timestamp');
    repo.artifacts.set('new.json', utf8('bad'));
    assert.equal((await refused(repo, copy)).reason.code, 'WB-601');

    repo.artifacts.set('new.json', utf8('new'));
    repo.signers.set('registry.example', []);
    repo.publish('registry.example', 'snapshot', 'timestamp');
    const unsigned = await refused(repo, copy);
    assert.equal(unsigned.reason.code, 'WB-601');
    assert.match(unsigned.reason.expected, /registry\.example/);

    repo.startAgain('timestamp');
    repo.publish('timestamp');
    assert.equal((await refused(repo, copy)).reason.code, 'WB-601');
    assert.deepEqual(await readFile(join(copy, 'timestamp.json')), before);
  }));

test('a name that leaves its folder is refused', () =>
  inFolder(async (copy) => {
    const repo = repository();
    repo.addArtifact('targets', '../../outside', 'x');
    repo.publish('targets', 'snapshot', 'timestamp');
    assert.equal((await refused(repo, copy)).reason.code, 'WB-605');
    await assert.rejects(readFile(join(copy, 'timestamp.json')), { code: 'ENOENT' });
  }));
