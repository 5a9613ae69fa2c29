/**
 * What the tokens of each system say, as their documentation has it, and what a certificate for them must say: the
 * mappings of the public instance of Fulcio.
 */
import type { CiProvider } from '#formats/ci-template';
import type { FulcioClaims, San } from '#formats/x509';
import type { IssuerConfig } from '#services/ca';

export interface CiToken {
  readonly system: string;
  /** How a certificate authority is configured for it. */
  readonly issuer: Partial<IssuerConfig> & Pick<IssuerConfig, 'type'>;
  readonly providers?: ReadonlyMap<string, CiProvider>;
  readonly audience?: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly san: San;
  /** Beside the issuer and the subject of the token. */
  readonly extensions: FulcioClaims;
}

const uri = (value: string): San => ({ type: 'uri', value });
const workflow = 'octo-org/octo-app/.github/workflows/build.yml@refs/tags/v1.2.3';
const sha = 'ce4d1f1a7e0f9d6b7d1f1b4a1b0e5c8f9a2b3c4d';

export const github: CiToken = {
  system: 'GitHub Actions',
  issuer: { type: 'github-workflow' },
  claims: {
    sub: 'repo:octo-org/octo-app:environment:production',
    ref: 'refs/tags/v1.2.3',
    sha,
    repository: 'octo-org/octo-app',
    repository_owner: 'octo-org',
    repository_owner_id: '65',
    run_id: '1234567890',
    run_number: '10',
    run_attempt: '2',
    repository_visibility: 'private',
    repository_id: '74',
    actor_id: '12',
    actor: 'octocat',
    workflow: 'build',
    head_ref: '',
    base_ref: '',
    event_name: 'push',
    ref_protected: 'true',
    ref_type: 'tag',
    workflow_ref: workflow,
    workflow_sha: sha,
    job_workflow_ref: 'octo-org/ci/.github/workflows/sign.yml@refs/heads/main',
    job_workflow_sha: 'a'.repeat(40),
    runner_environment: 'github-hosted',
    environment: 'production',
  },
  san: uri('https://github.com/octo-org/ci/.github/workflows/sign.yml@refs/heads/main'),
  extensions: {
    githubWorkflowTrigger: 'push',
    githubWorkflowSha: sha,
    githubWorkflowName: 'build',
    githubWorkflowRepository: 'octo-org/octo-app',
    githubWorkflowRef: 'refs/tags/v1.2.3',
    buildSignerUri: 'https://github.com/octo-org/ci/.github/workflows/sign.yml@refs/heads/main',
    buildSignerDigest: 'a'.repeat(40),
    runnerEnvironment: 'github-hosted',
    sourceRepositoryUri: 'https://github.com/octo-org/octo-app',
    sourceRepositoryDigest: sha,
    sourceRepositoryRef: 'refs/tags/v1.2.3',
    sourceRepositoryIdentifier: '74',
    sourceRepositoryOwnerUri: 'https://github.com/octo-org',
    sourceRepositoryOwnerIdentifier: '65',
    buildConfigUri: `https://github.com/${workflow}`,
    buildConfigDigest: sha,
    buildTrigger: 'push',
    runInvocationUri: 'https://github.com/octo-org/octo-app/actions/runs/1234567890/attempts/2',
    sourceRepositoryVisibilityAtSigning: 'private',
    deploymentEnvironment: 'production',
  },
};

export const gitlab: CiToken = {
  system: 'GitLab CI',
  issuer: { type: 'gitlab-pipeline' },
  claims: {
    namespace_id: '72',
    namespace_path: 'my-group',
    project_id: '20',
    project_path: 'my-group/my-project',
    user_id: '1',
    user_login: 'sample-user',
    user_email: 'sample-user@example.com',
    pipeline_id: '574',
    pipeline_source: 'push',
    job_id: '302',
    ref: 'feature-branch-1',
    ref_type: 'branch',
    ref_path: 'refs/heads/feature-branch-1',
    ref_protected: 'false',
    environment_protected: 'false',
    runner_id: 1,
    runner_environment: 'self-hosted',
    sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    project_visibility: 'public',
    ci_config_ref_uri: 'gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
    ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    sub: 'project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1',
  },
  san: uri('https://gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main'),
  extensions: {
    buildSignerUri: 'https://gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
    buildSignerDigest: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    runnerEnvironment: 'self-hosted',
    sourceRepositoryUri: 'https://gitlab.com/my-group/my-project',
    sourceRepositoryDigest: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    sourceRepositoryRef: 'refs/heads/feature-branch-1',
    sourceRepositoryIdentifier: '20',
    sourceRepositoryOwnerUri: 'https://gitlab.com/my-group',
    sourceRepositoryOwnerIdentifier: '72',
    buildConfigUri: 'https://gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
    buildConfigDigest: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    buildTrigger: 'push',
    runInvocationUri: 'https://gitlab.com/my-group/my-project/-/jobs/302',
    sourceRepositoryVisibilityAtSigning: 'public',
  },
};

export const buildkite: CiToken = {
  system: 'Buildkite',
  issuer: { type: 'buildkite-job' },
  claims: {
    sub: 'organization:acme-inc:pipeline:super-duper-app:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:build',
    organization_slug: 'acme-inc',
    pipeline_slug: 'super-duper-app',
    build_number: 42,
    build_branch: 'main',
    build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
    step_key: 'build',
    job_id: '0184990a-477b-4fa8-9968-496074483cee',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
    build_source: 'webhook',
    runner_environment: 'self-hosted',
  },
  san: uri('https://buildkite.com/acme-inc/super-duper-app'),
  extensions: {
    runnerEnvironment: 'self-hosted',
    sourceRepositoryDigest: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
    buildTrigger: 'webhook',
    runInvocationUri:
      'https://buildkite.com/acme-inc/super-duper-app/builds/42#0184990a-477b-4fa8-9968-496074483cee',
  },
};

