/** Issuers of every kind Fulcio knows, in its configuration, and tokens as those systems write them. */
import { stringify } from 'yaml';
import { builtInProviders } from '#formats/ci-providers';
import type { CiProvider } from '#formats/ci-template';
import { githubClaims } from '#services/oidc';
import type { Claims } from './fulcio-world.ts';

export interface IssuerCase {
  readonly name: string;
  /** Below the origin of the issuers; in a meta issuer `*` stands for what `issuer` says. */
  readonly path: string;
  readonly issuer?: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly claims: Claims;
  /** What a proof of possession signs; default: the subject. */
  readonly challenge?: string;
  /** Extensions that only our certificate has: the kinds Fulcio keeps for old configurations fill fewer. */
  readonly more?: readonly string[];
}

export const github: Claims = githubClaims({
  repository: 'acme/app',
  ref: 'refs/tags/v1.2.3',
  sha: 'a'.repeat(40),
  jobWorkflowRef: 'acme/ci/.github/workflows/sign.yml@refs/heads/main',
  jobWorkflowSha: 'b'.repeat(40),
  runId: '77',
  runAttempt: '2',
});

export const gitlab: Claims = {
  sub: 'project_path:group/project:ref_type:branch:ref:main',
  project_path: 'group/project',
  project_id: '31',
  namespace_path: 'group',
  namespace_id: '72',
  pipeline_id: '574',
  pipeline_source: 'push',
  job_id: '302',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  runner_id: 1,
  runner_environment: 'gitlab-hosted',
  sha: 'c'.repeat(40),
  project_visibility: 'public',
  ci_config_ref_uri: 'gitlab.com/group/project//.gitlab-ci.yml@refs/heads/main',
  ci_config_sha: 'd'.repeat(40),
};

export const buildkite: Claims = {
  sub: 'organization:acme:pipeline:app:ref:refs/heads/main:commit:e:step:build',
  organization_slug: 'acme',
  pipeline_slug: 'app',
  build_number: 118,
  build_branch: 'main',
  build_commit: 'e'.repeat(40),
  build_source: 'schedule',
  step_key: 'build',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  runner_environment: 'buildkite-hosted',
};

export const codefresh: Claims = {
  sub: 'account:628a:pipeline:656a:initiator:manual',
  account_id: '628a80b693a15c0f9c13ab75',
  account_name: 'acme',
  pipeline_id: '65e5a53e52853dc51a5b0cc1',
  pipeline_name: 'app/release',
  workflow_id: '65e6d5551e47e5bc243ca93f',
  scm_repo_url: 'https://github.com/acme/app',
  scm_ref: 'main',
  platform_url: 'https://g.codefresh.io',
  runner_environment: 'hybrid',
};

const circle = (name: string): string => `oidc.circleci.com/${name}`;
export const circleci: Claims = {
  sub: 'org/3f/project/5a/user/8c/vcs-origin/github.com/acme/app/vcs-ref/refs/heads/main',
  [circle('project-id')]: '5a1b',
  [circle('pipeline-definition-id')]: '7c2d',
  [circle('pipeline-id')]: '9e3f',
  [circle('workflow-id')]: 'b04a',
  [circle('job-id')]: 'd15b',
  [circle('ssh-rerun')]: false,
  [circle('vcs-origin')]: 'github.com/acme/app',
  [circle('vcs-ref')]: 'refs/heads/main',
};

const person: Claims = {
  sub: '10769150350006150715113082367',
  email: 'ada@example.com',
  email_verified: true,
};
const email = { type: 'email' };

const people: readonly IssuerCase[] = [
  {
    name: 'an e-mail address',
    path: '/people',
    settings: email,
    claims: person,
    challenge: 'ada@example.com',
  },
  {
    name: 'an e-mail address whose verification is text',
    path: '/people',
    settings: email,
    claims: { ...person, email_verified: 'true' },
    challenge: 'ada@example.com',
  },
  {
    name: 'an e-mail address of a federation',
    path: '/dex',
    settings: { ...email, 'issuer-claim': '$.federated_claims.connector_id' },
    claims: { ...person, federated_claims: { connector_id: 'https://github.com/login/oauth', user_id: '7' } },
    challenge: 'ada@example.com',
  },
  {
    name: 'an e-mail address that nobody verified, where that is not asked',
    path: '/unverified',
    settings: { ...email, 'skip-email-verification': true },
    claims: { ...person, email_verified: false },
    challenge: 'ada@example.com',
  },
  {
    name: 'a user name',
    path: '/users',
    settings: { type: 'username', 'subject-domain': '127.0.0.1' },
    claims: { sub: 'ada' },
  },
];

