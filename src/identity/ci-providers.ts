/** CI systems that issue identity tokens to their jobs, each as its documentation has it. */
import { utf8 } from '#base/bytes';
import { run } from '#platform/process';
import { readClaims } from './claims.ts';
import { askFor, type Provider, type ProviderQuestion, refusal, tokenFrom } from './provider.ts';

/** Adds a parameter to a URL of the surroundings. */
function withParameter(provider: Provider, url: string, name: string, value: string): string {
  const target = URL.parse(url);
  if (target === null) throw refusal(provider, 'a URL to ask for a token', JSON.stringify(url));
  target.searchParams.set(name, value);
  return target.href;
}

/** The runner exchanges its request token for an identity token. Forgejo and Gitea do the same. */
export const githubActions: Provider = {
  name: 'github-actions',
  label: 'GitHub Actions',
  setting: 'give the job permissions: id-token: write; pull requests from forks never get a token',
  find: async (question) => {
    const { env, audience } = question;
    const url = env['ACTIONS_ID_TOKEN_REQUEST_URL'];
    const bearer = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
    if (!url || !bearer) {
      if (env['GITHUB_ACTIONS'] !== 'true') return undefined;
      throw refusal(
        githubActions,
        'ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN',
        'a job without permissions: id-token: write',
      );
    }
    const headers = { authorization: `bearer ${bearer}`, accept: 'application/json' };
    const target = withParameter(githubActions, url, 'audience', audience);
    return askFor(githubActions, question, { url: target, headers }, 'value');
  },
};

/** A job declares the tokens it wants; they are in its environment. */
export const gitlab: Provider = {
  name: 'gitlab',
  label: 'GitLab CI',
  setting:
    'declare in the job: id_tokens: SIGSTORE_ID_TOKEN: aud: <the audience of the certificate authority>',
  find: async ({ env, audience }) => {
    if (env['GITLAB_CI'] !== 'true') return undefined;
    const named = `${audience.replace(/[^A-Za-z0-9]/g, '_').toUpperCase()}_ID_TOKEN`;
    const token = env['SIGSTORE_ID_TOKEN'] || env[named];
    if (token) return tokenFrom(gitlab, token);
    const names = [...new Set(['SIGSTORE_ID_TOKEN', named])].join(' or ');
    throw refusal(gitlab, names, 'a job without id_tokens');
  },
};

/** The agent's API issues a token for the running job. */
export const buildkite: Provider = {
  name: 'buildkite-agent',
  label: 'Buildkite',
  setting: 'run in a job of an agent of version 3.39 or later, with its BUILDKITE_ variables',
  find: async (question) => {
    const { env, audience } = question;
    const { BUILDKITE_AGENT_ACCESS_TOKEN: access, BUILDKITE_JOB_ID: job } = env;
    if (!access) return undefined;
    if (!job) throw refusal(buildkite, 'BUILDKITE_JOB_ID', 'none');
    const base = env['BUILDKITE_AGENT_ENDPOINT'] ?? 'https://agent.buildkite.com/v3';
    return askFor(
      buildkite,
      question,
      {
        url: `${base.replace(/\/+$/, '')}/jobs/${encodeURIComponent(job)}/oidc/tokens`,
        method: 'POST',
        headers: { authorization: `Token ${access}`, 'content-type': 'application/json' },
        body: utf8(JSON.stringify({ audience })),
      },
      'token',
    );
  },
};

/** The tokens in the environment have the organisation as audience; the job's own program issues others. */
export const circleci: Provider = {
  name: 'circleci',
  label: 'CircleCI',
  setting:
    'run in a job with the circleci program on the PATH, which issues tokens with an audience of choice: circleci run oidc get',
  find: async ({ env, audience, timeoutMs }) => {
    if (env['CIRCLECI'] !== 'true') return undefined;
    for (const given of [env['CIRCLE_OIDC_TOKEN_V2'], env['CIRCLE_OIDC_TOKEN']]) {
      const token = given ? tokenFrom(circleci, given) : undefined;
      if (token !== undefined && readClaims(token).audience.includes(audience)) return token;
    }
    const claims = JSON.stringify({ aud: audience });
    const done = await run('circleci', ['run', 'oidc', 'get', '--claims', claims], {
      env,
      timeoutMs,
    });
    if (done.code === 0) return tokenFrom(circleci, done.stdout);
    const actual = done.timedOut
      ? `no answer within ${timeoutMs / 1000} s`
      : (done.stderr.trim().split('\n')[0] ?? '');
    throw refusal(circleci, 'a token from circleci run oidc get', actual);
  },
};

/** The request URL of a build answers with a token for any audience. */
export const codefresh: Provider = {
  name: 'codefresh',
  label: 'Codefresh',
  setting: 'run in a pipeline step with CF_OIDC_REQUEST_URL and CF_OIDC_REQUEST_TOKEN',
  find: async (question) => {
    const {
      CF_OIDC_REQUEST_URL: url,
      CF_OIDC_REQUEST_TOKEN: authorization,
      CF_BUILD_ID: build,
    } = question.env;
    if (!url || !authorization) {
      if (!build) return undefined;
      throw refusal(codefresh, 'CF_OIDC_REQUEST_URL and _TOKEN', 'a step without them');
    }
    const target = withParameter(codefresh, url, 'audience', question.audience);
    return askFor(codefresh, question, { url: target, headers: { authorization } }, 'id_token');
  },
};

/** The only audience of Azure Pipelines. */
const AZURE_AUDIENCE = 'api://AzureADTokenExchange';

/** The server of a pipeline issues a token for the job, with an audience of its own. */
export const azurePipelines: Provider = {
  name: 'azure-pipelines',
  label: 'Azure Pipelines',
  setting: `map SYSTEM_ACCESSTOKEN: $(System.AccessToken) into the step; the audience is always ${AZURE_AUDIENCE}, so the certificate authority and --oidc-client-id must say the same`,
  find: async (question: ProviderQuestion) => {
    const { SYSTEM_OIDCREQUESTURI: url, SYSTEM_ACCESSTOKEN: access, TF_BUILD } = question.env;
    if (!url) return undefined;
    if (!access) {
      if (!TF_BUILD) return undefined;
      throw refusal(azurePipelines, 'SYSTEM_ACCESSTOKEN', 'a step that does not map it');
    }
    return askFor(
      azurePipelines,
      question,
      {
        url: withParameter(azurePipelines, url, 'api-version', '7.1'),
        method: 'POST',
        headers: { authorization: `Bearer ${access}`, 'content-type': 'application/json' },
      },
      'oidcToken',
    );
  },
};
