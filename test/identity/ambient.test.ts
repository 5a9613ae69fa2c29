/**
 * Every provider of the surroundings against an endpoint that answers as documented: the token it gives is
 * certified, and the certificate says what the reference says. Refusals, silence and wrong audiences end in exit
 * 31 and name the setting.
 */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { parseCertificate } from '#formats/x509';
import { challengeOf, findToken, previewOf, providerNames, readClaims } from '#identity';
import { httpTransport } from '#platform/http-client';
import { issuerTable } from '#services/ca';
import { caFixture, ISSUER, token } from '../services/ca-fixture.ts';
import * as systems from './ci-tokens.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-test-ambient-'));
const at = (name: string): string => join(folder, name);

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}
let answer: (asked: Asked) => { readonly status?: number; readonly body: unknown } | 'silence' | 'hanging';
const server = createServer((request, reply) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const url = new URL(request.url ?? '', 'http://x');
    const body = Buffer.concat(chunks).toString();
    const said = answer({ method: request.method ?? '', url, headers: request.headers, body });
    if (said === 'hanging') return;
    if (said === 'silence') {
      request.socket.destroy();
      return;
    }
    reply.writeHead(said.status ?? 200, { 'content-type': 'application/json' });
    reply.end(typeof said.body === 'string' ? said.body : JSON.stringify(said.body));
  });
});
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
const opened: Http2Server[] = [];
after(async () => {
  server.close();
  server.closeAllConnections();
  for (const one of opened) one.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ambient {
  readonly provider: string;
  readonly token: systems.CiToken;
  /** Sets the endpoint up for this token; gives the environment of a job. */
  readonly surroundings: (jwt: string) => Promise<Record<string, string>>;
  /** What the refusal must name. */
  readonly setting: RegExp;
}

const sameAudience = ({ url }: Asked, audience: string): void =>
  assert.equal(url.searchParams.get('audience'), audience);

async function spiffeAgent(jwt: string): Promise<Record<string, string>> {
  const socket = at(`spiffe-${opened.length}.sock`);
  const field = (tag: number, value: Buffer): Buffer => {
    const length = value.length < 128 ? [value.length] : [(value.length & 127) | 128, value.length >> 7];
    return Buffer.concat([Buffer.from([tag, ...length]), value]);
  };
  const agent = createHttp2Server();
  opened.push(agent);
  agent.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      assert.equal(headers[':path'], '/SpiffeWorkloadAPI/FetchJWTSVID');
      assert.equal(headers['workload.spiffe.io'], 'true');
      assert.deepEqual(Buffer.concat(chunks).subarray(5), field(10, Buffer.from('sigstore')));
      const said = answer({ method: 'POST', url: new URL('http://x'), headers: {}, body: '' });
      if (said === 'hanging') return;
      const status = said === 'silence' ? '14' : said.status === 403 ? '7' : '0';
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({
          'grpc-status': status,
          'grpc-message': status === '0' ? '' : 'no identity issued',
        }),
      );
      const svid = Buffer.concat([
        field(10, Buffer.from('spiffe://example.org/x')),
        field(18, Buffer.from(jwt)),
      ]);
      const message = field(10, svid);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      stream.end(status === '0' ? Buffer.concat([Buffer.of(0), length, message]) : undefined);
    });
  });
  await new Promise<void>((done) => agent.listen(socket, done));
  return { SPIFFE_ENDPOINT_SOCKET: `unix://${socket}` };
}

