import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { type Certificate, parseCertificate } from '#formats/x509';
import { type IssuerConfig, issuerTable, readIssuerTable } from '#services/ca';
import { githubClaims } from '#services/oidc';
import { caFixture, email, ISSUER, NOW, publishIssuer, type Reply, token } from './ca-fixture.ts';

const leafOf = (reply: Reply): Certificate => {
  assert.equal(reply.status, 200, reply.text);
  const pem = reply.json.signedCertificateEmbeddedSct?.chain.certificates[0] ?? '';
  return unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));
};
const codeOf = (reply: Reply): string | undefined => reply.json.details?.[0]?.reason;
const of = (type: IssuerConfig['type'], over: Partial<IssuerConfig> = {}): IssuerConfig => ({
  issuerUrl: ISSUER,
  clientId: 'sigstore',
  type,
  ...over,
});

const github = githubClaims({
  repository: 'acme/app',
  ref: 'refs/tags/v1.2.3',
  sha: 'a'.repeat(40),
  jobWorkflowRef: 'acme/ci/.github/workflows/sign.yml@refs/heads/main',
  jobWorkflowSha: 'b'.repeat(40),
  runId: '77',
  runAttempt: '2',
});

test('a GitHub workflow token fills every extension as Fulcio does', async () => {
  const { sign } = await caFixture([of('github-workflow')]);
  const leaf = leafOf(
    await sign(await token({ ...github, email: undefined }), { name: github['sub'] as string }),
  );
  const signer = 'https://github.com/acme/ci/.github/workflows/sign.yml@refs/heads/main';
  assert.deepEqual(leaf.sans, [{ type: 'uri', value: signer }]);
  assert.deepEqual(leaf.fulcio, {
    issuer: ISSUER,
    githubWorkflowTrigger: 'release',
    githubWorkflowSha: 'a'.repeat(40),
    githubWorkflowName: 'Release',
    githubWorkflowRepository: 'acme/app',
    githubWorkflowRef: 'refs/tags/v1.2.3',
    buildSignerUri: signer,
    buildSignerDigest: 'b'.repeat(40),
    runnerEnvironment: 'github-hosted',
    sourceRepositoryUri: 'https://github.com/acme/app',
    sourceRepositoryDigest: 'a'.repeat(40),
    sourceRepositoryRef: 'refs/tags/v1.2.3',
    sourceRepositoryIdentifier: '1',
    sourceRepositoryOwnerUri: 'https://github.com/acme',
    sourceRepositoryOwnerIdentifier: '2',
    buildConfigUri: 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3',
    buildConfigDigest: 'a'.repeat(40),
    buildTrigger: 'release',
    runInvocationUri: 'https://github.com/acme/app/actions/runs/77/attempts/2',
    sourceRepositoryVisibilityAtSigning: 'public',
    tokenSubject: 'repo:acme/app:ref:refs/tags/v1.2.3',
  });
});

test('a deployment environment is carried where the job has one', async () => {
  const { sign } = await caFixture([of('github-workflow')]);
  const claims: Record<string, string> = { ...github, environment: 'production' };
  const leaf = leafOf(await sign(await token(claims), { name: claims['sub'] as string }));
  assert.equal(leaf.fulcio.deploymentEnvironment, 'production');
});

test('a workflow token that lacks a claim is refused, and templates in claims are only text', async () => {
  const { sign } = await caFixture([of('github-workflow')]);
  const name = github['sub'] as string;
  assert.equal(codeOf(await sign(await token({ ...github, workflow_sha: undefined }), { name })), 'WB-1007');
  assert.equal(codeOf(await sign(await token({ ...github, sha: 5.5 }), { name })), 'WB-1007');
  assert.equal(codeOf(await sign(await token({ ...github, workflow: 'a\nb' }), { name })), 'WB-1007');
  const leaf = leafOf(await sign(await token({ ...github, workflow: '{{ .sub }}' }), { name }));
  assert.equal(leaf.fulcio.githubWorkflowName, '{{ .sub }}');
});

