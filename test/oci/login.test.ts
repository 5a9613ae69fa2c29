/** Where logins are kept: docker's file, or the helper it names. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Secret } from '#base/secret';
import { forgetLogin, keepLogin, keychain } from '#oci';
import { reasonOf } from './helpers.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-login-'));
after(() => rm(folder, { recursive: true }));
let made = 0;
const login = { registry: 'reg.example:5000', username: 'me', password: new Secret('pa:ss') };

/** A helper that remembers what it was asked. */
function helper(code = 0) {
  const calls: string[][] = [];
  const runHelper = (command: string, action: string, input: string) => {
    calls.push([command, action, input]);
    return Promise.resolve({ code, stdout: '', stderr: '', timedOut: false });
  };
  return { calls, runHelper };
}

async function fileWith(config?: unknown): Promise<string> {
  const dir = join(folder, `home-${made++}`);
  const file = join(dir, 'config.json');
  if (config === undefined) return file;
  const { mkdir } = await import('node:fs/promises');
  await mkdir(dir);
  await writeFile(file, JSON.stringify(config));
  return file;
}

test('a login is kept in a file of its user alone, found by our keychain, and forgotten', async () => {
  const file = await fileWith();
  assert.deepEqual(await keepLogin(file, login), { kind: 'file', name: file });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const env = { DOCKER_CONFIG: join(file, '..'), HOME: folder };
  const found = await keychain({ env }).find('reg.example:5000', 'team/app');
  assert.ok(found?.credential.kind === 'basic');
  assert.equal(found.credential.password.reveal(), 'pa:ss');
  assert.equal(await forgetLogin(file, login.registry), true);
  assert.equal(await forgetLogin(file, login.registry), false);
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), { auths: {} });
});

test('everything else in the file stays', async () => {
  const before = { auths: { other: { auth: 'eDp5' } }, HttpHeaders: { a: 'b' }, currentContext: 'x' };
  const file = await fileWith(before);
  await keepLogin(file, { ...login, registry: 'docker.io' });
  const auth = Buffer.from('me:pa:ss').toString('base64');
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), {
    ...before,
    auths: { ...before.auths, 'https://index.docker.io/v1/': { auth } },
  });
});

for (const [name, config] of [
  ['credsStore', { credsStore: 'keep' }],
  ['credHelpers', { credsStore: 'other', credHelpers: { 'reg.example:5000': 'keep' } }],
] as const) {
  test(`with ${name} the helper gets the secret on standard input, and the file stays as it is`, async () => {
    const file = await fileWith(config);
    const { calls, runHelper } = helper();
    assert.deepEqual(await keepLogin(file, login, runHelper), { kind: 'helper', name: 'keep' });
    const secret = { ServerURL: login.registry, Username: 'me', Secret: 'pa:ss' };
    assert.deepEqual(calls, [['docker-credential-keep', 'store', JSON.stringify(secret)]]);
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), config);
    assert.equal(await forgetLogin(file, login.registry, runHelper), true);
    assert.deepEqual(calls[1], ['docker-credential-keep', 'erase', login.registry]);
  });
}

test('a helper that fails, has no name of a helper, or a file that is none: refused, without the secret', async () => {
  const failing = await reasonOf(keepLogin(await fileWith({ credsStore: 'x' }), login, helper(1).runHelper));
  assert.equal(failing.code, 'WB-507');
  assert.doesNotMatch(JSON.stringify(failing), /pa:ss/);
  const { calls, runHelper } = helper();
  const named = await reasonOf(keepLogin(await fileWith({ credsStore: '../x' }), login, runHelper));
  assert.equal(named.code, 'WB-507');
  assert.deepEqual(calls, []);
  assert.equal((await reasonOf(keepLogin(await fileWith([]), login))).code, 'WB-507');
});
