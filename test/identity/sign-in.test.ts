/** Signing in as a person: a browser that comes back, a code typed elsewhere, and nobody to ask. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaybillError } from '#base/reason';
import { readClaims, requirePerson, type SignInOptions, signIn } from '#identity';
import type { HttpRequest, HttpResponse, Transport } from '#platform/http-client';
import { ada, startStack, wire } from '../stack/helper.ts';

const stack = await startStack();
const issuer = stack.origins.oidc;

/** A browser whose person types the address and presses the button. */
async function person(url: string): Promise<boolean> {
  const form = { method: 'POST', body: new URLSearchParams({ email: ada }) };
  void fetch(url, form).then((page) => page.text());
  return true;
}

const options = (more: Partial<SignInOptions> = {}): SignInOptions => ({
  issuer,
  clientId: 'sigstore',
  flow: 'browser',
  transport: wire.transport,
  tell: () => {},
  open: person,
  ...more,
});

const refusedAs =
  (code: string, actual: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.deepEqual([error.reason.code, error.reason.exit], [code, 31], error.message);
    assert.match(error.reason.actual, actual);
    return true;
  };

test('whoever signs in at the page is who the token names', async () => {
  const claims = readClaims(await signIn(options()));
  assert.deepEqual([claims.issuer, claims.email, claims.audience], [issuer, ada, ['sigstore']]);
});

test('a redirect that does not carry our state is sent away, and the right one still counts', async () => {
  const open = async (url: string): Promise<boolean> => {
    const back = new URL(new URL(url).searchParams.get('redirect_uri') ?? '');
    back.search = '?code=stolen&state=other';
    assert.equal((await fetch(back)).status, 404);
    return person(url);
  };
  assert.equal(readClaims(await signIn(options({ open }))).email, ada);
});

test('nobody who signs in, an issuer that is none and a redirect elsewhere are WB-628', async () => {
  const patience = new AbortController();
  const open = async (): Promise<boolean> => {
    setTimeout(() => patience.abort(), 10);
    return false;
  };
  const { signal } = patience;
  await assert.rejects(signIn(options({ open, signal })), refusedAs('WB-628', /nobody signed in/));
  await assert.rejects(signIn(options({ issuer: `${issuer}/nowhere` })), refusedAs('WB-628', /./));
  const redirectUrl = 'https://elsewhere.example/callback';
  await assert.rejects(signIn(options({ redirectUrl })), refusedAs('WB-628', /elsewhere/));
});

/** The stack's issuer with the device endpoints of RFC 8628 in front. */
function withDevice(jwt: string, refusals: readonly string[]): Transport {
  const left = [...refusals];
  const json = (url: string, status: number, value: object): HttpResponse => ({
    status,
    url,
    headers: new Map([['content-type', 'application/json']]),
    body: new TextEncoder().encode(JSON.stringify(value)),
  });
  return {
    stream: wire.transport.stream,
    request: async (request: HttpRequest) => {
      const { url } = request;
      if (url === `${issuer}/device`) {
        return json(url, 200, {
          device_code: 'd',
          user_code: 'WDJB-MJHT',
          verification_uri: `${issuer}/activate`,
          expires_in: 60,
          interval: 0.05,
        });
      }
      if (url === `${issuer}/token`) {
        const error = left.shift();
        if (error !== undefined) return json(url, 400, { error });
        return json(url, 200, { access_token: 'a', token_type: 'Bearer', id_token: jwt });
      }
      const answer = await wire.transport.request(request);
      if (!url.endsWith('openid-configuration')) return answer;
      const document = JSON.parse(Buffer.from(answer.body).toString()) as object;
      return json(url, 200, { ...document, device_authorization_endpoint: `${issuer}/device` });
    },
  };
}

test('a code typed elsewhere signs in, once the provider has heard of it', async () => {
  const jwt = (await stack.mint({ sub: ada, email: ada })).reveal();
  const told: string[] = [];
  const transport = withDevice(jwt, ['authorization_pending']);
  const token = await signIn(options({ flow: 'device', transport, tell: (text) => told.push(text) }));
  assert.equal(token.reveal(), jwt);
  assert.match(told[0] ?? '', /\/activate and enter the code WDJB-MJHT/);
  const denied = signIn(options({ flow: 'device', transport: withDevice(jwt, ['access_denied']) }));
  await assert.rejects(denied, refusedAs('WB-628', /access_denied/));
});

test('a pipeline is never asked to sign in, and nobody without a terminal unless a flow was named', () => {
  const ask = (env: Record<string, string>, isTerminal: boolean, flow?: string) => () =>
    requirePerson({ env, isTerminal, ...(flow === undefined ? {} : { flow }) });
  assert.throws(ask({ CI: 'true' }, true, 'device'), refusedAs('WB-627', /pipeline \(CI\)/));
  assert.throws(ask({ GITHUB_ACTIONS: 'true' }, true), refusedAs('WB-627', /GITHUB_ACTIONS/));
  assert.throws(ask({}, false), refusedAs('WB-627', /no terminal/));
  assert.throws(ask({}, true, 'token'), refusedAs('WB-627', /without a token/));
  assert.doesNotThrow(ask({ CI: 'false' }, true));
  assert.doesNotThrow(ask({}, false, 'device'));
});