test('a branch name beyond ASCII is percent-encoded in the URI, and kept in the extension', async () => {
  const { sign } = await caFixture([of('github-workflow')]);
  const claims = { ...github, job_workflow_ref: 'acme/app/.github/workflows/a.yml@refs/heads/über ü' };
  const leaf = leafOf(await sign(await token(claims), { name: github['sub'] as string }));
  assert.match(leaf.sans[0]?.value ?? '', /@refs\/heads\/%C3%BCber%20%C3%BC$/);
  assert.match(leaf.fulcio.buildSignerUri ?? '', /über ü$/);
});

const gitlab = {
  sub: 'project_path:acme/app:ref_type:branch:ref:main',
  ci_config_ref_uri: 'gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main',
  ci_config_sha: 'c'.repeat(40),
  runner_environment: 'gitlab-hosted',
  project_path: 'acme/app',
  project_id: 42,
  namespace_path: 'acme',
  namespace_id: '7',
  sha: 'd'.repeat(40),
  ref: 'main',
  ref_type: 'branch',
  pipeline_source: 'push',
  job_id: '99',
  project_visibility: 'private',
};

test('a GitLab pipeline token maps as Fulcio does, for branches and tags', async () => {
  const { sign } = await caFixture([of('gitlab-pipeline')]);
  const leaf = leafOf(await sign(await token(gitlab), { name: gitlab.sub }));
  assert.deepEqual(leaf.sans, [
    { type: 'uri', value: 'https://gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main' },
  ]);
  assert.equal(leaf.fulcio.sourceRepositoryRef, 'refs/heads/main');
  assert.equal(leaf.fulcio.sourceRepositoryIdentifier, '42');
  assert.equal(leaf.fulcio.runInvocationUri, 'https://gitlab.com/acme/app/-/jobs/99');
  const tag = leafOf(
    await sign(await token({ ...gitlab, ref_type: 'tag', ref: 'v1' }), { name: gitlab.sub }),
  );
  assert.equal(tag.fulcio.sourceRepositoryRef, 'refs/tags/v1');
});

const cases: readonly (readonly [string, IssuerConfig, object, { san?: object; code?: string }])[] = [
  [
    'a service account',
    of('kubernetes'),
    { sub: 's', 'kubernetes.io': { namespace: 'ns', serviceaccount: { name: 'builder' } } },
    { san: { type: 'uri', value: 'https://kubernetes.io/namespaces/ns/serviceaccounts/builder' } },
  ],
  [
    'a service account with a slash in its name',
    of('kubernetes'),
    { sub: 's', 'kubernetes.io': { namespace: 'ns', serviceaccount: { name: 'a/b' } } },
    { code: 'WB-1007' },
  ],
  ['a token without service account', of('kubernetes'), { sub: 's' }, { code: 'WB-1007' }],
  [
    'a SPIFFE ID',
    of('spiffe', { spiffeTrustDomain: 'td.example' }),
    { sub: 'spiffe://td.example/ns/a' },
    { san: { type: 'uri', value: 'spiffe://td.example/ns/a' } },
  ],
  [
    'a SPIFFE ID of another trust domain',
    of('spiffe', { spiffeTrustDomain: 'td.example' }),
    { sub: 'spiffe://td.example.evil/a' },
    { code: 'WB-1007' },
  ],
  [
    'a SPIFFE ID with user info',
    of('spiffe', { spiffeTrustDomain: 'td.example' }),
    { sub: 'spiffe://x@td.example/a' },
    { code: 'WB-1007' },
  ],
  [
    'a SPIFFE ID with dots',
    of('spiffe', { spiffeTrustDomain: 'td.example' }),
    { sub: 'spiffe://td.example/a/../b' },
    { code: 'WB-1007' },
  ],
  [
    'a URI subject',
    of('uri', { subjectDomain: 'https://app.issuer.example' }),
    { sub: 'https://app.issuer.example/u/1' },
    { san: { type: 'uri', value: 'https://app.issuer.example/u/1' } },
  ],
  [
    'a URI subject of another host',
    of('uri', { subjectDomain: 'https://app.issuer.example' }),
    { sub: 'https://app.issuer.example.evil/u' },
    { code: 'WB-1007' },
  ],
  [
    'a URI subject with user info',
    of('uri', { subjectDomain: 'https://app.issuer.example' }),
    { sub: 'https://a:b@app.issuer.example/u' },
    { code: 'WB-1007' },
  ],
  [
    'a URI subject of another scheme',
    of('uri', { subjectDomain: 'https://app.issuer.example' }),
    { sub: 'http://app.issuer.example/u' },
    { code: 'WB-1007' },
  ],
  [
    'a user name',
    of('username', { subjectDomain: 'issuer.example' }),
    { sub: 'ada' },
    { san: { type: 'otherName', value: 'ada!issuer.example' } },
  ],
  [
    'a user name with a mark',
    of('username', { subjectDomain: 'issuer.example' }),
    { sub: 'ada!root' },
    { code: 'WB-1007' },
  ],
  [
    'a user name like an address',
    of('username', { subjectDomain: 'issuer.example' }),
    { sub: 'ada@b' },
    { code: 'WB-1007' },
  ],
];

