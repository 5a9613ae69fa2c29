/** What the rules may know beyond one file: who is trusted to make provenance, and which jobs it is about. */
import { isGenerator } from './action-ref.ts';
import type { Surroundings } from './finding.ts';
import { makesProvenance } from './known.ts';
import type { Job, Step, Workflow } from './model.ts';

/** Depth to which local actions and workflows are followed; GitHub stops at about as many. */
const NESTING_MAX = 5;

/** `builders`: reusable workflows trusted beside the SLSA generator, `owner/name/path`. */
export function surroundingsOf(workflows: readonly Workflow[], builders: readonly string[]): Surroundings {
  const byPath = new Map(workflows.map((workflow) => [plainPath(workflow.file), workflow]));
  const trusted = new Set(builders.map((name) => name.toLowerCase()));

  const isBuilder = ({ uses }: Job): boolean => {
    if (uses === undefined || uses.ref.kind !== 'repository') return false;
    const { repository, path } = uses.ref;
    return (isGenerator(uses.ref) && path !== '') || trusted.has(`${repository}/${path}`.toLowerCase());
  };
  const expand = (from: Workflow, steps: readonly Step[], depth: number): readonly Step[] =>
    steps.flatMap((step) => {
      if (step.uses?.ref.kind !== 'local' || depth === NESTING_MAX) return [step];
      const place = pathFrom(from.file, step.uses.ref.path);
      const action = byPath.get(`${place}/action.yml`) ?? byPath.get(`${place}/action.yaml`);
      return action === undefined ? [step] : expand(action, action.steps, depth + 1);
    });
  const stepsOf = (workflow: Workflow, job: Job): readonly Step[] => expand(workflow, job.steps, 0);
  const calledBy = (workflow: Workflow, job: Job): Workflow | undefined =>
    job.uses?.ref.kind === 'local' ? byPath.get(pathFrom(workflow.file, job.uses.ref.path)) : undefined;
  const isMaker = (workflow: Workflow, job: Job): boolean =>
    isBuilder(job) || stepsOf(workflow, job).some(makesProvenance);

  const leadsToProvenance = (workflow: Workflow, depth: number): boolean =>
    workflow.jobs.some((job) => {
      if (isMaker(workflow, job)) return true;
      const called = calledBy(workflow, job);
      return called !== undefined && depth < NESTING_MAX && leadsToProvenance(called, depth + 1);
    });

  const building = new Map<Workflow, Set<Job>>();
  const addBuilder = (workflow: Workflow, job: Job, depth: number): void => {
    const called = calledBy(workflow, job);
    if (called !== undefined && depth < NESTING_MAX) {
      for (const inner of called.jobs) addBuilder(called, inner, depth + 1);
      return;
    }
    building.set(workflow, (building.get(workflow) ?? new Set()).add(job));
  };
  for (const workflow of workflows) {
    for (const maker of workflow.jobs.filter((job) => isMaker(workflow, job))) {
      for (const job of subjectsOf(workflow, maker, isBuilder(maker))) addBuilder(workflow, job, 0);
    }
  }
  return {
    isBuilder,
    stepsOf,
    isRelease: (workflow) => leadsToProvenance(workflow, 0),
    buildersIn: (workflow) => [...(building.get(workflow) ?? [])],
  };
}

/** The jobs whose outputs a maker of provenance is given; a maker that builds itself is its own. */
function subjectsOf({ jobs }: Workflow, maker: Job, isCall: boolean): readonly Job[] {
  const named = namedJobs(maker);
  const wanted = named.length > 0 ? named : maker.needs;
  const found = jobs.filter(({ id }) => wanted.includes(id));
  return isCall || found.length > 0 ? found : [maker];
}

/** Jobs whose outputs the inputs of a call or of a step name. */
function namedJobs(maker: Job): readonly string[] {
  const inputs = [maker.field.value.get('with'), ...maker.steps.map((step) => step.with)];
  const texts = inputs.flatMap((spot) => (spot?.fields ?? []).map(({ value }) => value.text ?? ''));
  return texts.flatMap((text) => [...text.matchAll(/needs\.([\w-]+)\.outputs\./g)].map(([, id]) => id ?? ''));
}

/** The jobs that a maker of provenance names and that are not in the file. */
export function unseenJobs(workflow: Workflow, maker: Job): readonly string[] {
  const ids = new Set(workflow.jobs.map(({ id }) => id));
  return [...new Set([...namedJobs(maker), ...maker.needs])].filter((id) => !ids.has(id));
}

const plainPath = (path: string): string => path.replace(/^(?:\.\/)+/, '');

/** Where `./path` in a workflow or action points: from the root of its repository. */
function pathFrom(file: string, path: string): string {
  const at = plainPath(file).lastIndexOf('.github/');
  const root = at < 0 ? '' : plainPath(file).slice(0, at);
  return `${root}${plainPath(path).replace(/\/+$/, '')}`;
}
