/**
 * The claims of a GitHub Actions identity token, as its CA mapping reads them. Everything not given is filled
 * with a plausible constant, so that a demo can name only what matters to it.
 */
export interface GithubWorkflow {
  /** `owner/name`. */
  readonly repository: string;
  /** `refs/heads/main`, `refs/tags/v1.2.3`. */
  readonly ref: string;
  /** 40 hex digits. */
  readonly sha: string;
  /** File below the repository, default `.github/workflows/release.yml`. */
  readonly workflowPath?: string;
  /** The reusable workflow that signs, when it is another: `owner/name/path@ref`. */
  readonly jobWorkflowRef?: string;
  readonly jobWorkflowSha?: string;
  readonly event?: string;
  readonly workflow?: string;
  readonly runId?: string;
  readonly runAttempt?: string;
  readonly environment?: string;
  readonly runnerEnvironment?: string;
  readonly visibility?: string;
}

export function githubClaims(run: GithubWorkflow): Record<string, string> {
  const owner = run.repository.split('/')[0] ?? '';
  const workflowRef = `${run.repository}/${run.workflowPath ?? '.github/workflows/release.yml'}@${run.ref}`;
  const refName = run.ref.replace(/^refs\/(?:heads|tags|pull)\//, '');
  return {
    sub: `repo:${run.repository}:${run.environment === undefined ? `ref:${run.ref}` : `environment:${run.environment}`}`,
    repository: run.repository,
    repository_id: '1',
    repository_owner: owner,
    repository_owner_id: '2',
    repository_visibility: run.visibility ?? 'public',
    ref: run.ref,
    ref_type: run.ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    head_ref: '',
    base_ref: '',
    ref_protected: 'false',
    sha: run.sha,
    workflow: run.workflow ?? 'Release',
    workflow_ref: workflowRef,
    workflow_sha: run.sha,
    job_workflow_ref: run.jobWorkflowRef ?? workflowRef,
    job_workflow_sha: run.jobWorkflowSha ?? run.sha,
    event_name: run.event ?? (run.ref.startsWith('refs/tags/') ? 'release' : 'push'),
    runner_environment: run.runnerEnvironment ?? 'github-hosted',
    run_id: run.runId ?? '1',
    run_number: '1',
    run_attempt: run.runAttempt ?? '1',
    actor: owner,
    actor_id: '2',
    ref_name: refName,
    ...(run.environment === undefined ? {} : { environment: run.environment }),
  };
}
