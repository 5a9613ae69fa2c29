/** Who may do what: stated, small, and the identity token only in the job that needs it. */
import type { LineEdit } from './diff.ts';
import type { Hit, Surroundings, WorkflowRule } from './finding.ts';
import { codeSteps, makesProvenance, mayUseToken, usesToken } from './known.ts';
import { canMint, granted, type Job, type Permissions, type Workflow } from './model.ts';
import type { Field } from './spot.ts';

const stated: WorkflowRule = {
  code: 'WFD020',
  effect: 'level',
  title: 'Permissions are stated, for the workflow or for each job.',
  fix: 'state permissions: contents: read for the workflow, and more only in the jobs that need it',
  look: (workflow) => {
    const { isFragment, permissions, jobs, root } = workflow;
    const first = jobs.find((job) => job.permissions === undefined);
    if (isFragment || permissions !== undefined || first === undefined) return [];
    const key = root.field('jobs')?.key;
    if (key === undefined) return [];
    const insert = ['permissions:', '  contents: read', ''];
    return [
      {
        at: first.field.key,
        message: `what the job ${first.id} may do is decided by a setting outside of the file: up to writing contents, tags and packages`,
        edits: root.isBlock ? [{ line: key.position.line, remove: 0, insert }] : [],
      },
    ];
  },
};

const everything: WorkflowRule = {
  code: 'WFD021',
  effect: 'level',
  title: 'Nothing is given every permission.',
  fix: 'name the permissions that are needed; contents: read is a start',
  look: ({ permissions, jobs }) =>
    [permissions, ...jobs.map((job) => job.permissions)].flatMap((one) => {
      if (one?.word !== 'write-all') return [];
      const { key, value } = one.field;
      const indent = ' '.repeat(key.position.column - 1);
      const insert = [`${indent}permissions:`, `${indent}  contents: read`];
      const edits = isOwnLine(one.field) ? [{ line: key.position.line, remove: 1, insert }] : [];
      return [{ at: value, message: 'write-all: tags, packages, and the identity token with them', edits }];
    }),
};

const isOwnLine = ({ key, value }: Field): boolean =>
  key.position.line === value.position.line && value.lastLine === value.position.line && !value.isAlias;

const wholeWorkflow: WorkflowRule = {
  code: 'WFD022',
  effect: 'level',
  title: 'id-token: write is given to jobs, not to the workflow.',
  fix: 'move id-token: write into the job that signs',
  look: (workflow, around) => {
    const { permissions } = workflow;
    const grant = permissions?.grants.find(({ name }) => name === 'id-token');
    if (permissions === undefined || grant?.value.text !== 'write') return [];
    const message =
      'every job of the workflow can mint an identity token, the ones that run foreign code too';
    return [{ at: grant.key, message, edits: moveEdits(workflow, permissions, grant, around) }];
  },
};

/** Takes the line away, and writes out the permissions of the jobs that lose what they need. */
function moveEdits(
  workflow: Workflow,
  permissions: Permissions,
  grant: Field,
  around: Surroundings,
): readonly LineEdit[] {
  const remove = removalOf(permissions, grant);
  if (remove === undefined || workflow.jobs.length === 0) return [];
  const losing = workflow.jobs.filter(
    (job) => job.permissions === undefined && mayNeed(workflow, job, around),
  );
  const inserts = losing.map(({ field: { value } }): LineEdit | undefined => {
    const first = value.fields[0];
    if (first === undefined || !value.isBlock) return undefined;
    const { line, column } = first.key.position;
    const indent = ' '.repeat(column - 1);
    const grants = permissions.grants.map(
      ({ name, value: level }) => `${indent}  ${name}: ${level.text ?? ''}`,
    );
    return { line, remove: 0, insert: [`${indent}permissions:`, ...grants] };
  });
  // All or nothing: half of the move would take the token from a job that needs it.
  return inserts.some((edit) => edit === undefined)
    ? []
    : [...remove, ...inserts.flatMap((edit) => edit ?? [])];
}