const ambients: readonly Ambient[] = [
  {
    provider: 'github-actions',
    token: systems.github,
    setting: /permissions: id-token: write/,
    surroundings: async (jwt) => {
      answer = (asked) => {
        sameAudience(asked, 'sigstore');
        assert.equal(asked.headers.authorization, 'bearer request-token');
        return { body: { count: 1, value: jwt } };
      };
      return {
        GITHUB_ACTIONS: 'true',
        ACTIONS_ID_TOKEN_REQUEST_URL: `http://${host}/idtoken?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
      };
    },
  },
  {
    provider: 'gitlab',
    token: systems.gitlab,
    setting: /id_tokens: SIGSTORE_ID_TOKEN/,
    surroundings: async (jwt) => ({ GITLAB_CI: 'true', SIGSTORE_ID_TOKEN: jwt }),
  },
  {
    provider: 'buildkite-agent',
    token: systems.buildkite,
    setting: /agent of version 3\.39/,
    surroundings: async (jwt) => {
      answer = (asked) => {
        assert.equal(asked.url.pathname, '/v3/jobs/0184990a/oidc/tokens');
        assert.equal(asked.headers.authorization, 'Token access');
        assert.deepEqual(JSON.parse(asked.body), { audience: 'sigstore' });
        return { body: { token: jwt } };
      };
      return {
        BUILDKITE_AGENT_ACCESS_TOKEN: 'access',
        BUILDKITE_AGENT_ENDPOINT: `http://${host}/v3`,
        BUILDKITE_JOB_ID: '0184990a',
      };
    },
  },
  {
    provider: 'circleci',
    token: systems.circleci,
    setting: /circleci run oidc get/,
    surroundings: async (jwt) => {
      await writeFile(at('circleci'), `#!/bin/sh\n[ "$5" = '{"aud":"sigstore"}' ] && printf '%s' '${jwt}'\n`);
      await chmod(at('circleci'), 0o755);
      return { CIRCLECI: 'true', PATH: `${folder}:/usr/bin:/bin` };
    },
  },
  {
    provider: 'codefresh',
    token: systems.codefresh,
    setting: /CF_OIDC_REQUEST_URL/,
    surroundings: async (jwt) => {
      answer = (asked) => {
        sameAudience(asked, 'sigstore');
        assert.equal(asked.headers.authorization, 'request-token');
        return { body: { id_token: jwt } };
      };
      return {
        CF_BUILD_ID: '65e6',
        CF_OIDC_REQUEST_URL: `http://${host}/api/tokens/oidc`,
        CF_OIDC_REQUEST_TOKEN: 'request-token',
      };
    },
  },
  {
    provider: 'azure-pipelines',
    token: systems.azurePipelines,
    setting: /SYSTEM_ACCESSTOKEN: \$\(System\.AccessToken\)/,
    surroundings: async (jwt) => {
      answer = (asked) => {
        assert.equal(asked.method, 'POST');
        assert.equal(asked.url.searchParams.get('api-version'), '7.1');
        assert.equal(asked.headers.authorization, 'Bearer access');
        return { body: { oidcToken: jwt } };
      };
      return {
        TF_BUILD: 'True',
        SYSTEM_OIDCREQUESTURI: `http://${host}/oidctoken`,
        SYSTEM_ACCESSTOKEN: 'access',
      };
    },
  },
  {
    provider: 'google',
    token: systems.google,
    setting: /service account/,
    surroundings: async (jwt) => {
      answer = (asked) => {
        assert.equal(asked.url.pathname, '/computeMetadata/v1/instance/service-accounts/default/identity');
        assert.equal(asked.headers['metadata-flavor'], 'Google');
        sameAudience(asked, 'sigstore');
        return { body: jwt };
      };
      return { GCE_METADATA_HOST: host };
    },
  },
  {
    provider: 'spiffe',
    token: systems.spiffe,
    setting: /register the workload/,
    surroundings: async (jwt) => {
      answer = () => ({ body: '' });
      return spiffeAgent(jwt);
    },
  },
  {
    provider: 'filesystem',
    token: systems.kubernetes,
    setting: /WAYBILL_ID_TOKEN_FILE/,
    surroundings: async (jwt) => {
      await writeFile(at('projected'), `${jwt}\n`);
      return { WAYBILL_ID_TOKEN_FILE: at('projected') };
    },
  },
  {
    provider: 'kubernetes',
    token: systems.kubernetes,
    setting: /serviceAccountToken: audience/,
    surroundings: async (jwt) => {
      await writeFile(at('workload'), jwt);
      return { KUBERNETES_SERVICE_HOST: '10.0.0.1', AZURE_FEDERATED_TOKEN_FILE: at('workload') };
    },
  },
];

