import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { toBase64Url, utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { challengeOf, findToken, previewOf, readClaims, requireToken, requireUsable } from '#identity';
import type { HttpRequest, HttpResponse, Transport } from '#platform/http-client';
import { github } from './ci-tokens.ts';

const dir = await mkdtemp(join(tmpdir(), 'waybill-test-identity-'));
after(() => rm(dir, { recursive: true, force: true }));

const now = Date.UTC(2026, 10, 21);
const part = (value: unknown): string => toBase64Url(utf8(JSON.stringify(value)));
const jwt = (claims: object): string =>
  `${part({ alg: 'ES256' })}.${part(claims)}.${toBase64Url(utf8('sig'))}`;
const claims = { iss: 'https://idp.example', sub: 's', aud: 'sigstore', exp: now / 1000 + 60 };
const token = jwt({ ...claims, email: 'ada@example.com', email_verified: true });

function transport(answer: (request: HttpRequest) => { status: number; body: string }): Transport {
  return {
    request: async (request): Promise<HttpResponse> => {
      const { status, body } = answer(request);
      return { status, headers: new Map(), body: utf8(body), url: request.url };
    },
    stream: () => assert.fail('not asked'),
  };
}
const silent = transport(() => assert.fail('not asked'));
const code = (wanted: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, wanted);
  assert.equal(error.reason.exit, 31);
  assert.doesNotMatch(inspect(error), /eyJ/, 'the message holds no token');
  return true;
};

test('the option wins over the variable; it may be a token or a file', async () => {
  const env = { SIGSTORE_ID_TOKEN: jwt({ sub: 'other' }) };
  const direct = await findToken({ env, transport: silent, given: token });
  assert.equal(direct?.token.reveal(), token);
  await writeFile(join(dir, 'token'), `${token}\n`);
  const file = await findToken({ env, transport: silent, given: 'token', cwd: dir });
  assert.equal(file?.token.reveal(), token);
  const variable = await findToken({ env, transport: silent });
  assert.equal(variable?.source, 'SIGSTORE_ID_TOKEN');
});

test('a token never prints', async () => {
  const found = await findToken({ env: {}, transport: silent, given: token });
  assert.doesNotMatch(inspect(found) + JSON.stringify(found), /eyJ/);
});

test('an option that is neither token nor file, and a file of something else, are WB-621', async () => {
  const ask = (given: string): Promise<unknown> => findToken({ env: {}, transport: silent, given, cwd: dir });
  await assert.rejects(ask('nothing-here'), code('WB-621'));
  await writeFile(join(dir, 'prose'), 'not a token');
  await assert.rejects(ask('prose'), code('WB-621'));
});

test('GitHub Actions is asked with the audience and the request token', async () => {
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: 'https://runner.example/token?api-version=2',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-secret',
  };
  const over = transport((request) => {
    assert.equal(request.url, 'https://runner.example/token?api-version=2&audience=sigstore');
    assert.equal(request.headers?.['authorization'], 'bearer request-secret');
    return { status: 200, body: JSON.stringify({ value: token }) };
  });
  const found = await findToken({ env, transport: over });
  assert.equal(found?.source, 'GitHub Actions');
  assert.equal(found?.token.reveal(), token);
  const refused = transport(() => ({ status: 403, body: '' }));
  await assert.rejects(findToken({ env, transport: refused }), code('WB-624'));
});

test('a workflow without id-token permission is told so: WB-624', async () => {
  await assert.rejects(findToken({ env: { GITHUB_ACTIONS: 'true' }, transport: silent }), code('WB-624'));
});

test('Buildkite issues for the running job', async () => {
  const env = { BUILDKITE_AGENT_ACCESS_TOKEN: 'access', BUILDKITE_JOB_ID: 'job-1' };
  const over = transport((request) => {
    assert.equal(request.method, 'POST');
    assert.match(request.url, /\/jobs\/job-1\/oidc\/tokens$/);
    return { status: 200, body: JSON.stringify({ token }) };
  });
  assert.equal((await findToken({ env, transport: over }))?.token.reveal(), token);
});

test('a projected token file is used when it is named, and missed when it is not there', async () => {
  const path = join(dir, 'projected');
  await writeFile(path, token);
  const found = await findToken({ env: { WAYBILL_ID_TOKEN_FILE: path }, transport: silent });
  assert.equal(found?.source, 'a token file');
  const env = { WAYBILL_ID_TOKEN_FILE: join(dir, 'absent') };
  await assert.rejects(findToken({ env, transport: silent }), code('WB-624'));
});

test('no token at all is WB-620', async () => {
  await assert.rejects(requireToken({ env: {}, transport: silent, withoutAmbient: true }), code('WB-620'));
});

test('claims are read as the providers write them', () => {
  const read = readClaims(new Secret(jwt({ ...claims, aud: ['a', 'sigstore'], email_verified: 'true' })));
  assert.deepEqual(read.audience, ['a', 'sigstore']);
  assert.equal(read.emailVerified, true);
  assert.equal(read.expiresAt, now + 60_000);
});

test('what is no JWT with the claims of a certificate is WB-621', () => {
  for (const text of [
    'a.b',
    'a.b.c',
    jwt({ iss: 'x' }),
    jwt({ ...claims, exp: undefined }),
    'x'.repeat(20_000),
  ]) {
    assert.throws(() => readClaims(new Secret(text)), code('WB-621'), text.slice(0, 40));
  }
});

test('an expired token is WB-622, one not valid yet too, another audience WB-623', () => {
  const read = (more: object) => readClaims(new Secret(jwt({ ...claims, ...more })));
  assert.doesNotThrow(() => requireUsable(read({}), { now }));
  assert.throws(() => requireUsable(read({ exp: now / 1000 }), { now }), code('WB-622'));
  assert.throws(() => requireUsable(read({ nbf: now / 1000 + 3600 }), { now }), code('WB-622'));
  assert.throws(() => requireUsable(read({ aud: 'other' }), { now }), code('WB-623'));
});

test('the challenge is a verified e-mail, else the subject; an unverified e-mail is WB-625', () => {
  const challenge = (more: object): string =>
    challengeOf(readClaims(new Secret(jwt({ ...claims, ...more }))));
  assert.equal(challenge({}), 's');
  assert.equal(challenge({ email: 'ada@example.com', email_verified: true }), 'ada@example.com');
  assert.throws(() => challenge({ email: 'ada@example.com' }), code('WB-625'));
});

test('the preview names what will be public', () => {
  const preview = (more: object) => previewOf(readClaims(new Secret(jwt({ ...claims, ...more }))));
  assert.equal(preview({ email: 'ada@example.com', email_verified: true }).san, 'ada@example.com');
  const lacking = { ...github.claims, workflow_sha: undefined };
  assert.throws(() => preview(lacking), code('WB-621'));
  const pod = preview({ 'kubernetes.io': { namespace: 'prod', serviceaccount: { name: 'deploy' } } });
  assert.equal(pod.san, 'https://kubernetes.io/namespaces/prod/serviceaccounts/deploy');
});