for (const [name, issuer, claims, expected] of cases) {
  test(`${name} is ${expected.code === undefined ? 'certified' : `refused with ${expected.code}`}`, async () => {
    const { sign } = await caFixture([issuer]);
    const reply = await sign(await token({ ...claims }), { name: (claims as { sub: string }).sub });
    if (expected.code !== undefined) assert.equal(codeOf(reply), expected.code, reply.text);
    else assert.deepEqual(leafOf(reply).sans, [expected.san]);
  });
}

test('behind a federation the certificate names the provider, not the federation', async () => {
  const { sign } = await caFixture([of('email', { issuerClaim: '$.federated_claims.connector_id' })]);
  const claims = { federated_claims: { connector_id: 'https://login.example/oauth' } };
  assert.equal(leafOf(await sign(await token(claims))).fulcio.issuer, 'https://login.example/oauth');
  assert.equal(codeOf(await sign(await token())), 'WB-1007');
});

test('the challenge can be another claim', async () => {
  const { sign } = await caFixture([of('email', { challengeClaim: 'sub' })]);
  assert.equal(leafOf(await sign(await token(), { name: 'user-1' })).sans[0]?.value, 'dev@example.com');
  assert.equal(codeOf(await sign(await token())), 'WB-1010');
});

const meta = of('kubernetes', { issuerUrl: 'https://oidc.*.example.com/id/*' });
const account = { sub: 's', 'kubernetes.io': { namespace: 'ns', serviceaccount: { name: 'n' } } };

test('a pattern of issuers is matched whole', () => {
  const table = issuerTable([], [meta]);
  const matches = (url: string): boolean => table.find(url) !== undefined;
  assert.equal(matches('https://oidc.eu-1.example.com/id/AB_12'), true);
  for (const url of [
    'https://oidc.eu-1.example.com/id/AB/evil',
    'https://oidc.eu-1.example.com/id/',
    'https://evil.example/?https://oidc.eu-1.example.com/id/A',
    'https://oidc.a.b.example.com/id/A',
    'https://oidcXeu-1.example.com/id/A',
    'https://oidc.eu-1.example.com/id/A\n',
  ]) {
    assert.equal(matches(url), false, url);
  }
});

test('an issuer of a pattern is certified, and only with keys on its own host', async () => {
  const issuer = 'https://oidc.eu.example.com/id/A';
  const fixture = await caFixture([], { meta: [meta] });
  publishIssuer(fixture.web, issuer);
  leafOf(await fixture.sign(await token({ ...account, iss: issuer }), { name: 's' }));
  const foreign = await caFixture([], { meta: [meta] });
  publishIssuer(foreign.web, issuer, { jwksUri: 'https://keys.example/k' });
  const refused = await foreign.sign(await token({ ...account, iss: issuer }), { name: 's' });
  assert.equal(codeOf(refused), 'WB-1012');
  assert.equal(foreign.web.asked.includes('https://keys.example/k'), false);
});

