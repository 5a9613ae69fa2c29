/**
 * What remains of the findings after everything people decided about them. Nothing disappears: what is taken off
 * the list is kept with who took it off and why, and a rule that ran out is told.
 */
import type { Sbom } from '#formats/sbom';
import type { FixState } from '../database/index.ts';
import { systemTypes } from '../ecosystems.ts';
import type { Finding, ScanResult, Suppressed } from '../finding.ts';
import type { Severity } from '../severity.ts';
import { endOfLife } from './end-of-life.ts';
import { type IgnoreRule, isExpired, suppressedByRule } from './ignore.ts';
import { type LicensePolicy, licenseFindings } from './licenses.ts';
import { type Baseline, unusedNote, unusedRules } from './unused.ts';
import { suppressedByVex, type VexFile, VexRules } from './vex.ts';

export interface RefineOptions {
  /** Milliseconds. */
  readonly nowMs: number;
  readonly vex?: readonly VexFile[];
  readonly rules?: readonly IgnoreRule[];
  /** Files of rules that hold none: told, as what is written in another form than its name says looks like that. */
  readonly emptyRuleFiles?: readonly string[];
  readonly baseline?: Baseline;
  /** Findings in another state are taken off. */
  readonly states?: readonly FixState[];
  /** Findings of other severities are taken off. */
  readonly severities?: readonly Severity[];
  /** Findings in other packages than those of the operating system, or of languages, are taken off. */
  readonly kind?: 'os' | 'library';
  readonly licenses?: LicensePolicy;
  /** Days after which a database is called stale. */
  readonly staleDays?: number;
}

const DAY_MS = 86_400_000;

export function refine(result: ScanResult, sbom: Sbom, options: RefineOptions): ScanResult {
  const { nowMs, rules = [] } = options;
  const living = rules.filter((rule) => !isExpired(rule, nowMs));
  const vex = new VexRules(options.vex ?? [], result.sbom.subject, nowMs);
  const findings: Finding[] = [];
  const suppressed: Suppressed[] = [...result.suppressed];
  for (const finding of result.findings) {
    const answer = vex.find(finding);
    const why =
      (answer === undefined ? undefined : suppressedByVex(finding, answer)) ??
      suppressedByRule(finding, living) ??
      byBaseline(finding, options.baseline) ??
      byState(finding, options.states) ??
      byScope(finding, options);
    if (why === undefined) findings.push(finding);
    else suppressed.push(why);
  }
  const all = [...result.findings, ...result.suppressed.map(({ finding }) => finding)];
  const unused = unusedRules(
    { vex, rules: living, emptyRuleFiles: options.emptyRuleFiles ?? [], ...given(options.baseline) },
    all,
    keyOfFinding,
  );
  const ended = endOfLife(result.sbom.distro, nowMs);
  return {
    ...result,
    findings,
    suppressed,
    licenses: licenseFindings(sbom.packages, options.licenses ?? {}),
    ...(ended === undefined ? {} : { endOfLife: ended }),
    unused,
    notes: [
      ...result.notes,
      ...vex.notes,
      ...expiredNotes(rules, nowMs),
      ...unused.map(unusedNote),
      ...staleNotes(result, options),
    ],
  };
}

const given = (baseline: Baseline | undefined): { readonly baseline?: Baseline } =>
  baseline === undefined ? {} : { baseline };

function byBaseline(finding: Finding, baseline: Baseline | undefined): Suppressed | undefined {
  if (baseline?.keys.has(keyOfFinding(finding)) !== true) return undefined;
  return { finding, by: 'baseline', reason: 'known from the baseline' };
}

/** A new version of a package does not make a known problem new. */
export const baselineKey = (id: string, type: string, name: string): string =>
  JSON.stringify([id, type, name]);

const keyOfFinding = ({ id, package: { type, name } }: Finding): string => baselineKey(id, type, name);

function byState(finding: Finding, states: readonly FixState[] | undefined): Suppressed | undefined {
  if (states === undefined || states.includes(finding.state)) return undefined;
  return { finding, by: 'fix-state', reason: `its state is ${finding.state}` };
}

function byScope(finding: Finding, { severities, kind }: RefineOptions): Suppressed | undefined {
  const { severity } = finding.rating;
  if (severities !== undefined && !severities.includes(severity)) {
    return { finding, by: 'severity', reason: `its severity is ${severity}` };
  }
  const isSystem = systemTypes.has(finding.package.type);
  if (kind === undefined || isSystem === (kind === 'os')) return undefined;
  return { finding, by: 'package-kind', reason: `${finding.package.type} packages were not asked for` };
}

const expiredNotes = (rules: readonly IgnoreRule[], nowMs: number): string[] =>
  rules
    .filter((rule) => isExpired(rule, nowMs))
    .map(({ file, id, expires, owner }) => {
      const whose = owner === undefined ? '' : ` of ${owner}`;
      return `${file}: the rule${whose} for ${id ?? 'several findings'} ran out on ${expires}`;
    });

function staleNotes({ database }: ScanResult, { nowMs, staleDays = 7 }: RefineOptions): string[] {
  const days = Math.floor((nowMs - database.builtMs) / DAY_MS);
  return days <= staleDays || database.isSampleOnly
    ? []
    : [`the database was built ${days} days ago; newer problems are not in it: waybill db update`];
}
