/** Whether a scan may pass: severity, and whether the answer is worth anything. */
import { type Reason, reason } from '#base/reason';
import type { Coverage, ScanResult } from './finding.ts';
import { R } from './reasons.ts';
import { type Severity, severityRank } from './severity.ts';

export interface GateOptions {
  /** Findings of this severity or worse fail; absent: findings never do. */
  readonly failOn?: Severity;
  readonly allowSampleDb?: boolean;
  /** Every unknown fails, not only those that hide the operating system or leave it without advisories. */
  readonly failOnUnknown?: boolean;
  /** A database older than this fails, in milliseconds; needs `nowMs`. */
  readonly maxDbAgeMs?: number;
  readonly nowMs?: number;
  /** An operating system nobody repairs any more fails; also without this where `failOn` is given. */
  readonly failOnEndOfLife?: boolean;
  /** `failOn` alone does not make it fail. */
  readonly allowEndOfLife?: boolean;
  /** A list without packages is taken for whole: an image that is one static program has none. */
  readonly allowEmpty?: boolean;
}

/** Why the scan fails; empty when it passes. A severity that is not known never counts as harmless or as high. */
export function judge(result: ScanResult, options: GateOptions): readonly Reason[] {
  return [
    ...judgeSeverity(result, options),
    ...(options.failOn === undefined ? [] : judgeSample(result, options)),
    ...(options.failOn === undefined && options.failOnUnknown !== true ? [] : judgeUnknown(result, options)),
    ...judgeAge(result, options),
    ...judgeLicenses(result),
    ...judgeEndOfLife(result, options),
  ];
}

const CLOCK_LEEWAY_MS = 10 * 60_000;

function judgeAge({ database }: ScanResult, { maxDbAgeMs, nowMs }: GateOptions): Reason[] {
  if (maxDbAgeMs === undefined || nowMs === undefined) return [];
  const age = nowMs - database.builtMs;
  // Ahead of the clock it would be young for ever: then one of the two dates is wrong.
  if (age <= maxDbAgeMs && age >= -CLOCK_LEEWAY_MS) return [];
  const days = (ms: number): string => `${(ms / 86_400_000).toFixed(1)} days`;
  const when = age < 0 ? `dated ${days(-age)} ahead of this clock` : `built ${days(age)} ago`;
  const actual = `${when} (${new Date(database.builtMs).toISOString()})`;
  return [reason(R.gateAge, { expected: `a database of at most ${days(maxDbAgeMs)}`, actual })];
}

function judgeLicenses({ licenses }: ScanResult): Reason[] {
  if (licenses.length === 0) return [];
  const shown = licenses.slice(0, 5).map((one) => `${one.package.name}: ${one.reason}`);
  const more = licenses.length > shown.length ? ` and ${licenses.length - shown.length} more` : '';
  return [
    reason(R.gateLicense, { expected: 'accepted licences only', actual: `${shown.join('; ')}${more}` }),
  ];
}

/** No advisories are written for it any more: a gate that finds nothing there has looked at nothing. */
function judgeEndOfLife(
  { endOfLife }: ScanResult,
  { failOn, failOnEndOfLife, allowEndOfLife }: GateOptions,
): Reason[] {
  const isJudged = failOnEndOfLife === true || (failOn !== undefined && allowEndOfLife !== true);
  if (endOfLife === undefined || !isJudged) return [];
  const actual = `${endOfLife.distro}, ended ${endOfLife.date}`;
  return [reason(R.gateEndOfLife, { expected: 'a release that is still repaired', actual })];
}

function judgeSeverity(result: ScanResult, { failOn }: GateOptions): Reason[] {
  if (failOn === undefined) return [];
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

/** A gap of theirs hides a part of the operating system: layers, its name, and every form of package database. */
const systemReaders = new Set(['layer', 'distro', 'dpkg', 'apk', 'rpm', 'alpm', 'portage']);

function judgeUnknown(result: ScanResult, options: GateOptions): Reason[] {
  const { failOn, failOnUnknown, allowEmpty } = options;
  const systemGaps = result.unknowns.filter((one) => systemReaders.has(one.wantedBy));
  const lists = failOnUnknown === true ? result.unknowns : systemGaps;
  const gaps = lists.map((one) => `${one.path === '' ? 'image' : one.path}: ${one.reason}`);
  // Whoever empties the list of packages would pass otherwise.
  if (result.packages === 0 && allowEmpty !== true) {
    gaps.push('no packages are listed: nothing could be found (--allow-empty accepts that)');
  }
  // An image says itself which distribution it is: one that nobody has advisories for would always pass.
  const isCounted = ({ isSystem }: Coverage): boolean => isSystem === true || failOnUnknown === true;
  const uncovered = result.coverage.filter((one) => one.advisories === 0 && isCounted(one));
  if (failOnUnknown === true) {
    for (const one of result.undetermined) gaps.push(`${one.package.name}: ${one.reason}`);
    // No threshold counts them.
    const unrated = result.findings.filter(
      (one) => failOn !== undefined && one.rating.severity === 'unknown',
    );
    for (const one of unrated) gaps.push(`${one.package.name}: ${one.id} has no severity`);
  }
  gaps.push(...uncovered.map((one) => `no advisories for ${one.ecosystem} (${one.packages} packages)`));
  if (gaps.length === 0) return [];
  const more = gaps.length > 3 ? ` and ${gaps.length - 3} more` : '';
  return [
    reason(R.gateUnknown, { expected: 'everything read', actual: `${gaps.slice(0, 3).join('; ')}${more}` }),
  ];
}
