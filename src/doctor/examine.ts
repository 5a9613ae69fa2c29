/**
 * The examination: files of GitHub Actions → findings, what cannot be known from files, and a verdict that never
 * says more than the files show.
 */
import { attempt, type Result } from '#base/result';
import { dangerRules } from './danger-rules.ts';
import { unifiedDiff } from './diff.ts';
import type { Surroundings, WorkflowFinding, WorkflowRule } from './finding.ts';
import { readWorkflow, type Workflow, type WorkflowFile } from './model.ts';
import { permissionRules } from './permission-rules.ts';
import { pinRules } from './pin-rules.ts';
import { provenanceRules } from './provenance-rules.ts';
import { type Position, positionText } from './spot.ts';
import { surroundingsOf, unseenJobs } from './surroundings.ts';

export const workflowRules: readonly WorkflowRule[] = [
  ...pinRules,
  ...provenanceRules,
  ...permissionRules,
  ...dangerRules,
].sort((a, b) => (a.code < b.code ? -1 : 1));

export interface WorkflowVerdict {
  /**
   * `L3-ready`: nothing in the files keeps the provenance from SLSA Build level 3. `L2`: something does.
   * `none`: the files make no provenance at all.
   */
  readonly level: 'L3-ready' | 'L2' | 'none';
  /** Empty for `L3-ready`. */
  readonly because: readonly string[];
}

/** Something the level depends on that no file says. */
export interface OpenQuestion {
  readonly code: string;
  readonly position: Position;
  readonly message: string;
}

export interface Diagnosis {
  readonly verdict: WorkflowVerdict;
  /** By file, line and column. */
  readonly findings: readonly WorkflowFinding[];
  readonly open: readonly OpenQuestion[];
  /** Every mechanical fix of every file as one unified diff; '' when there is none. */
  readonly diff: string;
}

export interface ExamineOptions {
  /** Reusable workflows trusted to make provenance, `owner/name/.github/workflows/file.yml`. */
  readonly builders?: readonly string[];
}

/** Examines the files as one repository. Fails with WB-770 or WB-771 for the first that cannot be read. */
export function examineWorkflows(
  files: readonly WorkflowFile[],
  options: ExamineOptions = {},
): Result<Diagnosis> {
  return attempt(() => {
    const workflows = files.map(readWorkflow);
    const around = surroundingsOf(workflows, options.builders ?? []);
    const found = workflows.map((workflow) => ({ workflow, findings: findingsIn(workflow, around) }));
    const findings = found.flatMap((one) => one.findings);
    const open = workflows.flatMap((workflow) => openQuestions(workflow, around));
    return {
      verdict: verdictOf(workflows, findings, around),
      findings,
      open,
      diff: found
        .map(({ workflow: { file, text }, findings: list }) =>
          unifiedDiff(
            file,
            text,
            list.flatMap(({ edits }) => edits),
          ),
        )
        .join(''),
    };
  });
}

function findingsIn(workflow: Workflow, around: Surroundings): readonly WorkflowFinding[] {
  const found = new Map<string, WorkflowFinding>();
  for (const rule of workflowRules) {
    for (const hit of rule.look(workflow, around)) {
      const finding: WorkflowFinding = {
        code: rule.code,
        effect: hit.effect ?? rule.effect,
        position: hit.at.position,
        message: hit.message,
        fix: hit.fix ?? rule.fix,
        edits: hit.edits ?? [],
      };
      // An alias shows the same place again.
      found.set(`${positionText(finding.position)} ${finding.code} ${finding.message}`, finding);
    }
  }
  return [...found.values()].sort(
    (a, b) =>
      a.position.line - b.position.line ||
      a.position.column - b.position.column ||
      (a.code < b.code ? -1 : 1),
  );
}

function verdictOf(
  workflows: readonly Workflow[],
  findings: readonly WorkflowFinding[],
  around: Surroundings,
): WorkflowVerdict {
  const because = reasonsOf(findings);
  const releases = workflows.filter((workflow) => around.isRelease(workflow));
  if (releases.length === 0) {
    return { level: 'none', because: ['no job in these files makes provenance', ...because] };
  }
  for (const workflow of releases) {
    for (const job of workflow.jobs.filter((one) => around.isBuilder(one))) {
      const unseen = unseenJobs(workflow, job);
      if (unseen.length > 0) {
        because.push(`the job ${unseen.join(', ')}, which ${job.id} speaks for, is not in ${workflow.file}`);
      }
    }
  }
  return because.length === 0 ? { level: 'L3-ready', because } : { level: 'L2', because };
}

/** One line for each rule that was broken, with its first place. */
function reasonsOf(findings: readonly WorkflowFinding[]): string[] {
  const groups = Map.groupBy(
    findings.filter(({ effect }) => effect === 'level'),
    ({ code }) => code,
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, [first, ...more]]) => {
      const places = more.length === 0 ? '' : ` (and ${more.length} more)`;
      return first === undefined
        ? code
        : `${code} ${positionText(first.position)}: ${first.message}${places}`;
    });
}

/** Who may push the tags that start a release is a setting of the repository. */
function openQuestions(workflow: Workflow, around: Surroundings): OpenQuestion[] {
  if (!around.isRelease(workflow)) return [];
  const at = workflow.on[0]?.key ?? workflow.root;
  const push = workflow.on.find(({ name }) => name === 'push');
  const patterns = push?.value.get('tags')?.texts ?? [];
  const tags = patterns.length === 0 ? 'the tags of this repository' : `tags like ${patterns.join(', ')}`;
  return [
    {
      code: 'WFD041',
      position: at.position,
      message: `who may create, move and delete ${tags} is not in the file: restrict all three in a tag ruleset`,
    },
  ];
}
