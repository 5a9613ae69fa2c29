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
export { withoutDuplicates } from './duplicates.ts';
export { type Comparison, type Explanation, explainIn, explainScan, rangesText } from './explain.ts';
export type { Coverage, Finding, ScanResult, Suppressed, Undetermined, UnusedRules } from './finding.ts';
export { type GateOptions, judge } from './gate.ts';
export type { CpeMatching } from './lookup.ts';
export { matchPackages } from './match.ts';
export { type AffectedResult, evaluate } from './range.ts';
export { R as scanReasons } from './reasons.ts';
export { csafReport } from './reports/csaf.ts';
export { cycloneDxVex } from './reports/cyclonedx.ts';
export { githubSnapshot, gitlabReport } from './reports/forges.ts';
export { grypeReport } from './reports/grype.ts';
export { scanJson } from './reports/json.ts';
export { junitReport } from './reports/junit.ts';
export { markdownReport } from './reports/markdown.ts';
export { openVexReport } from './reports/openvex.ts';
export { countBySeverity, type ReportOptions, SCAN_SCHEMA } from './reports/options.ts';
export { sarifReport } from './reports/sarif.ts';
export { scanTable } from './reports/table.ts';
export { cosignVulnPredicate, trivyReport, vulnPredicate } from './reports/trivy.ts';
export type { IgnoreRule } from './rules/ignore.ts';
export type { LicensePolicy } from './rules/licenses.ts';
export { baselineKey, type RefineOptions, refine } from './rules/refine.ts';
export type { Baseline } from './rules/unused.ts';
export type { VexFile } from './rules/vex.ts';
export {
  parseSeverity,
  parseThreshold,
  type Rating,
  type Severity,
  severities,
  severityRank,
} from './severity.ts';
export { type BoundOptions, boundOrderOf, type MissingEpoch } from './versions/bounds.ts';
export { orderOf, type VersionOrder } from './versions/index.ts';

/** Readers of ignore files; loaded on demand, because they bring a YAML parser. */
export const ignoreFiles = (): Promise<typeof import('./rules/ignore-files.ts')> =>
  import('./rules/ignore-files.ts');
