/** Wire: OpenID Connect Discovery 1.0 and JWKS for every realm; `/auth` and `/device` ask a person; `POST /token` mints. */
import { fromBase64, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { isJsonObject, type JsonObject, parseJson, reader } from '#formats/json';
import { bodyBytes, type HttpApp, type HttpReply, type HttpRequestIn } from '#platform/http-server';
import { exchangeRequestToken } from './actions.ts';
import { isLoopback, type Realm, realms } from './config.ts';
import { DEVICE_GRANT } from './device.ts';
import { type GithubWorkflow, githubClaims } from './github.ts';
import type { OidcIssuer, TokenRequest } from './issuer.ts';
import { authorizePage, deviceDonePage, devicePage } from './pages.ts';
import { R } from './reasons.ts';

export function registerOidc(app: HttpApp, oidc: OidcIssuer): void {
  // A page in a browser can reach loopback under a name it controls; the Host header gives that away.
  app.addHook('onRequest', async (request) => {
    refuseOtherMachines(request);
    refuseForeignHost(request);
  });
  for (const realm of realms) {
    const prefix = realm === '' ? '' : `/${realm}`;
    app.get(`${prefix}/.well-known/openid-configuration`, async () => discovery(oidc, realm));
    app.get(`${prefix}/keys`, async () => oidc.jwks());
  }
  app.get('/auth', async (request, reply) =>
    sendPage(reply, authorizePage(oidc.authorizer.read(queryOf(request)))),
  );
  app.post('/auth', async (request, reply) => {
    const email = formOf(request).get('email') ?? '';
    const target = oidc.authorizer.grant(oidc.authorizer.read(queryOf(request)), email);
    return reply.code(303).header('location', target).header('cache-control', 'no-store').send();
  });
  app.post('/device/code', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    return oidc.device.start(formOf(request), `${oidc.issuer()}/device`);
  });
  app.get('/device', async (request, reply) =>
    sendPage(reply, devicePage(queryOf(request).get('user_code') ?? '')),
  );
  app.post('/device', async (request, reply) => {
    const form = formOf(request);
    const email = form.get('email') ?? '';
    oidc.device.approve(form.get('user_code') ?? '', email);
    return sendPage(reply, deviceDonePage(email));
  });
  app.post('/token', async (request, reply) => {
    if (isForm(request) && formOf(request).get('grant_type') === DEVICE_GRANT) {
      const answer = await oidc.device.redeem(formOf(request), basicUser(request));
      reply.header('cache-control', 'no-store');
      return answer.kind === 'token'
        ? tokenBody(answer.token)
        : reply.code(400).send({ error: answer.error });
    }
    const minted = isForm(request)
      ? await oidc.authorizer.redeem(formOf(request), basicUser(request))
      : await oidc.mint(readTokenRequest(bodyBytes(request)));
    reply.header('cache-control', 'no-store');
    return tokenBody(minted);
  });
  app.get('/actions/token', async (request) => ({ value: (await actionsToken(oidc, request)).reveal() }));
  app.get('/healthz', async () => ({ status: 'ok' }));
}

/** What a job of GitHub Actions asks its runner for: `?audience=` with the request token as bearer. */
function actionsToken(oidc: OidcIssuer, request: HttpRequestIn): Promise<Secret> {
  const bearer = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  return exchangeRequestToken(oidc, new Secret(bearer), queryOf(request).get('audience') ?? 'sigstore');
}

const queryOf = (request: HttpRequestIn): URLSearchParams => new URL(request.url, 'http://x').searchParams;
const formOf = (request: HttpRequestIn): URLSearchParams => new URLSearchParams(utf8Text(bodyBytes(request)));
const formType = 'application/x-www-form-urlencoded';

/** `curl -d` calls JSON a form too: an exchange names its grant, a JSON object does not. */
function isForm(request: HttpRequestIn): boolean {
  const isSaid = (request.headers['content-type'] ?? '').startsWith(formType);
  return isSaid && formOf(request).has('grant_type');
}

/** Some clients name themselves in a Basic header, with an empty password. */
function basicUser(request: HttpRequestIn): string | undefined {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (basic === undefined) return undefined;
  return decodeURIComponent(utf8Text(fromBase64(basic)).split(':')[0] ?? '');
}