const machines: readonly IssuerCase[] = [
  {
    name: 'a Kubernetes service account',
    path: '/cluster',
    settings: { type: 'kubernetes' },
    claims: {
      sub: 'system:serviceaccount:team:builder',
      'kubernetes.io': {
        namespace: 'team',
        serviceaccount: { name: 'builder', uid: 'u' },
        pod: { name: 'p', uid: 'v' },
      },
    },
  },
  {
    name: 'a SPIFFE workload',
    path: '/spire',
    settings: { type: 'spiffe', 'spiffe-trust-domain': 'example.com' },
    claims: { sub: 'spiffe://example.com/ns/team/sa/builder' },
  },
  {
    name: 'a URI',
    path: '/uris',
    settings: { type: 'uri', 'subject-domain': 'http://127.0.0.1' },
    claims: { sub: 'http://127.0.0.1/users/ada' },
  },
  {
    name: 'a Chainguard identity',
    path: '/chainguard',
    settings: { type: 'chainguard-identity' },
    claims: { sub: '1a2b/3c4d', act: { iss: 'https://accounts.example', sub: 'x', aud: 'y' } },
  },
  {
    name: 'a Chainguard identity with an e-mail address',
    path: '/chainguard',
    settings: { type: 'chainguard-identity' },
    claims: { sub: '1a2b/3c4d', email: 'ada@example.com', email_verified: true },
    challenge: 'ada@example.com',
  },
  {
    name: 'a cluster of a meta issuer',
    path: '/clusters/*/id/*',
    issuer: '/clusters/eu-west_1/id/4F2A',
    settings: { type: 'kubernetes' },
    claims: {
      sub: 'system:serviceaccount:team:builder',
      'kubernetes.io': { namespace: 'team', serviceaccount: { name: 'builder', uid: 'u' } },
    },
  },
  {
    name: 'a workflow of a meta issuer',
    path: '/enterprises/*',
    issuer: '/enterprises/acme',
    settings: { type: 'github-workflow' },
    claims: { ...github, environment: 'production' },
    more: ['1.3.6.1.4.1.57264.1.23'],
  },
];

const ofSystem = (
  type: string,
  claims: Claims,
  others: readonly Claims[] = [],
  more: readonly string[] = [],
): IssuerCase[] => [
  { name: type, path: `/${type}`, settings: { type }, claims, more },
  ...[claims, ...others].map((more, at) => ({
    name: `${type} by template${at === 0 ? '' : ` (${at + 1})`}`,
    path: `/provider-${type}`,
    settings: { type: 'ci-provider', 'ci-provider': type },
    claims: more,
  })),
];

const tag: Claims = { ...gitlab, ref: 'v1', ref_type: 'tag', environment: 'production' };
export const ownJob: Claims = {
  sub: 'job-1',
  repo: 'acme/app',
  sha: 'f'.repeat(40),
  number: 12,
  private: true,
};

const systems: readonly IssuerCase[] = [
  ...ofSystem('github-workflow', github, [{ ...github, environment: 'production' }]),
  ...ofSystem('gitlab-pipeline', gitlab, [tag]),
  ...ofSystem(
    'buildkite-job',
    buildkite,
    [],
    [11, 13, 20, 21].map((last) => `1.3.6.1.4.1.57264.1.${last}`),
  ),
  ...ofSystem('codefresh-workflow', codefresh, [
    { ...codefresh, scm_repo_url: undefined, scm_ref: undefined },
  ]),
  ...ofSystem('circleci-job', circleci, [{ ...circleci, [circle('ssh-rerun')]: true }]).slice(1),
  {
    name: 'a CI system of one’s own by template',
    path: '/own',
    settings: { type: 'ci-provider', 'ci-provider': 'own-ci' },
    claims: ownJob,
  },
];

const ownProvider = {
  'default-template-values': { url: 'https://ci.example', branch: 'main' },
  'subject-alternative-name-template': '{{ .url }}/{{ .repo }}',
  'extension-templates': {
    'source-repository-digest': 'sha',
    'source-repository-ref': 'refs/heads/{{ .branch }}',
    'run-invocation-uri': '{{ .url }}/{{ .repo }}/{{ .number }}',
    'build-trigger': '{{ if eq .private "true" }}private{{ else }}public{{ end }}',
  },
};

const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** A provider of ours as Fulcio's configuration writes it. */
const metadataOf = ({ defaults, san, extensions }: CiProvider): object => ({
  'default-template-values': Object.fromEntries(defaults),
  'subject-alternative-name-template': san,
  'extension-templates': Object.fromEntries(extensions.map(([name, rule]) => [kebab(name), rule])),
});

export const issuerCases: readonly IssuerCase[] = [...people, ...machines, ...systems];

export function fulcioYaml(origin: string): string {
  const entry = ({ path, settings }: IssuerCase): [string, object] => [
    `${origin}${path}`,
    { 'issuer-url': `${origin}${path}`, 'client-id': 'sigstore', ...settings },
  ];
  const [exact, meta] = [false, true].map((isMeta) =>
    Object.fromEntries(issuerCases.filter(({ path }) => path.includes('*') === isMeta).map(entry)),
  );
  const providers = [...builtInProviders].map(([name, provider]) => [name, metadataOf(provider)] as const);
  return stringify({
    'oidc-issuers': exact,
    'meta-issuers': meta,
    'ci-issuer-metadata': { ...Object.fromEntries(providers), 'own-ci': ownProvider },
  });
}
