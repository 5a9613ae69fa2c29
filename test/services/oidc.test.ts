import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  discovery,
  None,
  randomPKCECodeVerifier,
} from 'openid-client';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createOidc, githubClaims, isLoopback, registerOidc } from '#services/oidc';

const dir = await mkdtemp(join(tmpdir(), 'waybill-test-oidc-'));
const closers: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of closers) await close();
  await rm(dir, { recursive: true, force: true });
});

async function start(folder = dir): Promise<string> {
  let origin = '';
  const oidc = await createOidc({
    dir: folder,
    origin: () => origin,
    clock: systemClock,
    random: systemRandom,
  });
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 64 * 1024 });
  registerOidc(app, oidc);
  closers.push(() => app.close());
  origin = await listen(app, '127.0.0.1', 0);
  return origin;
}

const origin = await start();

async function mint(body: object, at = origin): Promise<string> {
  const answer = await fetch(`${at}/token`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return ((await answer.json()) as { id_token: string }).id_token;
}

/** Discovery → JWKS → signature, as a relying party does it. */
async function verify(token: string, issuer: string): Promise<Record<string, unknown>> {
  const discovery = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
    issuer: string;
    jwks_uri: string;
  };
  assert.equal(discovery.issuer, issuer);
  const keys = createRemoteJWKSet(new URL(discovery.jwks_uri));
  return (await jwtVerify(token, keys, { issuer, audience: 'sigstore' })).payload;
}

test('a token for an e-mail verifies through discovery', async () => {
  const claims = await verify(await mint({ email: 'ada@example.com' }), origin);
  assert.equal(claims['email'], 'ada@example.com');
  assert.equal(claims['email_verified'], true);
  assert.equal(claims['sub'], 'ada@example.com');
});

test('each realm is an issuer of its own', async () => {
  const sub = 'https://builder.example/id';
  const claims = await verify(await mint({ realm: 'workload', sub }), `${origin}/workload`);
  assert.equal(claims['sub'], sub);
  const run = { repository: 'acme/shop', ref: 'refs/tags/v1.2.3', sha: 'a'.repeat(40) };
  const github = await verify(await mint({ github: run }), `${origin}/github`);
  assert.equal(github['job_workflow_ref'], 'acme/shop/.github/workflows/release.yml@refs/tags/v1.2.3');
  assert.equal(github['sub'], 'repo:acme/shop:ref:refs/tags/v1.2.3');
  assert.equal(github['event_name'], 'release');
});

test('claims, audience and lifetime are as asked, also in the past', async () => {
  const token = await mint({ sub: 'x', aud: 'other', expiresIn: -60, claims: { team: 'red' } });
  const claims = decodeJwt(token);
  assert.equal(claims.aud, 'other');
  assert.equal(claims['team'], 'red');
  assert.ok((claims.exp ?? 0) < (claims.iat ?? 0));
});

test('a later start continues with the same key, readable by its owner only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-oidc-'));
  const keys = async (at: string): Promise<string> => (await fetch(`${at}/keys`)).text();
  try {
    assert.equal(await keys(await start(folder)), await keys(await start(folder)));
    assert.equal((await stat(join(folder, 'issuer.key'))).mode & 0o777, 0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the key set holds no private member', async () => {
  const set = (await (await fetch(`${origin}/keys`)).json()) as { keys: Record<string, unknown>[] };
  assert.equal(set.keys.length, 1);
  assert.equal('d' in (set.keys[0] ?? {}), false);
});

const refusal = async (body: string): Promise<{ status: number; code: string }> => {
  const answer = await fetch(`${origin}/token`, { method: 'POST', body });
  return { status: answer.status, code: ((await answer.json()) as { code: string }).code };
};

test('a request without subject or with an unknown field is refused with WB-1072', async () => {
  assert.deepEqual(await refusal('{}'), { status: 400, code: 'WB-1072' });
  assert.deepEqual(await refusal('{"sub":"x","emial":"y"}'), { status: 400, code: 'WB-1072' });
  assert.deepEqual(await refusal('{"sub":"x","expiresIn":1.5}'), { status: 400, code: 'WB-1072' });
});

test('an unknown realm is refused with WB-1073', async () => {
  assert.deepEqual(await refusal('{"sub":"x","realm":"gitlab"}'), { status: 404, code: 'WB-1073' });
});