const discoveryOf = `${ISSUER}/.well-known/openid-configuration`;
type Fixture = Awaited<ReturnType<typeof caFixture>>;
const outages: readonly (readonly [string, (fixture: Fixture) => void])[] = [
  ['cannot be reached', ({ web }) => web.pages.delete(discoveryOf)],
  ['answers 500', ({ web }) => web.pages.set(discoveryOf, { status: 500 })],
  ['names another issuer', ({ web }) => publishIssuer(web, ISSUER, { named: 'https://evil.example' })],
  [
    'redirects to another host',
    ({ web }) => {
      web.pages.set(discoveryOf, { status: 302, headers: { location: 'https://evil.example/d' } });
    },
  ],
  [
    'redirects without end',
    ({ web }) => {
      web.pages.set(discoveryOf, { status: 302, headers: { location: discoveryOf } });
    },
  ],
  [
    'names keys without encryption',
    ({ web }) => publishIssuer(web, ISSUER, { jwksUri: 'http://issuer.example/keys' }),
  ],
  [
    'sends no JSON',
    ({ web }) => {
      web.pages.set(discoveryOf, { body: '<html>' });
    },
  ],
  [
    'sends a key set that is too large',
    ({ web }) => {
      web.pages.set(`${ISSUER}/keys`, { body: `{"keys":["${'x'.repeat(1024 * 1024)}"]}` });
    },
  ],
  [
    'sends too many keys',
    ({ web }) => {
      web.pages.set(`${ISSUER}/keys`, { body: JSON.stringify({ keys: Array(101).fill({ kty: 'EC' }) }) });
    },
  ],
];

for (const [name, breakIt] of outages) {
  test(`an issuer that ${name} makes the answer unavailable, not a refusal`, async () => {
    const fixture = await caFixture();
    breakIt(fixture);
    const reply = await fixture.sign(await token());
    assert.equal(codeOf(reply), 'WB-1012', reply.text);
    assert.equal(reply.status, 503);
    assert.ok(fixture.web.asked.length <= 5);
    assert.equal(
      fixture.web.asked.some((url) => url.includes('evil')),
      false,
    );
  });
}

test('a key set of the largest size and number of keys is taken', async () => {
  const { web, sign } = await caFixture();
  const page = web.pages.get(`${ISSUER}/keys`) as { body: string };
  const [key] = (JSON.parse(page.body) as { keys: object[] }).keys;
  const others = Array.from({ length: limits.jwksKeys - 1 }, (_, i) => ({ kty: 'EC', kid: `o${i}` }));
  const set = (pad: string): string => JSON.stringify({ keys: [key, ...others], pad });
  web.pages.set(`${ISSUER}/keys`, { body: set('x'.repeat(limits.jwksBytes - set('').length)) });
  leafOf(await sign(await token()));
});

test('a redirect on the same origin is followed', async () => {
  const { web, sign } = await caFixture();
  web.pages.set(`${ISSUER}/moved`, web.pages.get(discoveryOf)!);
  web.pages.set(discoveryOf, { status: 307, headers: { location: '/moved' } });
  leafOf(await sign(await token()));
});

test('keys are fetched once for many tokens, anew when old, and kept through a short outage', async () => {
  const { sign, web, clock } = await caFixture();
  const fetched = (): number => web.asked.filter((url) => url === discoveryOf).length;
  await Promise.all(Array.from({ length: 5 }, async () => leafOf(await sign(await token()))));
  assert.equal(fetched(), 1);
  clock.advance(11 * 60_000);
  const later = { iat: NOW / 1000, exp: clock.now() / 1000 + 3000 };
  leafOf(await sign(await token(later)));
  assert.equal(fetched(), 2);
  web.pages.delete(discoveryOf);
  clock.advance(11 * 60_000);
  leafOf(await sign(await token(later)));
  clock.advance(60 * 60_000);
  const stale = { iat: NOW / 1000, exp: clock.now() / 1000 + 300 };
  assert.equal(codeOf(await sign(await token(stale))), 'WB-1012');
});

