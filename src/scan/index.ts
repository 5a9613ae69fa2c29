/** Packages → findings: the advisory database, matching, gate, reports. */
export { type BuildReport, buildDatabase, type LoadedRecords, loadRecords } from './build.ts';
export { cvssBaseScore } from './cvss.ts';
export {
  type Advisory,
  type AdvisoryDatabase,
  type AffectedEntry,
  type DatabaseInfo,
  type DatabaseSource,
  type ExplainedAdvisory,
  loadDatabase,
  memoryDatabase,
  SAMPLE_SOURCE,
} from './database/index.ts';
export type { Coverage, Finding, ScanResult, Suppressed, Undetermined } from './finding.ts';
export { type GateOptions, judge } from './gate.ts';
export { matchPackages } from './match.ts';
export { type AffectedResult, evaluate } from './range.ts';
export { R as scanReasons } from './reasons.ts';
export {
  cosignVulnPredicate,
  countBySeverity,
  type ReportOptions,
  SCAN_SCHEMA,
  scanJson,
  scanTable,
} from './report.ts';
export { sarifReport } from './sarif.ts';
export { parseThreshold, type Rating, type Severity, severities, severityRank } from './severity.ts';
export { type BoundOptions, boundOrderOf, type MissingEpoch } from './versions/bounds.ts';
export { orderOf, type VersionOrder } from './versions/index.ts';
