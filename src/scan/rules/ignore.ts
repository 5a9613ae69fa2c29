/** Rules that take findings off the list: what each must match, who answers for it, and until when. */
import { RE2JS } from 're2js';
import { fail } from '#base/reason';
import type { Finding, Suppressed } from '../finding.ts';
import { R } from '../reasons.ts';
import { purlCovers } from './vex.ts';

/** Every field that is given must match. */
export interface IgnoreRule {
  readonly file: string;
  readonly id?: string;
  /** Whether `id` is also sought among the aliases. */
  readonly withAliases: boolean;
  /** RE2, on the whole name. */
  readonly packageName?: RE2JS;
  readonly packageVersion?: string;
  readonly packageType?: string;
  /** RE2, on the whole name of the source package. */
  readonly upstreamName?: RE2JS;
  /** One of these globs on one of the paths. */
  readonly paths?: readonly RE2JS[];
  readonly purls?: readonly string[];
  readonly states?: readonly string[];
  readonly reason: string;
  readonly owner?: string;
  /** YYYY-MM-DD: the last day it counts. */
  readonly expires?: string;
}

const DAY_MS = 86_400_000;

/** Whether the last day of a rule is over. */
export const isExpired = ({ expires }: IgnoreRule, nowMs: number): boolean =>
  expires !== undefined && nowMs >= Date.parse(expires) + DAY_MS;

export function ruleMatches(rule: IgnoreRule, one: Finding): boolean {
  if (rule.id !== undefined && !namesProblem(rule.id, rule.withAliases, one)) return false;
  const { package: pkg } = one;
  if (rule.packageName?.matches(pkg.name) === false) return false;
  if (rule.packageVersion !== undefined && rule.packageVersion !== pkg.version) return false;
  if (rule.packageType !== undefined && rule.packageType !== pkg.type) return false;
  if (rule.upstreamName?.matches(one.source ?? pkg.source?.name ?? '') === false) return false;
  if (rule.states !== undefined && !rule.states.includes(one.state)) return false;
  const { paths, purls } = rule;
  if (paths !== undefined && !pkg.locations.some(({ path }) => paths.some((glob) => glob.matches(path))))
    return false;
  return purls === undefined || purls.some((purl) => pkg.purl !== undefined && purlCovers(purl, pkg.purl));
}

/** A notice about several problems is not settled by a rule about one of them. */
const namesProblem = (id: string, withAliases: boolean, one: Finding): boolean =>
  id === one.id || one.advisories.includes(id) || (withAliases && one.aliases.includes(id));

export function suppressedByRule(finding: Finding, rules: readonly IgnoreRule[]): Suppressed | undefined {
  const rule = rules.find((one) => ruleMatches(one, finding)) ?? ruleForAll(finding, rules);
  if (rule === undefined) return undefined;
  return {
    finding,
    by: 'ignore-rule',
    reason: rule.reason,
    file: rule.file,
    ...(rule.owner === undefined ? {} : { owner: rule.owner }),
    ...(rule.expires === undefined ? {} : { expires: rule.expires }),
  };
}

/** A notice is settled when every problem it speaks of is. */
function ruleForAll(finding: Finding, rules: readonly IgnoreRule[]): IgnoreRule | undefined {
  const { related } = finding;
  if (related.length === 0) return undefined;
  const settled = related.map((id) =>
    rules.find((one) => one.id === id && ruleMatches({ ...one, id: finding.id }, finding)),
  );
  return settled.every((one) => one !== undefined) ? settled[0] : undefined;
}

/** A user's RE2 on a whole text; WB-882 for one that is none. */
export function wholePattern(text: string, file: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    throw fail(R.ignoreFile, { expected: `RE2 patterns in ${file}`, actual: JSON.stringify(text) }, error);
  }
}

/** `*` within a folder, `**` across, `?` one character; a leading slash says nothing. */
export function pathGlob(text: string): RE2JS {
  const parts = text.replace(/^\//, '').split(/(\*\*\/?|\*|\?)/);
  const body = parts.map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : RE2JS.quote(part);
  });
  return RE2JS.compile(body.join(''), RE2JS.DOTALL);
}
