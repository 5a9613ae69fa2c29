/** crane logs in at our registry and reads our logins; we read its; a credential helper serves both. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '#platform/process';
import { requirePeer } from './cache.ts';
import { loginWorld, PASSWORD } from './login-world.ts';

const binary = requirePeer('crane');
const world = await loginWorld();
const { home, kept, registry, waybill } = world;
const { host } = registry;
const config = join(home, 'config.json');
const crane = (args: readonly string[], input?: string): Promise<string> => world.passes(binary, args, input);
const push = ['append', '--oci-empty-base', '-f', join(home, 'layer.tgz'), '-t', `${host}/team/app:v1`];
await writeFile(join(home, 'hello.txt'), 'hello\n');
await run('tar', ['czf', join(home, 'layer.tgz'), '-C', home, 'hello.txt']);

test('crane auth login, a push, and our client reads with the login crane kept', async () => {
  assert.notEqual((await world.run(binary, push)).code, 0, 'without a login nothing is pushed');
  await crane(['auth', 'login', host, '-u', 'alice', '--password-stdin'], PASSWORD);
  await crane(push);
  assert.equal(
    await waybill('digest', `${host}/team/app:v1`),
    await crane(['digest', `${host}/team/app:v1`]),
  );
  const denied = await world.run(binary, [...push.slice(0, -1), `${host}/other/app:v1`]);
  assert.match(denied.stderr, /DENIED|403/);
  await waybill('registry', 'logout', host);
  assert.equal(await waybill('registry', 'whoami', host), `${host}: nobody`);
  assert.notEqual((await world.run(binary, ['digest', `${host}/team/app:v1`])).code, 0);
});

test('waybill registry login, and crane pulls and pushes with it', async () => {
  await waybill('registry', 'login', host, '-u', 'alice', '--password-stdin');
  assert.equal((await stat(config)).mode & 0o777, 0o600);
  assert.equal(await waybill('registry', 'whoami', host), `${host}: alice (${config})`);
  await crane(push);
  await crane(['validate', '--remote', `${host}/team/app:v1`]);
});

test('with a credential helper the secret is in no file of docker, and both use it', async () => {
  await writeFile(config, JSON.stringify({ credHelpers: { [host]: 'folder' } }));
  await waybill('registry', 'login', host, '-u', 'alice', '--password-stdin');
  assert.doesNotMatch(await readFile(config, 'utf8'), /auth":/);
  assert.match(await readFile(join(kept, 'secret'), 'utf8'), /a pass:word/);
  await crane(push);
  assert.equal(await waybill('registry', 'whoami', host), `${host}: alice (docker-credential-folder)`);
  await waybill('tree', `${host}/team/app:v1`);
  await waybill('registry', 'logout', host);
  assert.notEqual((await world.run(binary, ['digest', `${host}/team/app:v1`])).code, 0);
});

test('a wrong password is refused and not kept; one on the command line is warned of', async () => {
  await writeFile(config, '{}');
  const ours = await world.run(join(process.cwd(), 'bin/waybill'), [
    'registry',
    'login',
    host,
    '-u',
    'alice',
    '-p',
    'no',
  ]);
  assert.equal(ours.code, 21);
  assert.match(ours.stderr, /can be read by everybody/);
  assert.equal(await readFile(config, 'utf8'), '{}');
});