/** The edits that take one grant away; undefined where lines cannot be edited. */
function removalOf({ field, grants }: Permissions, grant: Field): readonly LineEdit[] | undefined {
  const { key, value } = field;
  const { line } = grant.key.position;
  const isFree = grants.every((one) => one === grant || one.key.position.line !== line);
  if (!value.isBlock || !isFree || line === key.position.line) return undefined;
  const indent = ' '.repeat(key.position.column - 1);
  const removal: LineEdit = { line, remove: 1, insert: [] };
  if (grants.length > 1) return [removal];
  return [{ line: key.position.line, remove: 1, insert: [`${indent}permissions: {}`] }, removal];
}

/** A called workflow may need the token; of steps it is known where all of them are known. */
const mayNeed = (workflow: Workflow, job: Job, around: Surroundings): boolean =>
  job.uses !== undefined || around.stepsOf(workflow, job).some(mayUseToken);

const unused: WorkflowRule = {
  code: 'WFD023',
  effect: 'level',
  title: 'id-token: write is given only to jobs that use an identity token.',
  fix: 'take id-token: write away from this job',
  look: (workflow, around) =>
    workflow.jobs.flatMap((job) => {
      const grant = job.permissions?.grants.find(({ name }) => name === 'id-token');
      if (job.permissions === undefined || grant?.value.text !== 'write' || mayNeed(workflow, job, around))
        return [];
      const message = `nothing in the job ${job.id} uses an identity token`;
      return [{ at: grant.key, message, edits: removalOf(job.permissions, grant) ?? [] }];
    }),
};

const besideCode: WorkflowRule = {
  code: 'WFD024',
  effect: 'level',
  title: 'No job that runs code of the repository can mint an identity token.',
  fix: 'sign in a job of its own: hand it the digest as an output, and check nothing out there',
  look: (workflow, around) =>
    workflow.jobs.flatMap((job): Hit[] => {
      const steps = around.stepsOf(workflow, job);
      if (!canMint(workflow, job) || !mayNeed(workflow, job, around)) return [];
      // Said better by the rule about provenance in the job that builds; inherited grants by the one about those.
      if (steps.some(makesProvenance) || (job.permissions === undefined && !steps.some(usesToken))) return [];
      const [first] = codeSteps(steps);
      if (first === undefined) return [];
      const message = `the job ${job.id} runs code of the repository and can mint an identity token: that code can sign anything as this workflow`;
      return [{ at: job.field.key, message }];
    }),
};

/** What the container generator asks for; without it the call fails. */
export const generatorNeeds: Readonly<Record<string, string>> = {
  actions: 'read',
  'id-token': 'write',
  packages: 'write',
};

/** The permissions of a call of the generator that are missing, with the edit that adds them. */
export function missingGrants(
  workflow: Workflow,
  job: Job,
  needs: Readonly<Record<string, string>>,
): { readonly names: readonly string[]; readonly edits: readonly LineEdit[] } {
  const own = job.permissions ?? workflow.permissions;
  const names = Object.entries(needs)
    .filter(([name, level]) => {
      const has = granted(own, name);
      return has !== level && has !== 'write';
    })
    .map(([name]) => name);
  return { names, edits: grantEdits(job, names, needs) };
}

function grantEdits(job: Job, names: readonly string[], needs: Readonly<Record<string, string>>): LineEdit[] {
  const { value } = job.field;
  const first = job.permissions === undefined ? value.fields[0] : job.permissions.grants[0];
  const holder = job.permissions === undefined ? value : job.permissions.field.value;
  if (names.length === 0 || first === undefined || !holder.isBlock) return [];
  // A level that is there but too low has to be changed by hand.
  if (job.permissions?.grants.some(({ name }) => names.includes(name)) === true) return [];
  const { line, column } = first.key.position;
  const indent = ' '.repeat(column - 1);
  if (job.permissions !== undefined) {
    return [{ line, remove: 0, insert: names.map((name) => `${indent}${name}: ${needs[name]}`) }];
  }
  const all = Object.entries(needs).map(([name, level]) => `${indent}  ${name}: ${level}`);
  return [{ line, remove: 0, insert: [`${indent}permissions:`, ...all] }];
}

export const permissionRules: readonly WorkflowRule[] = [
  stated,
  everything,
  wholeWorkflow,
  unused,
  besideCode,
];