test('unknown key ids refetch, but not more often than every half minute', async () => {
  const { sign, web, clock } = await caFixture();
  const fetched = (): number => web.asked.filter((url) => url === discoveryOf).length;
  for (let i = 0; i < 10; i++)
    assert.equal(codeOf(await sign(await token({}, { kid: `k${i + 2}` }))), 'WB-1002');
  assert.equal(fetched(), 1);
  clock.advance(31_000);
  for (let i = 0; i < 10; i++) await sign(await token({}, { kid: 'k9' }));
  assert.equal(fetched(), 2);
});

const fulcioYaml = `
oidc-issuers:
  https://issuer.example:
    issuer-url: https://issuer.example
    client-id: sigstore
    type: ci-provider
    ci-provider: forge
    contact: ops@example.com
    description: our forge
meta-issuers:
  https://oidc.*.example.com:
    client-id: sigstore
    type: kubernetes
ci-issuer-metadata:
  forge:
    default-template-values:
      url: https://forge.example
    extension-templates:
      build-signer-uri: '{{ .url }}/{{ .pipeline }}'
      source-repository-ref: refs/{{ if eq .kind "tag" }}tags{{ else }}heads{{ end }}/{{ .ref }}
      build-trigger: event
    subject-alternative-name-template: '{{ .url }}/{{ .pipeline }}'
`;

test('the configuration of Fulcio is read, with templates for other CI systems', async () => {
  const { sign } = await caFixture([email], { issuers: readIssuerTable(fulcioYaml) });
  const claims = { sub: 's', pipeline: 'p/1', kind: 'branch', ref: 'main', event: 'push' };
  const leaf = leafOf(await sign(await token(claims), { name: 's' }));
  assert.deepEqual(leaf.sans, [{ type: 'uri', value: 'https://forge.example/p/1' }]);
  assert.equal(leaf.fulcio.sourceRepositoryRef, 'refs/heads/main');
  assert.equal(leaf.fulcio.buildTrigger, 'push');
});

const badConfigs: readonly (readonly [string, string])[] = [
  ['no YAML', 'a: [b'],
  ['an unknown part', 'oidc-issuer: {}'],
  ['an unknown field', 'oidc-issuers: { "https://a.example": { client-id: s, type: email, clientid: x } }'],
  ['an unknown type', 'oidc-issuers: { "https://a.example": { client-id: s, type: mail } }'],
  ['no client id', 'oidc-issuers: { "https://a.example": { type: email } }'],
  ['plain http', 'oidc-issuers: { "http://a.example": { client-id: s, type: email } }'],
  [
    'another issuer-url than its key',
    'oidc-issuers: { "https://a.example": { issuer-url: "https://b.example", client-id: s, type: email } }',
  ],
  ['a trust domain missing', 'oidc-issuers: { "https://a.example": { client-id: s, type: spiffe } }'],
  [
    'a subject domain that is not the issuer’s',
    'oidc-issuers: { "https://a.example": { client-id: s, type: uri, subject-domain: "https://b.test" } }',
  ],
  [
    'an unknown ci-provider',
    'oidc-issuers: { "https://a.example": { client-id: s, type: ci-provider, ci-provider: x } }',
  ],
  [
    'a template for the issuer',
    'ci-issuer-metadata: { x: { subject-alternative-name-template: a, extension-templates: { issuer: iss } } }',
  ],
  [
    'a template for the token subject',
    'ci-issuer-metadata: { x: { subject-alternative-name-template: a, extension-templates: { token-subject: email } } }',
  ],
  [
    'a template with a function',
    'ci-issuer-metadata: { x: { subject-alternative-name-template: "{{ printf .a }}" } }',
  ],
  [
    'a template that does not end',
    'ci-issuer-metadata: { x: { subject-alternative-name-template: "{{ .a" } }',
  ],
  ['an else without if', 'ci-issuer-metadata: { x: { subject-alternative-name-template: "{{ else }}" } }'],
];

for (const [name, text] of badConfigs) {
  test(`a configuration with ${name} is refused`, () => {
    assert.throws(() => readIssuerTable(text), /WB-1017/);
  });
}
