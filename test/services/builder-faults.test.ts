/** What goes wrong around a build: hosts, registries, disks, restarts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WaybillError } from '#base/reason';
import type { Manifest } from '#formats/oci';
import { checkoutTree } from '../../src/services/builder/checkout.ts';
import { fetchSource } from '../../src/services/builder/source.ts';
import { definition, git, gitEnv, openFolder, repository, workbench } from './builder-fixture.ts';

const outputs = ['registry.test/app:1'];
const simple = definition('echo x > "$WAYBILL_OUTPUT/run"\n');

/** Turns the packs of a repository into one file for each object. */
function unpack(gitDir: string): void {
  const packs = join(gitDir, 'objects', 'pack');
  for (const name of readdirSync(packs).filter((each) => each.endsWith('.pack'))) {
    const input = readFileSync(join(packs, name));
    for (const other of readdirSync(packs)) rmSync(join(packs, other));
    execFileSync('git', ['unpack-objects', '-q'], { cwd: gitDir, env: gitEnv, input });
  }
}

const hasCode =
  (code: string) =>
  (error: WaybillError): boolean =>
    error.reason?.code === code;

test('a back end that does not work here is refused by name, never replaced by a weaker one', async (t) => {
  if (existsSync('/usr/bin/bwrap')) return;
  await assert.rejects(workbench(t, { backend: 'bwrap' }), hasCode('WB-1119'));
});

test('a build that can write its source is found out, and nothing is pushed', async (t) => {
  const bench = await workbench(t, { backend: 'none' });
  const repo = repository(
    bench.folder,
    definition('echo other > "$WAYBILL_SOURCE/data"; echo x > "$WAYBILL_OUTPUT/run"\n'),
  );
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.reason?.code, 'WB-1125');
  assert.deepEqual(bench.store.events, []);
});

test('a record that cannot be written is told to who waits for it, and the builder goes on', async (t) => {
  const bench = await workbench(t, { backend: 'none' });
  const { store } = bench;
  const request = { source: { uri: repository(bench.folder, simple), ref: 'main' }, outputs };
  const records = join(bench.folder, 'data', 'builds');
  const putManifest = store.putManifest.bind(store);
  store.putManifest = (...args) => {
    rmSync(records, { recursive: true });
    writeFileSync(records, 'a file where the folder was');
    store.putManifest = putManifest;
    return putManifest(...args);
  };
  await assert.rejects(bench.build(request), hasCode('WB-209'));
  rmSync(records);
  mkdirSync(records);
  assert.equal((await bench.build(request)).state, 'succeeded');
});

test('a build that can write an input is found out', async (t) => {
  const bench = await workbench(t, { backend: 'none' });
  const input = join(bench.folder, 'deps');
  mkdirSync(input);
  writeFileSync(join(input, 'a'), 'a');
  const script = 'echo b > "$WAYBILL_INPUTS/deps/a"; echo x > "$WAYBILL_OUTPUT/run"\n';
  const repo = repository(bench.folder, definition(script, 'inputs: [deps]'));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, inputs: { deps: input }, outputs });
  assert.equal(status.reason?.code, 'WB-1125');
});

test('a registry that stores another digest ends the build before anything is signed', async (t) => {
  const bench = await workbench(t);
  const { store } = bench;
  const resolve = store.resolve.bind(store);
  store.resolve = async (selector) => ({
    ...(await resolve(selector)),
    digest: `sha256:${'0'.repeat(64)}` as never,
  });
  const status = await bench.build({
    source: { uri: repository(bench.folder, simple), ref: 'main' },
    outputs,
  });
  assert.equal(status.reason?.code, 'WB-1124');
  assert.equal(bench.signed.length, 0);
  assert.equal(store.tags.size, 0);
});

test('a registry that fails at the manifest leaves no tag and no signature', async (t) => {
  const bench = await workbench(t);
  bench.store.putManifest = async (_manifest: Manifest) => {
    throw new Error('no space');
  };
  const status = await bench.build({
    source: { uri: repository(bench.folder, simple), ref: 'main' },
    outputs,
  });
  assert.equal(status.state, 'failed');
  assert.equal(bench.signed.length, 0);
  assert.deepEqual(readdirSync(join(bench.folder, 'work')), []);
});

test('the queue has an end, and builds wait their turn', async (t) => {
  const bench = await workbench(t, { queueMax: 1 });
  const slow = repository(bench.folder, definition('sleep 1; echo x > "$WAYBILL_OUTPUT/run"\n'));
  const request = { source: { uri: slow, ref: 'main' }, outputs };
  const first = await bench.builder.submit(request);
  const second = await bench.builder.submit(request);
  await assert.rejects(bench.builder.submit(request), hasCode('WB-1112'));
  assert.equal((await bench.builder.status(second.id)).state, 'queued');
  assert.equal((await bench.builder.finished(first.id)).state, 'succeeded');
  assert.equal((await bench.builder.finished(second.id)).state, 'succeeded');
});

test('builds at the same time do not see each other', async (t) => {
  const bench = await workbench(t, { concurrency: 2 });
  const script =
    'echo x > /tmp/mine; sleep 0.3; ls /tmp > "$WAYBILL_OUTPUT/run"; ls /proc | grep -c "^[0-9]" >> "$WAYBILL_OUTPUT/run"\n';
  const repo = repository(bench.folder, definition(script));
  const build = () => bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  const both = await Promise.all([build(), build()]);
  assert.deepEqual(
    both.map(({ state }) => state),
    ['succeeded', 'succeeded'],
  );
});

test('a build that a former process left unfinished is told as interrupted', async (t) => {
  const bench = await workbench(t);
  const data = join(bench.folder, 'data-2');
  mkdirSync(join(data, 'builds'), { recursive: true });
  const id = 'a'.repeat(32);
  const record = { schema: 'waybill.dev/build/v1', id, state: 'running', createdOn: '2026-01-01T00:00:00Z' };
  writeFileSync(join(data, 'builds', `${id}.json`), JSON.stringify(record));
  const later = await workbench(t, { dataDir: data });
  const status = await later.builder.status(id);
  assert.deepEqual([status.state, status.reason?.code], ['failed', 'WB-1126']);
  await later.builder.close();
});

test('a blob that was swapped after the fetch is found by its own hash', async (t) => {
  const folder = openFolder(t);
  const repo = repository(folder, { a: 'first', b: 'other' });
  const config = { sourceRoots: [folder] } as never;
  const source = await fetchSource({ uri: repo, ref: 'main' }, config, folder);
  unpack(source.gitDir);
  const at = (path: string): string => {
    const id = git(repo, 'rev-parse', `HEAD:${path}`);
    return join(source.gitDir, 'objects', id.slice(0, 2), id.slice(2));
  };
  chmodSync(at('a'), 0o644);
  rmSync(at('a'));
  copyFileSync(at('b'), at('a'));
  await assert.rejects(checkoutTree(source, join(folder, 'out'), 'a'), hasCode('WB-1116'));
});
