/**
 * `waybill stack workflow`: the environment a job of GitHub Actions would have, so that whatever signs in it finds
 * its identity token by itself, as in CI.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

interface Flags {
  readonly stack?: string;
  readonly sha: string;
  readonly event?: string;
  readonly jobWorkflowRef?: string;
}

/** As long as a job may run. */
const JOB_SECONDS = 6 * 3600;

export function registerWorkflow(stack: Command, context: CliContext): void {
  stack
    .command('workflow')
    .description('print the environment of a workflow run, for eval: signing then finds its token by itself')
    .argument('<workflow>', 'owner/name@refs/heads/BRANCH or owner/name@refs/tags/TAG')
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .option('--sha <commit>', 'commit the workflow runs on', '0'.repeat(40))
    .option('--event <name>', 'event that started it (default: push, for tags release)')
    .option('--job-workflow-ref <ref>', 'the reusable workflow that runs: owner/name/PATH@REF')
    .action((given: string, flags: Flags) => workflow(given, flags, context));
}

async function workflow(given: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ fetchDevelopmentToken, requireState, stackTransport }, { ACTIONS_AUDIENCE }] = await Promise.all([
    import('#stack'),
    import('#services/oidc'),
  ]);
  const run = { ...workflowOf(given), sha: flags.sha };
  const dataDir = stackFolder(flags, context);
  const state = await requireState(dataDir);
  const { origins } = state;
  const request = {
    github: {
      ...run,
      ...(flags.event === undefined ? {} : { event: flags.event }),
      ...(flags.jobWorkflowRef === undefined ? {} : { jobWorkflowRef: flags.jobWorkflowRef }),
    },
    aud: ACTIONS_AUDIENCE,
    expiresIn: JOB_SECONDS,
  };
  const transport = stackTransport(dataDir, state, context.transport);
  const token = await fetchDevelopmentToken(origins, request, transport);
  const variables = {
    GITHUB_ACTIONS: 'true',
    GITHUB_REPOSITORY: run.repository,
    GITHUB_REF: run.ref,
    GITHUB_SHA: run.sha,
    ACTIONS_ID_TOKEN_REQUEST_URL: `${origins.oidc}/actions/token`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: token.reveal(),
  };
  context.result('waybill.dev/stack-workflow/v1', { variables }, () =>
    Object.entries(variables)
      .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`)
      .join('\n'),
  );
}

function stackFolder({ stack }: Flags, { env, cwd }: CliContext): string {
  const folder = stack ?? env['WAYBILL_STACK'];
  if (folder !== undefined) return resolve(cwd, folder);
  throw fail(R.optionValue, { expected: '--stack DIR or WAYBILL_STACK', actual: 'neither' });
}

/** `owner/name@refs/…`. Throws WB-1305. */
export function workflowOf(text: string): { readonly repository: string; readonly ref: string } {
  const at = text.indexOf('@');
  const repository = text.slice(0, Math.max(at, 0));
  const ref = text.slice(at + 1);
  if (/^[\w.-]+\/[\w.-]+$/.test(repository) && /^refs\/[\w./-]+$/.test(ref)) return { repository, ref };
  throw fail(R.optionValue, { expected: 'owner/name@refs/heads/BRANCH or …/tags/TAG', actual: text });
}
