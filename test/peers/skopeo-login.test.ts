/** skopeo (containers/image) logs in at our registry and copies with it; it reads the login we keep for podman. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secret } from '#base/secret';
import { fixedCredential } from '#oci';
import { putImage, repositoryAt } from '../oci/helpers.ts';
import { requirePeer } from './cache.ts';
import { loginWorld, PASSWORD } from './login-world.ts';

const binary = requirePeer('skopeo');
const world = await loginWorld();
const { home, registry, waybill } = world;
const { host } = registry;
const authfile = join(home, 'auth.json');
const policy = join(home, 'policy.json');
await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
const credentials = fixedCredential(host, {
  kind: 'basic',
  username: 'alice',
  password: new Secret(PASSWORD),
});
await putImage(repositoryAt(host, 'team/app', { credentials }), 'x', { tag: 'v1' });

const login = [
  'login',
  '--tls-verify=false',
  '--authfile',
  authfile,
  '-u',
  'alice',
  '--password-stdin',
  host,
];
const copy = (target: string): readonly string[] => [
  ...['--policy', policy, 'copy', '--src-tls-verify=false', '--dest-tls-verify=false'],
  ...['--authfile', authfile, `docker://${host}/team/app:v1`, `docker://${host}/${target}`],
];

test('skopeo login with the password, and with another', async () => {
  const wrong = await world.run(binary, login, 'wrong');
  assert.notEqual(wrong.code, 0);
  await world.passes(binary, login, PASSWORD);
  await world.passes(binary, copy('team/copy:v1'));
  assert.notEqual((await world.run(binary, copy('other/copy:v1'))).code, 0, 'no right there');
  await world.passes(binary, ['logout', '--authfile', authfile, host]);
  assert.notEqual((await world.run(binary, copy('team/again:v1'))).code, 0);
});

test('skopeo copies with the login that waybill kept', async () => {
  await waybill('registry', 'login', host, '-u', 'alice', '--password-stdin', '--authfile', authfile);
  await world.passes(binary, copy('team/again:v1'));
  assert.deepEqual(
    JSON.parse(
      await world.passes(binary, [
        'list-tags',
        '--tls-verify=false',
        '--authfile',
        authfile,
        `docker://${host}/team/again`,
      ]),
    ).Tags,
    ['v1'],
  );
});
