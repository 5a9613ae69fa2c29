/** Decisions that decided nothing: a mistyped id or package URL must not look like a decision that counts. */
import type { Finding, UnusedRules } from '../finding.ts';
import { type IgnoreRule, ruleMatches } from './ignore.ts';
import type { VexRules } from './vex.ts';

/** Findings of an earlier scan. */
export interface Baseline {
  readonly file: string;
  /** As `baselineKey` writes them. */
  readonly keys: ReadonlySet<string>;
}

export interface Decisions {
  readonly vex: VexRules;
  /** Those that have not run out. */
  readonly rules: readonly IgnoreRule[];
  readonly emptyRuleFiles: readonly string[];
  readonly baseline?: Baseline;
}

/**
 * `findings`: all there are, also those that something else took off. Documents of VEX and baselines speak of many
 * products and problems: they are told when nothing in them is met; of ignore rules each one is.
 */
export function unusedRules(
  { vex, rules, emptyRuleFiles, baseline }: Decisions,
  findings: readonly Finding[],
  keyOf: (finding: Finding) => string,
): readonly UnusedRules[] {
  const unused: UnusedRules[] = [];
  const met = vex.filesAbout(findings);
  for (const [at, { file, counted, all }] of vex.files.entries()) {
    // That none of its statements counts was told.
    const isTold = met.has(at) || (counted === 0 && all > 0);
    if (!isTold) unused.push({ file, kind: 'vex', unused: counted, of: counted });
  }
  for (const [file, list] of Map.groupBy(rules, (rule) => rule.file)) {
    const idle = list.filter((rule) => !findings.some((finding) => isMetBy(rule, finding)));
    if (idle.length > 0) unused.push({ file, kind: 'ignore-rule', unused: idle.length, of: list.length });
  }
  for (const file of emptyRuleFiles) unused.push({ file, kind: 'ignore-rule', unused: 0, of: 0 });
  if (baseline !== undefined && !findings.some((finding) => baseline.keys.has(keyOf(finding)))) {
    const { size } = baseline.keys;
    unused.push({ file: baseline.file, kind: 'baseline', unused: size, of: size });
  }
  return unused;
}

/** A rule may also be about one of the problems that a notice speaks of. */
const isMetBy = (rule: IgnoreRule, finding: Finding): boolean =>
  ruleMatches(rule, finding) ||
  (rule.id !== undefined &&
    finding.related.includes(rule.id) &&
    ruleMatches({ ...rule, id: finding.id }, finding));

const words = { vex: 'statement', 'ignore-rule': 'rule', baseline: 'finding' } as const;

/** `rules.yaml: 2 of 3 rules match nothing that was found`. */
export function unusedNote({ file, kind, unused, of }: UnusedRules): string {
  const what = `${words[kind]}${of === 1 ? '' : 's'}`;
  if (of === 0) return `${file}: holds no ${what} that could match`;
  const count =
    of === 1
      ? `its one ${what}`
      : unused === of
        ? `all of its ${of} ${what}`
        : `${unused} of its ${of} ${what}`;
  return `${file}: ${count} ${unused === 1 ? 'matches' : 'match'} nothing that was found`;
}
