/** Ways into the build for strangers, for earlier runs, and for whoever else uses the machine. */
import type { Hit, WorkflowRule } from './finding.ts';
import { cacheOf, checksOut, strangersRef, strangersText } from './known.ts';
import type { Job, Workflow } from './model.ts';

const strangersEvents: ReadonlySet<string> = new Set(['pull_request_target', 'workflow_run']);

const strangers: WorkflowRule = {
  code: 'WFD030',
  effect: 'level',
  title: 'No workflow with permissions of the repository checks out what a stranger wrote.',
  fix: 'use pull_request, which runs without secrets and with a token that only reads',
  look: (workflow) => {
    const event = workflow.on.find(({ name }) => strangersEvents.has(name));
    if (event === undefined) return [];
    const checkouts = workflow.jobs.flatMap((job) => job.steps.filter(takesStrangers));
    if (checkouts.length === 0) {
      const message = `${event.name} runs with the permissions of the repository for whoever opens a pull request`;
      return [{ at: event.key, message, effect: 'advice' }];
    }
    return checkouts.map(({ at }) => ({
      at,
      message: `under ${event.name} this checks out what a stranger wrote`,
    }));
  },
};

function takesStrangers(step: Workflow['steps'][number]): boolean {
  if (strangersRef.test(step.run?.text ?? ''))
    return /\bgit\s+(?:checkout|fetch|pull|switch)\b/.test(step.run?.text ?? '');
  const inputs = [step.with?.get('ref')?.text, step.with?.get('repository')?.text];
  return checksOut(step) && inputs.some((text) => strangersRef.test(text ?? ''));
}

const cache: WorkflowRule = {
  code: 'WFD031',
  effect: 'level',
  title: 'The build that is released takes nothing from a cache of other runs.',
  fix: 'leave the cache out of the release build: the same inputs must give the same image without it',
  look: (workflow, around) =>
    around.buildersIn(workflow).flatMap((job) =>
      around.stepsOf(workflow, job).flatMap((step): Hit[] => {
        const from = cacheOf(step);
        if (from === undefined) return [];
        return [{ at: step.at, message: `${from}: another run can put its files into this build` }];
      }),
    ),
};

const machine: WorkflowRule = {
  code: 'WFD032',
  effect: 'level',
  title: 'The build that is released runs on a machine of GitHub.',
  fix: 'build on a hosted runner: nothing here shows that your own is new for each build',
  look: (workflow, around) =>
    around.buildersIn(workflow).flatMap((job): Hit[] => {
      const at = job.field.value.get('runs-on');
      if (at === undefined) return [];
      const labels = at.isMap ? (at.get('labels')?.texts ?? []) : at.texts;
      if (labels.some((label) => /(?:^|-)self-hosted$/i.test(label))) {
        return [{ at, message: `the job ${job.id} builds on a machine that outlives it` }];
      }
      if (at.get('group') === undefined && labels.every(isHosted)) return [];
      const message = `whether the machine of the job ${job.id} outlives it is not in the file`;
      return [{ at, message, effect: 'advice' }];
    }),
};

/** Labels of GitHub's own machines; an expression chooses among labels that are not judged here. */
const isHosted = (label: string): boolean => /^(?:ubuntu|windows|macos)-|\$\{\{/.test(label);

const secrets: WorkflowRule = {
  code: 'WFD033',
  effect: 'advice',
  title: 'Secrets reach only the step or the workflow that needs them.',
  fix: 'name the secrets that are needed, where they are needed',
  look: ({ root, jobs }) => [
    ...jobs.flatMap((job) => inherited(job)),
    ...(root.get('env')?.fields ?? [])
      .filter(({ value }) => /\bsecrets\./.test(value.text ?? ''))
      .map(({ name, key }) => ({ at: key, message: `${name} puts a secret into every step of every job` })),
  ],
};

function inherited(job: Job): Hit[] {
  const at = job.field.value.get('secrets');
  if (at?.text !== 'inherit' || job.uses?.ref.kind !== 'repository') return [];
  return [{ at, message: `${job.uses.text} gets every secret of this repository` }];
}

const injection: WorkflowRule = {
  code: 'WFD034',
  effect: 'level',
  title: 'Text that strangers choose does not become a command.',
  fix: 'put it into env and use the variable, in quotes',
  look: ({ jobs, steps }) =>
    [...steps, ...jobs.flatMap((job) => job.steps)].flatMap(({ run }): Hit[] => {
      const found = strangersText.exec(run?.text ?? '');
      if (run === undefined || found === null) return [];
      return [{ at: run, message: `${found[0]} … }} is put into the command as it is` }];
    }),
};

const triggers: WorkflowRule = {
  code: 'WFD040',
  effect: 'advice',
  title: 'Releases are started by tags alone.',
  fix: 'verify with the tag you expect (--source-tag, or refs/tags/* in the policy), or drop the other triggers',
  look: (workflow, around) => {
    if (!around.isRelease(workflow)) return [];
    return workflow.on
      .filter((event) => !isTagEvent(event))
      .map(({ name, key }) => ({
        at: key,
        message: `${name} also leads to provenance, from any branch it allows`,
      }));
  },
};

/** `push` of tags only, a release, or a call by another workflow (which is judged where it starts). */
function isTagEvent({ name, value }: Workflow['on'][number]): boolean {
  if (name === 'release' || name === 'workflow_call') return true;
  return name === 'push' && value.get('tags') !== undefined && value.get('branches') === undefined;
}

export const dangerRules: readonly WorkflowRule[] = [strangers, cache, machine, secrets, injection, triggers];