test('every provider there is has its case here', () => {
  assert.deepEqual(ambients.map(({ provider }) => provider).toSorted(), providerNames.toSorted());
});

const find = (env: Record<string, string>, ambient: Ambient, timeoutMs = 60_000) =>
  findToken({
    env,
    timeoutMs,
    transport: httpTransport(),
    audience: ambient.token.audience ?? 'sigstore',
    provider: ambient.provider,
  });

const mint = ({ claims, audience = 'sigstore' }: systems.CiToken, more: object = {}): Promise<string> =>
  token({ email: undefined, email_verified: undefined, aud: audience, ...claims, ...more });

for (const ambient of ambients) {
  const { system, issuer, providers, san, extensions, claims } = ambient.token;
  test(`${ambient.provider}: the certificate for its token says what the reference says, and the preview too`, async () => {
    const jwt = await mint(ambient.token);
    const found = await find(await ambient.surroundings(jwt), ambient);
    assert.equal(found?.token.reveal(), jwt);
    const config = { issuerUrl: ISSUER, clientId: 'sigstore', ...issuer };
    const { sign } = await caFixture([], { issuers: issuerTable([config], [], providers) });
    const read = readClaims(found.token);
    const reply = await sign(jwt, { name: challengeOf(read) });
    assert.equal(reply.status, 200, reply.text);
    const pem = reply.json.signedCertificateEmbeddedSct?.chain.certificates[0] ?? '';
    const leaf = unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));
    assert.deepEqual(leaf.sans, [san]);
    assert.deepEqual(leaf.fulcio, {
      issuer: ISSUER,
      ...extensions,
      tokenSubject: claims['sub'],
    });
    const preview = previewOf(read);
    assert.deepEqual([preview.issuer, preview.san], [ISSUER, san.value], system);
    assert.deepEqual(preview.extensions, extensions);
  });

  test(`${ambient.provider}: a token for another audience is WB-623 or WB-624 and names the setting`, async () => {
    const env = await ambient.surroundings(await mint(ambient.token, { aud: 'https://elsewhere.example' }));
    await assert.rejects(find(env, ambient), refusedWith(ambient.setting, /^WB-62[34]$/));
  });
}

const refusedWith =
  (setting: RegExp, code = /^WB-624$/) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.match(error.reason.code, code);
    assert.equal(error.reason.exit, 31);
    assert.match(error.reason.hint, setting);
    assert.doesNotMatch(inspect(error), /eyJ|request-token|Bearer access/, 'no secret in the message');
    return true;
  };

const overHttp = ['github-actions', 'buildkite-agent', 'codefresh', 'azure-pipelines', 'google', 'spiffe'];
for (const ambient of ambients.filter(({ provider }) => overHttp.includes(provider))) {
  test(`${ambient.provider}: 403, silence and an answer that is no token end in WB-624 and name the setting`, async () => {
    const env = await ambient.surroundings(await mint(ambient.token));
    for (const said of [{ status: 403, body: { message: 'not allowed' } }, 'silence'] as const) {
      answer = () => said;
      await assert.rejects(find(env, ambient), refusedWith(ambient.setting));
    }
    if (ambient.provider === 'spiffe') return;
    answer = () => ({ body: { value: 'nothing', token: '', id_token: 'x y', oidcToken: [] } });
    await assert.rejects(find(env, ambient), refusedWith(ambient.setting));
  });
}