test('a request under a foreign host name is refused with WB-1071', async () => {
  const { port } = new URL(origin);
  const status = await new Promise<number>((resolve, reject) => {
    const headers = { host: `attacker.example:${port}` };
    request({ host: '127.0.0.1', port, path: '/keys', headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 403);
});

test('which hosts are this machine', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost'])
    assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', 'localhost.example', '']) {
    assert.ok(!isLoopback(host), host);
  }
});

test('whatever it is bound to, another machine gets nothing, also under the name localhost: WB-1070', async () => {
  const random = systemRandom;
  const oidc = await createOidc({ dir, origin: () => 'http://localhost', clock: systemClock, random });
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 64 * 1024 });
  registerOidc(app, oidc);
  closers.push(() => app.close());
  const ask = (remoteAddress: string) =>
    app.inject({ url: '/healthz', remoteAddress, headers: { host: 'localhost' } });
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    assert.equal((await ask(address)).statusCode, 200, address);
  }
  for (const address of ['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '2001:db8::1']) {
    const answer = await ask(address);
    assert.equal(answer.statusCode, 403, address);
    assert.equal(answer.json().code, 'WB-1070');
  }
});

test('a workflow that calls a reusable one is named by the reusable one', () => {
  const claims = githubClaims({
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    sha: 'b'.repeat(40),
    jobWorkflowRef: 'acme/build/.github/workflows/slsa.yml@refs/tags/v2',
  });
  assert.equal(claims['job_workflow_ref'], 'acme/build/.github/workflows/slsa.yml@refs/tags/v2');
  assert.equal(claims['workflow_ref'], 'acme/shop/.github/workflows/release.yml@refs/heads/main');
});

/** What a client sends a browser to, and the secret it keeps. */
function authorization(more: Record<string, string> = {}): { url: URL; verifier: string } {
  const verifier = 'v'.repeat(43);
  const url = new URL('/auth', origin);
  const query = {
    response_type: 'code',
    client_id: 'sigstore',
    redirect_uri: 'http://localhost:1/callback',
    state: 'a state',
    nonce: 'a nonce',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return { url, verifier };
}

const signIn = async (url: URL): Promise<Response> =>
  fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ email: 'ada@example.com' }) });

async function exchange(code: string, more: Record<string, string> = {}): Promise<Response> {
  const form = {
    grant_type: 'authorization_code',
    code,
    client_id: 'sigstore',
    redirect_uri: 'http://localhost:1/callback',
    code_verifier: 'v'.repeat(43),
    ...more,
  };
  return fetch(`${origin}/token`, { method: 'POST', body: new URLSearchParams(form) });
}

test('openid-client signs a person in through the page', async () => {
  const config = await discovery(new URL(origin), 'sigstore', undefined, None(), {
    execute: [allowInsecureRequests],
  });
  const verifier = randomPKCECodeVerifier();
  const target = buildAuthorizationUrl(config, {
    redirect_uri: 'http://localhost:1/callback',
    scope: 'openid email',
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: 'one',
    nonce: 'two',
  });
  assert.match(await (await fetch(target)).text(), /believes everybody/);
  const answer = await signIn(target);
  assert.equal(answer.status, 303);
  const callback = new URL(answer.headers.get('location') ?? '');
  const tokens = await authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: verifier,
    expectedState: 'one',
    expectedNonce: 'two',
  });
  assert.equal(tokens.claims()?.['email'], 'ada@example.com');
});

test('a code serves once, and only with what it was asked with: WB-1074', async () => {
  const code = async (): Promise<string> => {
    const location = (await signIn(authorization().url)).headers.get('location') ?? '';
    return new URL(location).searchParams.get('code') ?? '';
  };
  const once = await code();
  assert.equal((await exchange(once)).status, 200);
  for (const answer of [
    await exchange(once),
    await exchange('made up'),
    await exchange(await code(), { code_verifier: 'w'.repeat(43) }),
    await exchange(await code(), { redirect_uri: 'http://localhost:2/callback' }),
    await exchange(await code(), { client_id: 'other' }),
  ]) {
    assert.equal(answer.status, 400);
    assert.equal(((await answer.json()) as { code: string }).code, 'WB-1074');
  }
});

test('requests without PKCE or with a redirect to another machine are refused: WB-1074', async () => {
  for (const more of [
    { redirect_uri: 'http://evil.example/callback' },
    { redirect_uri: 'https://localhost.evil.example/' },
    { code_challenge_method: 'plain' },
    { response_type: 'token' },
    { client_id: '' },
  ]) {
    const answer = await signIn(authorization(more).url);
    assert.equal(answer.status, 400, JSON.stringify(more));
    assert.equal(((await answer.json()) as { code: string }).code, 'WB-1074');
  }
});

test('the page repeats what it is given as text, never as markup', async () => {
  const hostile = '"><script>alert(1)</script>';
  const { url } = authorization({ login_hint: hostile, client_id: hostile });
  const page = await (await fetch(url)).text();
  assert.doesNotMatch(page, /<script>/);
  assert.match(page, /&lt;script&gt;/);
});
