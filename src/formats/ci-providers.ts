/** CI systems whose tokens are understood without configuration: the mappings of Fulcio's public instance. */
import type { CiProvider } from './ci-template.ts';

const github: CiProvider = {
  defaults: new Map([
    ['url', 'https://github.com'],
    ['environment', ''],
  ]),
  san: '{{ .url }}/{{ .job_workflow_ref }}',
  extensions: [
    ['githubWorkflowTrigger', 'event_name'],
    ['githubWorkflowSha', 'sha'],
    ['githubWorkflowName', 'workflow'],
    ['githubWorkflowRepository', 'repository'],
    ['githubWorkflowRef', 'ref'],
    ['buildSignerUri', '{{ .url }}/{{ .job_workflow_ref }}'],
    ['buildSignerDigest', 'job_workflow_sha'],
    ['runnerEnvironment', 'runner_environment'],
    ['sourceRepositoryUri', '{{ .url }}/{{ .repository }}'],
    ['sourceRepositoryDigest', 'sha'],
    ['sourceRepositoryRef', 'ref'],
    ['sourceRepositoryIdentifier', 'repository_id'],
    ['sourceRepositoryOwnerUri', '{{ .url }}/{{ .repository_owner }}'],
    ['sourceRepositoryOwnerIdentifier', 'repository_owner_id'],
    ['buildConfigUri', '{{ .url }}/{{ .workflow_ref }}'],
    ['buildConfigDigest', 'workflow_sha'],
    ['buildTrigger', 'event_name'],
    [
      'runInvocationUri',
      '{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}',
    ],
    ['sourceRepositoryVisibilityAtSigning', 'repository_visibility'],
    ['deploymentEnvironment', 'environment'],
  ],
};

const gitlab: CiProvider = {
  defaults: new Map([
    ['url', 'https://gitlab.com'],
    ['environment', ''],
  ]),
  san: 'https://{{ .ci_config_ref_uri }}',
  extensions: [
    ['buildSignerUri', 'https://{{ .ci_config_ref_uri }}'],
    ['buildSignerDigest', 'ci_config_sha'],
    ['runnerEnvironment', 'runner_environment'],
    ['sourceRepositoryUri', '{{ .url }}/{{ .project_path }}'],
    ['sourceRepositoryDigest', 'sha'],
    ['sourceRepositoryRef', 'refs/{{ if eq .ref_type "branch" }}heads{{ else }}tags{{ end }}/{{ .ref }}'],
    ['sourceRepositoryIdentifier', 'project_id'],
    ['sourceRepositoryOwnerUri', '{{ .url }}/{{ .namespace_path }}'],
    ['sourceRepositoryOwnerIdentifier', 'namespace_id'],
    ['buildConfigUri', 'https://{{ .ci_config_ref_uri }}'],
    ['buildConfigDigest', 'ci_config_sha'],
    ['buildTrigger', 'pipeline_source'],
    ['runInvocationUri', '{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}'],
    ['sourceRepositoryVisibilityAtSigning', 'project_visibility'],
    ['deploymentEnvironment', 'environment'],
  ],
};

const buildkite: CiProvider = {
  defaults: new Map([['url', 'https://buildkite.com']]),
  san: '{{ .url }}/{{ .organization_slug }}/{{ .pipeline_slug }}',
  extensions: [
    ['runnerEnvironment', 'runner_environment'],
    ['sourceRepositoryDigest', 'build_commit'],
    ['buildTrigger', 'build_source'],
    [
      'runInvocationUri',
      '{{ .url }}/{{ .organization_slug }}/{{ .pipeline_slug }}/builds/{{ .build_number }}#{{ .job_id }}',
    ],
  ],
};

const codefresh: CiProvider = {
  defaults: new Map([
    ['platform_url', 'https://g.codefresh.io'],
    ['scm_repo_url', ''],
    ['scm_ref', ''],
    ['runner_environment', ''],
  ]),
  san: '{{ .platform_url }}/{{ .account_name }}/{{ .pipeline_name }}:{{ .account_id }}/{{ .pipeline_id }}',
  extensions: [
    ['buildSignerUri', '{{ .platform_url }}/build/{{ .workflow_id }}'],
    ['runnerEnvironment', 'runner_environment'],
    ['sourceRepositoryUri', 'scm_repo_url'],
    ['sourceRepositoryRef', 'scm_ref'],
    ['buildConfigUri', '{{ .platform_url }}/api/pipelines/{{ .pipeline_id }}'],
    ['runInvocationUri', '{{ .platform_url }}/build/{{ .workflow_id }}'],
  ],
};

/** Claims of CircleCI have names with slashes. */
const circleClaim = (name: string): string => `{{ index . "oidc.circleci.com/${name}" }}`;
const circleDefinition = `{{ .api_url }}/projects/${circleClaim('project-id')}/pipeline-definitions/${circleClaim('pipeline-definition-id')}`;

const circleci: CiProvider = {
  defaults: new Map([
    ['api_url', 'https://circleci.com/api/v2'],
    // With the slash the public instance has; its links have two.
    ['platform_url', 'https://app.circleci.com/'],
  ]),
  san: circleDefinition,
  extensions: [
    ['buildSignerUri', circleDefinition],
    [
      'runnerEnvironment',
      // The quotes are part of what the public instance writes.
      '{{ if eq (index . "oidc.circleci.com/ssh-rerun") "true" }}ssh-rerun{{ else }}""{{ end }}',
    ],
    ['sourceRepositoryUri', circleClaim('vcs-origin')],
    ['sourceRepositoryRef', circleClaim('vcs-ref')],
    ['buildConfigUri', `{{ .api_url }}/pipeline/${circleClaim('pipeline-id')}/config`],
    [
      'runInvocationUri',
      `{{ .platform_url }}/workflow/${circleClaim('workflow-id')}/job/${circleClaim('job-id')}`,
    ],
  ],
};

/** Named as in others' configurations. */
export const builtInProviders: ReadonlyMap<string, CiProvider> = new Map([
  ['github-workflow', github],
  ['gitlab-pipeline', gitlab],
  ['buildkite-job', buildkite],
  ['codefresh-workflow', codefresh],
  ['circleci-job', circleci],
]);

/** Claims that only tokens of that system have. */
const marks: Readonly<Record<string, readonly string[]>> = {
  'github-workflow': ['job_workflow_ref', 'repository'],
  'gitlab-pipeline': ['ci_config_ref_uri', 'project_path'],
  'buildkite-job': ['organization_slug', 'pipeline_slug'],
  'codefresh-workflow': ['account_id', 'pipeline_id', 'workflow_id'],
  'circleci-job': ['oidc.circleci.com/project-id'],
};

/** The built-in provider whose tokens have such claims, by its name; undefined when none does. */
export const providerOfClaims = (claims: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(marks).find((name) => marks[name]?.every((claim) => Object.hasOwn(claims, claim)) === true);