function tokenBody(minted: Secret): object {
  const token = minted.reveal();
  return { access_token: token, id_token: token, token_type: 'Bearer', issued_token_type: idTokenType };
}

const sendPage = (reply: HttpReply, html: string): HttpReply =>
  reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    .header('cache-control', 'no-store')
    .send(html);

const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';

/** Whatever address it was bound to: it serves this machine only. */
function refuseOtherMachines(request: HttpRequestIn): void {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  if (isLoopback(address)) return;
  throw fail(R.loopback, { expected: 'a request from this machine', actual: `one from ${address}` });
}

function refuseForeignHost(request: HttpRequestIn): void {
  const host = request.headers.host ?? '';
  const name = host.replace(/:\d+$/, '');
  if (isLoopback(name)) return;
  throw fail(R.host, { expected: 'a loopback host name', actual: JSON.stringify(host.slice(0, 200)) });
}

function discovery(oidc: OidcIssuer, realm: Realm): object {
  const issuer = oidc.issuer(realm);
  return {
    issuer,
    jwks_uri: `${issuer}/keys`,
    authorization_endpoint: `${oidc.issuer()}/auth`,
    token_endpoint: `${oidc.issuer()}/token`,
    device_authorization_endpoint: `${oidc.issuer()}/device/code`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', DEVICE_GRANT],
    code_challenge_methods_supported: ['S256'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    scopes_supported: ['openid', 'email'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'email', 'email_verified'],
  };
}

const fields = new Set(['realm', 'sub', 'email', 'aud', 'expiresIn', 'claims', 'github']);

/** Body of `POST /token`. Unknown fields are refused: a misspelt one would mint another identity. */
function readTokenRequest(body: Uint8Array): TokenRequest {
  const json = reader(unwrap(parseJson(body, { maxBytes: 64 * 1024 })), '$', { as: R.tokenRequest });
  for (const key of Object.keys(json.object)) {
    if (!fields.has(key)) throw json.wrong(key, `one of ${[...fields].join(', ')}`, key);
  }
  const github = json.value('github');
  const realm = json.optionalString('realm') ?? (github === undefined ? '' : 'github');
  if (!isRealm(realm)) {
    throw fail(R.realm, { expected: `one of ${realms.filter(Boolean).join(', ')}`, actual: realm });
  }
  const email = json.optionalString('email');
  const fromGithub = isJsonObject(github) ? githubClaims(readWorkflow(github)) : {};
  const sub = json.optionalString('sub') ?? fromGithub['sub'] ?? email;
  if (sub === undefined || sub === '') throw json.wrong('sub', 'a subject or an e-mail', json.value('sub'));
  const expiresIn = json.value('expiresIn');
  if (expiresIn !== undefined && !Number.isSafeInteger(expiresIn)) {
    throw json.wrong('expiresIn', 'whole seconds', expiresIn);
  }
  const claims = json.optionalChild('claims')?.object;
  return {
    realm,
    sub,
    ...(email === undefined ? {} : { email }),
    ...(json.has('aud') ? { aud: audience(json) } : {}),
    ...(expiresIn === undefined ? {} : { expiresIn: expiresIn as number }),
    claims: { ...fromGithub, ...claims },
  };
}

const isRealm = (value: string): value is Realm => (realms as readonly string[]).includes(value);

function audience(json: ReturnType<typeof reader>): string | string[] {
  return typeof json.value('aud') === 'string' ? json.string('aud') : json.strings('aud', 16);
}

const workflowFields = [
  'repository',
  'ref',
  'sha',
  'workflowPath',
  'jobWorkflowRef',
  'jobWorkflowSha',
  'event',
  'workflow',
  'runId',
  'runAttempt',
  'environment',
  'runnerEnvironment',
  'visibility',
] as const satisfies readonly (keyof GithubWorkflow)[];

function readWorkflow(value: JsonObject): GithubWorkflow {
  const json = reader(value, '$.github', { as: R.tokenRequest });
  for (const key of Object.keys(value)) {
    if (!(workflowFields as readonly string[]).includes(key)) {
      throw json.wrong(key, `one of ${workflowFields.join(', ')}`, key);
    }
  }
  const out: Record<string, string> = {};
  for (const key of workflowFields) if (json.has(key)) out[key] = json.text(key);
  return { ...out, repository: json.text('repository'), ref: json.text('ref'), sha: json.text('sha') };
}
