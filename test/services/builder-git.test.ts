/** Repositories and refs of strangers: nothing in them runs in the control plane, and a ref is what it says. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commit, definition, git, openFolder, readLayer, repository, workbench } from './builder-fixture.ts';

const outputs = ['registry.test/app:1'];
const list = definition('(cd "$WAYBILL_SOURCE"; find . | sort; cat data.txt) > "$WAYBILL_OUTPUT/run"\n');

test('hooks, filters and programs named in a repository do not run', async (t) => {
  const bench = await workbench(t);
  const marker = join(bench.folder, 'ran');
  const repo = repository(bench.folder, {
    ...list,
    '.gitattributes': '*.txt filter=evil diff=evil merge=evil text eol=crlf export-subst\n',
    'data.txt': 'one\ntwo $Format:%H$\n',
  });
  for (const hook of [
    'post-checkout',
    'post-merge',
    'reference-transaction',
    'pre-receive',
    'fsmonitor-watchman',
  ]) {
    writeFileSync(join(repo, '.git', 'hooks', hook), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
  }
  for (const [name, value] of [
    ['filter.evil.smudge', `touch ${marker}; cat`],
    ['filter.evil.process', `touch ${marker}`],
    ['core.fsmonitor', `touch ${marker}`],
    ['core.sshCommand', `touch ${marker}`],
    ['uploadpack.packObjectsHook', `touch ${marker}; exec`],
    ['core.hooksPath', join(repo, '.git', 'hooks')],
    ['alias.fetch', `!touch ${marker}`],
  ] as const) {
    git(repo, 'config', name, value);
  }
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  assert.equal(existsSync(marker), false);
  // Bytes are the blob's: no line ending was changed, no keyword filled in.
  const text = readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text ?? '';
  assert.match(text, /one\ntwo \$Format:%H\$\n/);
});

test('a submodule is not fetched, whatever its URL', async (t) => {
  const bench = await workbench(t);
  const marker = join(bench.folder, 'ran');
  const repo = repository(bench.folder, { ...list, 'data.txt': 'x' });
  writeFileSync(
    join(repo, '.gitmodules'),
    `[submodule "m"]\n\tpath = m\n\turl = ext::sh -c touch% ${marker}\n`,
  );
  git(repo, 'add', '.gitmodules');
  git(repo, 'update-index', '--add', '--cacheinfo', `160000,${'a'.repeat(40)},m`);
  git(repo, 'commit', '--quiet', '--message=module');
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  // git's own check of fetched objects may refuse such a .gitmodules; either way nothing ran.
  assert.equal(existsSync(marker), false);
  if (status.state === 'succeeded') {
    assert.match(readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text ?? '', /^\.\/m$/m);
  } else assert.equal(status.reason?.code, 'WB-1114');
});

test('refs that are options, ranges, look-alikes or ambiguous are refused', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, { ...list, 'data.txt': 'x' });
  git(repo, 'branch', 'both');
  git(repo, 'tag', 'both');
  git(repo, 'branch', 'refs/tags/v9');
  const refs = [
    '--upload-pack=touch',
    '-x',
    'main..v1.0.0',
    'main^{/x}',
    'main@{1}',
    'HEAD',
    'refs/heads/refs/tags/v9',
    'refs/notes/x',
    'heads/main',
    'both',
    'nothing',
    'main v1.0.0',
    'refs/heads/',
    'v1.0.0\u2028',
  ];
  for (const ref of refs) {
    const status = await bench.build({ source: { uri: repo, ref }, outputs });
    assert.equal(status.reason?.code, 'WB-1115', `${ref}: ${JSON.stringify(status.reason)}`);
  }
});

test('sources that are programs, carry credentials or lie outside the roots are refused', async (t) => {
  const bench = await workbench(t);
  const outside = repository(openFolder(t), { ...list, 'data.txt': 'x' });
  const link = join(bench.folder, 'link');
  symlinkSync(outside, link);
  const uris = [
    'ext::sh -c id',
    '-oProxyCommand=id',
    'https://user:password@git.example/x/y',
    'git@git.example:x/y',
    'fd::17/foo',
    'http://git.example/x/y',
    'git://git.example/x/y',
    `${outside}`,
    `file://${outside}`,
    link,
    join(bench.folder, 'missing'),
  ];
  for (const uri of uris) {
    const status = await bench.build({ source: { uri, ref: 'main' }, outputs });
    assert.ok(
      ['WB-1114', 'WB-707'].includes(status.reason?.code ?? ''),
      `${uri}: ${JSON.stringify(status.reason)}`,
    );
  }
});

test('an annotated tag is peeled to its commit, and the tag object is recorded', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, { ...list, 'data.txt': 'x' });
  git(repo, 'tag', '--annotate', '--message=release', 'v2.0.0');
  const status = await bench.build({ source: { uri: repo, ref: 'v2.0.0' }, outputs });
  assert.equal(status.result?.source.ref, 'refs/tags/v2.0.0');
  assert.equal(status.result?.source.commit, git(repo, 'rev-parse', 'HEAD'));
  const text = JSON.stringify(bench.signed[0]?.statement.predicate);
  assert.ok(text.includes(`"gitTag":"${git(repo, 'rev-parse', 'refs/tags/v2.0.0')}"`));
});

test('a bare commit builds, and its provenance claims no ref', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, { ...list, 'data.txt': 'old' });
  const old = git(repo, 'rev-parse', 'HEAD');
  commit(repo, { 'data.txt': 'new' });
  const status = await bench.build({ source: { uri: repo, ref: old }, outputs });
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  assert.match(readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text ?? '', /old/);
  assert.equal(status.result?.source.ref, undefined);
  assert.equal(bench.signed[0]?.claims.sourceRepositoryRef, undefined);
});

test('the definition is the one of the commit, not of the working folder', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, definition('echo committed > "$WAYBILL_OUTPUT/run"\n'));
  writeFileSync(join(repo, 'build.sh'), 'echo edited > "$WAYBILL_OUTPUT/run"\n');
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text, 'committed\n');
});

test('a definition that is a link is refused', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, { 'other.yaml': 'version: 1\n' });
  symlinkSync('other.yaml', join(repo, 'waybill-build.yaml'));
  git(repo, 'add', '--all');
  git(repo, 'commit', '--quiet', '--message=link');
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.reason?.code, 'WB-1117');
});

test('a link in the source leads nowhere in the host', async (t) => {
  const bench = await workbench(t);
  const secret = join(bench.folder, 'secret.txt');
  writeFileSync(secret, 'top secret');
  const repo = repository(
    bench.folder,
    definition('(cat "$WAYBILL_SOURCE/leak" || echo no) > "$WAYBILL_OUTPUT/run" 2>/dev/null\n'),
  );
  symlinkSync(secret, join(repo, 'leak'));
  git(repo, 'add', '--all');
  git(repo, 'commit', '--quiet', '--message=link');
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  const text = readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text;
  if (bench.builder.report.open.length === 0) assert.equal(text, 'no\n');
});

test('a mirror stands in for its repository, and the provenance names the repository', async (t) => {
  const folder = openFolder(t);
  const mirror = repository(folder, { ...list, 'data.txt': 'x' });
  const bench = await workbench(t, { mirrors: { 'https://git.example/acme/app': mirror } });
  const uri = 'git+https://git.example/acme/app.git';
  const status = await bench.build({ source: { uri, ref: 'v1.0.0' }, outputs });
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  assert.equal(status.result?.source.uri, 'https://git.example/acme/app');
  assert.equal(bench.signed[0]?.claims.sourceRepositoryUri, 'https://git.example/acme/app');
});

test('an object that is not what its name says is refused', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, { ...list, 'data.txt': 'x' });
  const blob = git(repo, 'rev-parse', 'HEAD:data.txt');
  const other = git(repo, 'hash-object', '-w', 'build.sh');
  const at = (id: string): string => join(repo, '.git', 'objects', id.slice(0, 2), id.slice(2));
  rmSync(at(blob));
  mkdirSync(join(repo, '.git', 'objects', blob.slice(0, 2)), { recursive: true });
  copyFileSync(at(other), at(blob));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.reason?.code, 'WB-1114');
});
