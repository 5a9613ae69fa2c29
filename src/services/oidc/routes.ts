/** Wire: OpenID Connect Discovery 1.0 and JWKS for every realm, and `POST /token`, which mints. */
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { isJsonObject, type JsonObject, parseJson, reader } from '#formats/json';
import { bodyBytes, type HttpApp, type HttpRequestIn } from '#platform/http-server';
import { isLoopback, type Realm, realms } from './config.ts';
import { type GithubWorkflow, githubClaims } from './github.ts';
import type { OidcIssuer, TokenRequest } from './issuer.ts';
import { R } from './reasons.ts';

export function registerOidc(app: HttpApp, oidc: OidcIssuer): void {
  // A page in a browser can reach loopback under a name it controls; the Host header gives that away.
  app.addHook('onRequest', async (request) => refuseForeignHost(request));
  for (const realm of realms) {
    const prefix = realm === '' ? '' : `/${realm}`;
    app.get(`${prefix}/.well-known/openid-configuration`, async () => discovery(oidc, realm));
    app.get(`${prefix}/keys`, async () => oidc.jwks());
  }
  app.post('/token', async (request, reply) => {
    const minted = await oidc.mint(readTokenRequest(bodyBytes(request)));
    reply.header('cache-control', 'no-store');
    return { id_token: minted.reveal(), token_type: 'Bearer', issued_token_type: idTokenType };
  });
  app.get('/healthz', async () => ({ status: 'ok' }));
}

const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';

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
    // Nothing here is interactive; the fields are required by the specification.
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${oidc.issuer()}/token`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    scopes_supported: ['openid', 'email'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'email', 'email_verified'],
  };
}

const fields = new Set(['realm', 'sub', 'email', 'aud', 'expiresIn', 'claims', 'github']);

/** Body of `POST /token`. Unknown fields are refused: a misspelt one would mint another identity. */
export function readTokenRequest(body: Uint8Array): TokenRequest {
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
