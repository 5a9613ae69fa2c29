/** What the doctor says, and what a rule sees. */
import type { LineEdit } from './diff.ts';
import type { Job, Step, Workflow } from './model.ts';
import type { Position, Spot } from './spot.ts';

export interface WorkflowFinding {
  /** Stable: `WFD001`… */
  readonly code: string;
  /** `level`: keeps the workflow from level 3. `advice`: worth doing, changes no level. */
  readonly effect: 'level' | 'advice';
  readonly position: Position;
  /** What stands there and why it is wrong. */
  readonly message: string;
  /** What to write instead. */
  readonly fix: string;
  /** The fix as edits of lines, where it needs no knowledge from outside of the file. */
  readonly edits: readonly LineEdit[];
}

export interface Hit {
  readonly at: Spot;
  readonly message: string;
  readonly fix?: string;
  readonly effect?: WorkflowFinding['effect'];
  readonly edits?: readonly LineEdit[];
}

/** Everything a rule may ask beyond the file it looks at. */
export interface Surroundings {
  /** Whether a reusable workflow is a trusted builder: provenance it signs is not signed by its caller. */
  isBuilder(job: Job): boolean;
  /** Whether a job of it makes provenance, or calls a workflow that does. */
  isRelease(workflow: Workflow): boolean;
  /** Jobs that make what the provenance of this workflow is about. */
  buildersIn(workflow: Workflow): readonly Job[];
  /** The steps of a job, those of local composite actions in their place. */
  stepsOf(workflow: Workflow, job: Job): readonly Step[];
}

export interface WorkflowRule {
  readonly code: string;
  readonly effect: WorkflowFinding['effect'];
  /** One line for the catalogue of rules. */
  readonly title: string;
  readonly fix: string;
  readonly look: (workflow: Workflow, around: Surroundings) => readonly Hit[];
}
