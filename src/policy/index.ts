/** Policies of several dialects in one form: read, match, evaluate, explain, lint. Pure. */

export { type CelProgram, compileCel } from './condition/cel.ts';
export type { CheckResult, CheckStatus, Decision } from './decision.ts';
export type { Json, Position } from './document.ts';
export {
  type Fields as YamlFields,
  positionText,
  readObjects,
  readYaml,
  type YamlNode,
} from './document.ts';
export {
  evaluate,
  type ImageFacts,
  type JudgedImage,
  questionsFor,
} from './evaluate.ts';
export {
  applyExceptions,
  type ExceptionUse,
  exceptionHints,
  exceptionUses,
  type LoadedException,
  useText,
} from './exception/apply.ts';
export {
  type ApprovedException,
  approveException,
  type ExceptionSignature,
  isAbout,
  isCurrent,
  revokedId,
} from './exception/approval.ts';
export { type Approver, type Approvers, parseApprovers } from './exception/approvers.ts';
export {
  EXCEPTION_USE_V1,
  EXCEPTION_V1,
  type Exception,
  exceptionStatement,
  REVOCATION_V1,
  readException,
} from './exception/exception.ts';
export { R as exceptionReasons } from './exception/reasons.ts';
export { denialText, isBlocking, warningTexts } from './explain.ts';
export { type ImageName, kyvernoText, parseImageName, repositoryOf } from './image/name.ts';
export type { EvidenceQuestion, ImageCheck, Mode, Policy, PolicySet, Rule } from './ir.ts';
export type { Finding } from './lint/finding.ts';
export { type LintKind, type LintRule, lintKind, lintRules, lintText } from './lint/lint.ts';
export { type AdmissionRequest, type MatchedCheck, matchingChecks } from './match.ts';
export { type PolicyFile, parsePolicies, parsePolicyFiles } from './parse.ts';
export { questionsHash } from './question.ts';
export { R as policyReasons } from './reasons.ts';
export { changedUses, type ImageUse, imageUses, workloadKinds } from './workload.ts';