test('a provider that never answers ends in WB-624 in bounded time, names the setting and says how long was waited', async () => {
  const asking = ambients.filter(
    ({ provider }) => !['gitlab', 'filesystem', 'kubernetes'].includes(provider),
  );
  const set = await Promise.all(
    asking.map(async (ambient) => [ambient, await ambient.surroundings(await mint(ambient.token))] as const),
  );
  await writeFile(at('circleci'), '#!/bin/sh\nexec sleep 5\n');
  answer = () => 'hanging';
  await Promise.all(
    set.map(([ambient, env]) =>
      assert.rejects(find(env, ambient, 100), (error: unknown) => {
        assert.match(String(error), /0\.1 s/, ambient.provider);
        return refusedWith(ambient.setting)(error);
      }),
    ),
  );
});

test('an answer that comes at the second try is taken', async () => {
  const jwt = await mint(systems.github);
  const env = await (ambients[0] as Ambient).surroundings(jwt);
  const good = answer;
  let tries = 0;
  answer = (asked) => (++tries < 2 ? { status: 502, body: 'upstream' } : good(asked));
  const found = await findToken({ env, transport: httpTransport() });
  assert.equal(found?.source, 'GitHub Actions');
});

const lacking: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  ['github-actions', { GITHUB_ACTIONS: 'true' }, /id-token: write/],
  ['gitlab', { GITLAB_CI: 'true' }, /id_tokens/],
  ['buildkite-agent', { BUILDKITE_AGENT_ACCESS_TOKEN: 'access' }, /BUILDKITE_/],
  ['circleci', { CIRCLECI: 'true', PATH: '/nowhere' }, /circleci program/],
  ['codefresh', { CF_BUILD_ID: '1' }, /CF_OIDC_REQUEST_TOKEN/],
  ['azure-pipelines', { TF_BUILD: 'True', SYSTEM_OIDCREQUESTURI: 'http://x' }, /SYSTEM_ACCESSTOKEN/],
  ['google', { GOOGLE_SERVICE_ACCOUNT_NAME: 'a@b' }, /serviceAccountTokenCreator/],
  ['spiffe', { SPIFFE_ENDPOINT_SOCKET: '/nowhere/api.sock' }, /agent/],
  ['filesystem', { WAYBILL_ID_TOKEN_FILE: '/nowhere/token' }, /WAYBILL_ID_TOKEN_FILE/],
  [
    'kubernetes',
    { KUBERNETES_SERVICE_HOST: '10.0.0.1', AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token' },
    /serviceAccountToken: audience/,
  ],
];
for (const [provider, env, setting] of lacking) {
  test(`${provider}: a job that lacks the setting is told which`, async () => {
    const asked = findToken({ env, transport: httpTransport() });
    await assert.rejects(asked, refusedWith(setting));
  });
}

test('another account of Google is impersonated with the machine’s own', async () => {
  const jwt = await mint(systems.google);
  answer = ({ url, headers, body }) => {
    if (url.pathname.endsWith('/token')) return { body: { access_token: 'machine', expires_in: 60 } };
    assert.equal(url.pathname, '/v1/projects/-/serviceAccounts/release%40x.iam:generateIdToken');
    assert.equal(headers.authorization, 'Bearer machine');
    assert.deepEqual(JSON.parse(body), { audience: 'sigstore', includeEmail: true });
    return { body: { token: jwt } };
  };
  const env = {
    GCE_METADATA_HOST: host,
    GOOGLE_SERVICE_ACCOUNT_NAME: 'release@x.iam',
    WAYBILL_GOOGLE_IAM: `http://${host}`,
  };
  assert.equal((await findToken({ env, transport: httpTransport() }))?.token.reveal(), jwt);
});

test('a provider that does not exist is WB-626, one that is not here WB-624', async () => {
  const ask = (provider: string) => findToken({ env: {}, transport: httpTransport(), provider });
  await assert.rejects(
    ask('jenkins'),
    (error: unknown) => error instanceof WaybillError && error.reason.code === 'WB-626',
  );
  await assert.rejects(ask('buildkite-agent'), refusedWith(/agent/));
});
