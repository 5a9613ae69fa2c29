/** A workflow or a composite action as the rules see it. */
import { fail } from '#base/reason';
import { type ActionRef, parseActionRef } from './action-ref.ts';
import { R } from './reasons.ts';
import { type Field, positionText, readSpot, type Spot } from './spot.ts';

export interface WorkflowFile {
  /** Path for messages; local actions and workflows are found by it. */
  readonly file: string;
  readonly text: string;
}

export interface Uses {
  readonly at: Spot;
  readonly text: string;
  readonly ref: ActionRef;
}

export interface Step {
  readonly at: Spot;
  readonly uses?: Uses;
  readonly run?: Spot;
  readonly with: Spot | undefined;
}

export interface Permissions {
  readonly field: Field;
  /** `write-all` and its like; undefined for a map. */
  readonly word?: string;
  readonly grants: readonly Field[];
}

export interface Job {
  readonly id: string;
  readonly field: Field;
  readonly uses?: Uses;
  readonly steps: readonly Step[];
  readonly needs: readonly string[];
  readonly permissions?: Permissions;
}

export interface Workflow {
  readonly file: string;
  readonly text: string;
  readonly root: Spot;
  /** A composite action has steps of its own and no jobs. */
  readonly kind: 'workflow' | 'action';
  /** Without `on`: a part of a workflow, as documentation shows them; rules over the whole do not apply. */
  readonly isFragment: boolean;
  /** Events by name. */
  readonly on: readonly Field[];
  readonly permissions?: Permissions;
  readonly jobs: readonly Job[];
  /** Of a composite action. */
  readonly steps: readonly Step[];
}

const STEPS_MAX = 10_000;

/** Reads one file. Throws WB-770 or WB-771 with the position. */
export function readWorkflow({ file, text }: WorkflowFile): Workflow {
  const root = readSpot(text, file);
  if (!root.isMap) throw root.refusal('a workflow or an action: a map');
  const runs = root.get('runs');
  const jobs = root.get('jobs');
  const kind = runs === undefined ? 'workflow' : 'action';
  if (kind === 'workflow' && jobs === undefined && root.get('permissions') === undefined) {
    throw fail(R.workflow, {
      expected: 'jobs of a workflow, or runs of an action',
      actual: `${positionText(root.position)}: ${root.fields.map(({ name }) => name).join(', ')}`,
    });
  }
  if (jobs !== undefined && !jobs.isMap) throw jobs.refusal('a map of jobs');
  const read = (jobs?.fields ?? []).filter(({ value }) => !isOff(value)).map(readJob);
  // Aliases may multiply what is written once.
  if (read.reduce((sum, { steps }) => sum + steps.length, 0) > STEPS_MAX) {
    throw fail(R.workflow, { expected: `at most ${STEPS_MAX} steps`, actual: `${file}: more` });
  }
  const permissions = readPermissions(root);
  return {
    file,
    text,
    root,
    kind,
    isFragment: kind === 'workflow' && root.get('on') === undefined,
    on: eventsOf(root.field('on')),
    ...(permissions === undefined ? {} : { permissions }),
    jobs: read,
    steps: readSteps(runs?.get('steps')),
  };
}

/** `on` as a word, a list or a map, always as fields. */
function eventsOf(on: Field | undefined): readonly Field[] {
  if (on === undefined) return [];
  if (on.value.isMap) return on.value.fields;
  const words = on.value.isList ? on.value.items : [on.value];
  return words.flatMap((word) =>
    word.text === undefined ? [] : [{ name: word.text, key: word, value: word }],
  );
}

/** `if: false` stands for "not now"; what can never run breaks nothing. */
const isOff = (value: Spot): boolean =>
  /^(?:\$\{\{\s*false\s*\}\}|false)$/.test(value.get('if')?.text?.trim() ?? '');

function readJob(field: Field): Job {
  const { value } = field;
  if (!value.isMap) throw value.refusal(`a map for the job ${field.name}`);
  const uses = readUses(value);
  const permissions = readPermissions(value);
  return {
    id: field.name,
    field,
    ...(uses === undefined ? {} : { uses }),
    steps: readSteps(value.get('steps')),
    needs: value.get('needs')?.texts ?? [],
    ...(permissions === undefined ? {} : { permissions }),
  };
}

function readSteps(steps: Spot | undefined): Step[] {
  if (steps === undefined) return [];
  if (!steps.isList) throw steps.refusal('a list of steps');
  return steps.items.filter((step) => !isOff(step)).map(readStep);
}

function readStep(at: Spot): Step {
  if (!at.isMap) throw at.refusal('a map for a step');
  const uses = readUses(at);
  const run = at.get('run');
  return {
    at,
    ...(uses === undefined ? {} : { uses }),
    ...(run === undefined ? {} : { run }),
    with: at.get('with'),
  };
}

function readUses(owner: Spot): Uses | undefined {
  const at = owner.get('uses');
  if (at === undefined) return undefined;
  const { text } = at;
  if (text === undefined) throw at.refusal('the name of an action or a workflow');
  return { at, text, ref: parseActionRef(text) };
}

function readPermissions(owner: Spot): Permissions | undefined {
  const field = owner.field('permissions');
  if (field === undefined) return undefined;
  const { value } = field;
  if (value.isEmpty) return { field, grants: [] };
  if (value.isMap) return { field, grants: value.fields };
  const word = value.text;
  if (word !== 'read-all' && word !== 'write-all')
    throw value.refusal('read-all, write-all or a map of permissions');
  return { field, word, grants: [] };
}

/** The level of one permission, as far as it is stated here. */
export function granted(permissions: Permissions | undefined, name: string): string | undefined {
  if (permissions === undefined) return undefined;
  if (permissions.word === 'write-all') return 'write';
  return permissions.grants.find((one) => one.name === name)?.value.text;
}

/** Whether the job can mint an identity token: its own word counts, else the workflow's. */
export const canMint = (workflow: Workflow, job: Job): boolean =>
  granted(job.permissions ?? workflow.permissions, 'id-token') === 'write';
