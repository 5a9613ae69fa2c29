/** Rules over CI workflows: is the provenance they make worth SLSA Build level 3? Pure. */
export { applyEdits, type LineEdit, unifiedDiff } from './diff.ts';
export {
  type Diagnosis,
  type ExamineOptions,
  examineWorkflows,
  type OpenQuestion,
  type WorkflowVerdict,
  workflowRules,
} from './examine.ts';
export type { WorkflowFinding, WorkflowRule } from './finding.ts';
export type { WorkflowFile } from './model.ts';
export { R as doctorReasons } from './reasons.ts';
export { positionText as workflowPositionText } from './spot.ts';
