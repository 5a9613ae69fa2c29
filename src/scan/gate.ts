/** Whether a scan may pass: severity, and whether the answer is worth anything. */
import { type Reason, reason } from '#base/reason';
import type { ScanResult } from './finding.ts';
import { R } from './reasons.ts';
import { type Severity, severityRank } from './severity.ts';

export interface GateOptions {
  /** Findings of this severity or worse fail. */
  readonly failOn: Severity;
  readonly allowSampleDb?: boolean;
  /** Every unknown fails, not only those that hide the operating system. */
  readonly failOnUnknown?: boolean;
}

/** Why the scan fails; empty when it passes. A severity that is not known never counts as harmless or as high. */
export function judge(result: ScanResult, options: GateOptions): readonly Reason[] {
  return [
    ...judgeSeverity(result, options),
    ...judgeSample(result, options),
    ...judgeUnknown(result, options),
  ];
}

function judgeSeverity(result: ScanResult, { failOn }: GateOptions): Reason[] {
  const bad = result.findings.filter((one) => severityRank(one.rating.severity) >= severityRank(failOn));
  if (bad.length === 0) return [];
  const shown = bad.slice(0, 5).map((one) => `${one.id} in ${one.package.name} ${one.package.version}`);
  const more = bad.length > shown.length ? ` and ${bad.length - shown.length} more` : '';
  return [
    reason(R.gateSeverity, { expected: `nothing ${failOn} or worse`, actual: `${shown.join(', ')}${more}` }),
  ];
}

function judgeSample({ database }: ScanResult, { allowSampleDb }: GateOptions): Reason[] {
  if (!database.isSampleOnly || allowSampleDb === true) return [];
  const actual = `the sample of ${database.records} advisories`;
  return [reason(R.gateSample, { expected: 'a database built from real sources', actual })];
}

function judgeUnknown(result: ScanResult, { failOnUnknown }: GateOptions): Reason[] {
  const systemGaps = result.unknowns.filter((one) =>
    ['distro', 'layer', 'dpkg', 'apk'].includes(one.wantedBy),
  );
  const lists = failOnUnknown === true ? result.unknowns : systemGaps;
  const gaps = lists.map((one) => `${one.path === '' ? 'image' : one.path}: ${one.reason}`);
  if (failOnUnknown === true) {
    gaps.push(...result.undetermined.map((one) => `${one.package.name}: ${one.reason}`));
    const uncovered = result.coverage.filter((one) => one.advisories === 0);
    gaps.push(...uncovered.map((one) => `no advisories for ${one.ecosystem} (${one.packages} packages)`));
  }
  if (gaps.length === 0) return [];
  const more = gaps.length > 3 ? ` and ${gaps.length - 3} more` : '';
  return [
    reason(R.gateUnknown, { expected: 'everything read', actual: `${gaps.slice(0, 3).join('; ')}${more}` }),
  ];
}