const circle = 'oidc.circleci.com';
export const circleci: CiToken = {
  system: 'CircleCI',
  issuer: { type: 'ci-provider', ciProvider: 'circleci-job' },
  claims: {
    sub: 'org/1bd5/project/2ce6/user/3df7/vcs-origin/github.com/acme/app/vcs-ref/refs/heads/main',
    [`${circle}/project-id`]: '2ce6',
    [`${circle}/context-ids`]: ['a745'],
    [`${circle}/org-id`]: '1bd5',
    [`${circle}/pipeline-id`]: '9a01',
    [`${circle}/pipeline-definition-id`]: '7b02',
    [`${circle}/workflow-id`]: '5c03',
    [`${circle}/job-id`]: '4d04',
    [`${circle}/vcs-origin`]: 'github.com/acme/app',
    [`${circle}/vcs-ref`]: 'refs/heads/main',
    [`${circle}/ssh-rerun`]: false,
  },
  san: uri('https://circleci.com/api/v2/projects/2ce6/pipeline-definitions/7b02'),
  extensions: {
    buildSignerUri: 'https://circleci.com/api/v2/projects/2ce6/pipeline-definitions/7b02',
    runnerEnvironment: '""',
    sourceRepositoryUri: 'github.com/acme/app',
    sourceRepositoryRef: 'refs/heads/main',
    buildConfigUri: 'https://circleci.com/api/v2/pipeline/9a01/config',
    runInvocationUri: 'https://app.circleci.com//workflow/5c03/job/4d04',
  },
};

export const codefresh: CiToken = {
  system: 'Codefresh',
  issuer: { type: 'codefresh-workflow' },
  claims: {
    sub: 'account:628a80b693a15c0f9c13ab75:pipeline:65e5a53e52853dc51a5b0cc1:initiator:codefresh-user',
    account_id: '628a80b693a15c0f9c13ab75',
    account_name: 'codefresh-inc',
    pipeline_id: '65e5a53e52853dc51a5b0cc1',
    pipeline_name: 'oidc-test/get-token',
    workflow_id: '65e6d6b7d8d0e4a1b2c3d4e5',
    initiator: 'codefresh-user',
    scm_user_name: 'codefresh-user',
    scm_repo_url: 'https://github.com/codefresh-user/oidc-test',
    scm_ref: 'main',
    platform_url: 'https://g.codefresh.io',
    runner_environment: 'hybrid',
  },
  san: uri(
    'https://g.codefresh.io/codefresh-inc/oidc-test/get-token:628a80b693a15c0f9c13ab75/65e5a53e52853dc51a5b0cc1',
  ),
  extensions: {
    buildSignerUri: 'https://g.codefresh.io/build/65e6d6b7d8d0e4a1b2c3d4e5',
    runnerEnvironment: 'hybrid',
    sourceRepositoryUri: 'https://github.com/codefresh-user/oidc-test',
    sourceRepositoryRef: 'main',
    buildConfigUri: 'https://g.codefresh.io/api/pipelines/65e5a53e52853dc51a5b0cc1',
    runInvocationUri: 'https://g.codefresh.io/build/65e6d6b7d8d0e4a1b2c3d4e5',
  },
};

export const azurePipelines: CiToken = {
  system: 'Azure Pipelines',
  issuer: { type: 'ci-provider', ciProvider: 'azure', clientId: 'api://AzureADTokenExchange' },
  providers: new Map([['azure', { defaults: new Map(), san: 'sub', extensions: [] }]]),
  audience: 'api://AzureADTokenExchange',
  claims: {
    sub: 'p://contoso/shop/release',
    org_id: '11111111-2222-3333-4444-555555555555',
    prj_id: '66666666-7777-8888-9999-000000000000',
    def_id: '4',
    run_id: '17',
  },
  san: uri('p://contoso/shop/release'),
  extensions: {},
};

export const google: CiToken = {
  system: 'Google Cloud',
  issuer: { type: 'email' },
  claims: {
    sub: '112233445566778899000',
    azp: 'sigstore',
    email: 'release@shop-prod.iam.gserviceaccount.com',
    email_verified: true,
    google: { compute_engine: { project_id: 'shop-prod', zone: 'europe-west1-b' } },
  },
  san: { type: 'email', value: 'release@shop-prod.iam.gserviceaccount.com' },
  extensions: {},
};

export const spiffe: CiToken = {
  system: 'SPIFFE',
  issuer: { type: 'spiffe', spiffeTrustDomain: 'example.org' },
  claims: { sub: 'spiffe://example.org/ns/ci/sa/signer' },
  san: uri('spiffe://example.org/ns/ci/sa/signer'),
  extensions: {},
};

export const kubernetes: CiToken = {
  system: 'Kubernetes',
  issuer: { type: 'kubernetes' },
  claims: {
    sub: 'system:serviceaccount:ci:signer',
    'kubernetes.io': {
      namespace: 'ci',
      node: { name: 'node-1', uid: 'd0e1' },
      pod: { name: 'build-7', uid: 'f2a3' },
      serviceaccount: { name: 'signer', uid: 'b4c5' },
      warnafter: 1_700_000_000,
    },
  },
  san: uri('https://kubernetes.io/namespaces/ci/serviceaccounts/signer'),
  extensions: {},
};
