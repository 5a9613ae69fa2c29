/** The device flow of the development issuer (RFC 8628), by its rules and with openid-client. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  allowInsecureRequests,
  discovery,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
} from 'openid-client';
import { createHttpServer, listen } from '#platform/http-server';
import { systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createOidc, registerOidc } from '#services/oidc';

const dir = await mkdtemp(join(tmpdir(), 'waybill-test-device-'));
let now = Date.now();
let origin = '';
const clock = { now: () => now };
const oidc = await createOidc({ dir, origin: () => origin, clock, random: systemRandom });
const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 64 * 1024 });
registerOidc(app, oidc);
after(async () => {
  await app.close();
  await rm(dir, { recursive: true, force: true });
});
origin = await listen(app, '127.0.0.1', 0);

const grant = 'urn:ietf:params:oauth:grant-type:device_code';

interface Started {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri_complete: string;
}

const post = (path: string, form: Record<string, string>): Promise<Response> =>
  fetch(`${origin}${path}`, { method: 'POST', body: new URLSearchParams(form) });

async function start(more: Record<string, string> = {}): Promise<Started> {
  const answer = await post('/device/code', { client_id: 'sigstore', scope: 'openid email', ...more });
  assert.equal(answer.status, 200);
  return (await answer.json()) as Started;
}

/** Polls once, a second after the last time; what the token endpoint says. */
async function poll(code: string, more: Record<string, string> = {}, laterMs = 1000): Promise<string> {
  now += laterMs;
  const answer = await post('/token', {
    grant_type: grant,
    client_id: 'sigstore',
    device_code: code,
    ...more,
  });
  const body = (await answer.json()) as { error?: string; id_token?: string };
  if (answer.status === 200) return typeof body.id_token === 'string' ? 'token' : 'nothing';
  assert.equal(answer.status, 400);
  return body.error ?? 'no error';
}

const approve = (userCode: string, email = 'ada@example.com'): Promise<Response> =>
  post('/device', { user_code: userCode, email });

test('openid-client signs a person in whose browser is elsewhere', async () => {
  const config = await discovery(new URL(origin), 'sigstore', undefined, None(), {
    execute: [allowInsecureRequests],
  });
  const started = await initiateDeviceAuthorization(config, { scope: 'openid email' });
  const page = await fetch(started.verification_uri_complete ?? '');
  assert.ok((await page.text()).includes(started.user_code));
  assert.equal((await approve(started.user_code)).status, 200);
  const tokens = await pollDeviceAuthorizationGrant(config, started);
  assert.equal(tokens.claims()?.['email'], 'ada@example.com');
  assert.equal(tokens.claims()?.aud, 'sigstore');
});

test('a client waits, is told to slow down, gets its token once', async () => {
  const { device_code: code, user_code: userCode } = await start();
  assert.equal(await poll(code), 'authorization_pending');
  assert.equal(await poll(code, {}, 100), 'slow_down');
  assert.equal((await approve(userCode.toLowerCase().replace('-', ' '))).status, 200);
  assert.equal(await poll(code), 'token');
  assert.equal(await poll(code), 'invalid_grant');
});

test('a code serves the client that asked, with its verifier, for ten minutes', async () => {
  const { device_code: other, user_code: otherUser } = await start();
  await approve(otherUser);
  assert.equal(await poll(other, { client_id: 'somebody' }), 'invalid_grant');
  const challenge = { code_challenge: 'A'.repeat(43), code_challenge_method: 'S256' };
  const { device_code: proven, user_code: provenUser } = await start(challenge);
  await approve(provenUser);
  assert.equal(await poll(proven, { code_verifier: 'w'.repeat(43) }), 'invalid_grant');
  const { device_code: late, user_code: lateUser } = await start();
  assert.equal(await poll(late, {}, 601_000), 'expired_token');
  assert.equal((await approve(lateUser)).status, 400);
});

test('what a person types has to be a code that waits and an e-mail address: WB-1074', async () => {
  const { user_code: userCode } = await start();
  for (const [code, email] of [
    ['BCDF-GHJK-L', 'ada@example.com'],
    ['', 'ada@example.com'],
    [userCode, 'nobody'],
  ] as const) {
    const answer = await approve(code, email);
    assert.equal(answer.status, 400, code);
    assert.equal(((await answer.json()) as { code: string }).code, 'WB-1074');
  }
  assert.equal((await post('/device/code', { scope: 'openid' })).status, 400, 'without a client');
  const plain = { client_id: 'sigstore', code_challenge: 'x', code_challenge_method: 'plain' };
  assert.equal((await post('/device/code', plain)).status, 400, 'without S256');
});

test('the page shows what it is given as text', async () => {
  const text = await (await fetch(`${origin}/device?user_code=${encodeURIComponent('"><script>')}`)).text();
  assert.equal(text.includes('<script>'), false);
});
