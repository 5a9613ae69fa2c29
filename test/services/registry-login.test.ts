/** Logging in at our registry: the challenge, the token endpoint, passwords, and what a short token may do. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FixedClock } from '#base/clock';
import { digestOf } from '#base/digest';
import { Secret } from '#base/secret';
import { type Credential, checkLogin, fixedCredential } from '#oci';
import { httpTransport } from '#platform/http-client';
import { systemRandom } from '#platform/system';
import { createRegistry, hashPassword, isPasswordHash } from '#services/registry';
import { putImage, reasonOf, repositoryAt } from '../oci/helpers.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-login-'));
const clock = new FixedClock(Date.UTC(2026, 0, 1));
const passwordHash = await hashPassword(new Secret('cor:rect'), systemRandom);
const registry = await createRegistry(
  {
    dataDir: folder,
    users: [{ name: 'alice', passwordHash, actions: ['pull', 'push'], repositories: ['team/*'] }],
    tokens: [{ name: 'ci', token: new Secret('s3cret'), actions: ['pull'], repositories: ['*'] }],
  },
  { clock },
);
const open = await createRegistry({
  dataDir: join(folder, 'open'),
  anonymous: ['pull'],
  tokens: [{ name: 'ci', token: new Secret('s3cret'), actions: ['push'], repositories: ['*'] }],
});
after(async () => {
  await registry.close();
  await open.close();
  await rm(folder, { recursive: true });
});

const basic = (pair: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
});
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const at = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${registry.origin}${path}`, init);

async function tokenFor(pair: string, ...scopes: string[]): Promise<string> {
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
  const answer = await at(`/v2/token?${query}`, { headers: basic(pair) });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  return ((await answer.json()) as { token: string }).token;
}

test('the challenge names the token endpoint and what to ask for', async () => {
  const service = new URL(registry.origin).host;
  const realm = `Bearer realm="${registry.origin}/v2/token",service="${service}"`;
  const pull = await at('/v2/team/app/manifests/v1');
  assert.equal(pull.headers.get('www-authenticate'), `${realm},scope="repository:team/app:pull"`);
  const push = await at('/v2/team/app/blobs/uploads/', { method: 'POST' });
  assert.equal(push.headers.get('www-authenticate'), `${realm},scope="repository:team/app:pull,push"`);
  assert.equal((await at('/v2/token')).status, 401);
});

test('a login by password gets a token for what was asked and may be done, and for nothing else', async () => {
  const token = await tokenFor('alice:cor:rect', 'repository:team/app:pull,push', 'repository:other:pull');
  const upload = (repo: string) =>
    at(`/v2/${repo}/blobs/uploads/?digest=${digestOf(new Uint8Array())}`, {
      method: 'POST',
      headers: bearer(token),
    });
  assert.equal((await upload('team/app')).status, 201);
  const beyond = await upload('team/second');
  assert.equal(beyond.status, 401, 'a scope that was not asked for can be asked for');
  assert.match(beyond.headers.get('www-authenticate') ?? '', /scope="repository:team\/second:pull,push"/);
  assert.equal((await upload('other')).status, 403, 'a right that is not there is not');
  assert.equal((await at('/v2/', { headers: bearer(token) })).status, 200);
});

test('a token ends after five minutes, and one of another key is none', async () => {
  const token = await tokenFor('alice:cor:rect');
  clock.advance(299_000);
  assert.equal((await at('/v2/', { headers: bearer(token) })).status, 200);
  clock.advance(2_000);
  assert.equal((await at('/v2/', { headers: bearer(token) })).status, 401);
  const [head, , signature] = (await tokenFor('alice:cor:rect')).split('.');
  const claims = Buffer.from(
    JSON.stringify({ sub: 'token:ci', access: [], exp: Math.floor(clock.now() / 1000) + 60 }),
  ).toString('base64url');
  assert.equal((await at('/v2/', { headers: bearer(`${head}.${claims}.${signature}`) })).status, 401);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  assert.equal((await at('/v2/', { headers: bearer(`${none}.${claims}.`) })).status, 401);
});

for (const [pair, why] of [
  ['alice:wrong', 'another password'],
  ['alice:', 'no password'],
  ['bob:cor:rect', 'somebody else’s password'],
  ['alice', 'no colon'],
] as const) {
  test(`${why} is refused at the endpoint and at the API`, async () => {
    assert.equal((await at('/v2/token', { headers: basic(pair) })).status, 401);
    assert.equal((await at('/v2/', { headers: basic(pair) })).status, 401);
  });
}

test('the OAuth2 form: a password, and a static token that was kept as refresh token', async () => {
  const post = (form: Record<string, string>) =>
    at('/v2/token', { method: 'POST', body: new URLSearchParams(form) });
  const granted = await post({ grant_type: 'password', username: 'alice', password: 'cor:rect' });
  assert.equal(granted.status, 200);
  const { access_token: token } = (await granted.json()) as { access_token: string };
  assert.equal((await at('/v2/', { headers: bearer(token) })).status, 200);
  assert.equal((await post({ grant_type: 'refresh_token', refresh_token: 's3cret' })).status, 200);
  assert.equal((await post({ grant_type: 'refresh_token', refresh_token: 'no' })).status, 401);
  assert.equal((await post({ grant_type: 'other' })).status, 401);
  const body = 'x'.repeat(65 * 1024);
  assert.equal((await at('/v2/token', { method: 'POST', body })).status, 413);
});

test('our client logs in with a password and pushes; the password goes to the token endpoint alone', async () => {
  const credential: Credential = { kind: 'basic', username: 'alice', password: new Secret('cor:rect') };
  const seen: string[] = [];
  const transport = httpTransport();
  const watched = {
    request: (http: Parameters<typeof transport.request>[0]) => {
      if (http.headers?.['authorization']?.startsWith('Basic ')) seen.push(new URL(http.url).pathname);
      return transport.request(http);
    },
    stream: transport.stream.bind(transport),
  };
  const credentials = fixedCredential(registry.host, credential);
  await putImage(repositoryAt(registry.host, 'team/app', { credentials, transport: watched }), 'x', {
    tag: 'v1',
  });
  assert.deepEqual([...new Set(seen)], ['/v2/token']);
});

test('a login is tried before it is kept, also where strangers may read', async () => {
  const transport = httpTransport();
  const login = (host: string, password: string) =>
    checkLogin({ registry: host, username: 'ci', password: new Secret(password) }, { transport });
  await login(registry.host, 's3cret');
  await login(open.host, 's3cret');
  for (const { host } of [registry, open]) {
    assert.equal((await reasonOf(login(host, 'wrong'))).code, 'WB-501');
  }
});

test('strangers get a token for what strangers may do', async () => {
  const answer = await fetch(`${open.origin}/v2/token?scope=repository:a:pull,push`);
  const { token } = (await answer.json()) as { token: string };
  const upload = await fetch(`${open.origin}/v2/a/blobs/uploads/`, {
    method: 'POST',
    headers: bearer(token),
  });
  assert.equal(upload.status, 401);
  assert.equal((await fetch(`${open.origin}/v2/a/tags/list`, { headers: bearer(token) })).status, 404);
});

test('somebody who is not known takes as long as a wrong password, and many at once are turned away', async () => {
  const wrong = (name: string) => at('/v2/', { headers: basic(`${name}:wrong`) });
  const statuses = (await Promise.all(Array.from({ length: 12 }, (_, i) => wrong(`nobody-${i}`)))).map(
    (one) => one.status,
  );
  assert.ok(statuses.includes(401) && statuses.includes(429), statuses.join(' '));
  assert.deepEqual(
    statuses.filter((status) => status !== 401 && status !== 429),
    [],
  );
  assert.equal((await at('/v2/', { headers: basic('any:s3cret') })).status, 200, 'tokens are not held up');
});

test('a password is kept as a salted hash', async () => {
  const again = await hashPassword(new Secret('cor:rect'), systemRandom);
  assert.notEqual(again, passwordHash);
  assert.ok(isPasswordHash(again) && !isPasswordHash('cor:rect'));
  assert.ok(!again.includes('cor'));
});
