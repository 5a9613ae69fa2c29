/** Decisions in words: Kyverno's shape of a refusal, with check, expected and actual in it. */
import type { Reason } from '#base/reason';
import type { CheckResult, CheckStatus, Decision } from './decision.ts';

const REASONS_MAX = 4;

const why = (reason: Reason): string =>
  `${reason.check}: expected ${reason.expected}, got ${reason.actual} (${reason.code}) [${reason.class}]; ${reason.hint}`;

/** One line about one image under one rule. */
export function checkMessage(
  image: string,
  status: CheckStatus,
  reasons: readonly Reason[],
  signers: readonly string[],
): string {
  if (status === 'pass') {
    const who = [...new Set(signers)].join(', ');
    return who === '' ? `admitted image ${image}` : `verified image ${image}: ${who}`;
  }
  const shown = reasons.slice(0, REASONS_MAX).map(why).join('; or ');
  const more = reasons.length > REASONS_MAX ? `; and ${reasons.length - REASONS_MAX} more` : '';
  const verb = status === 'unavailable' ? 'could not verify image' : 'failed to verify image';
  return `${verb} ${image}: ${shown}${more}`;
}

/** The body of a refusal: policy → rule → message, as Kyverno lays it out. */
export function denialText(kind: string, namespace: string, name: string, decision: Decision): string {
  const blocking = decision.results.filter(isBlocking);
  const lines = [
    '',
    '',
    `resource ${kind}/${namespace}/${name} was blocked due to the following policies `,
    '',
  ];
  for (const [policy, ofPolicy] of Map.groupBy(blocking, (result) => result.policy)) {
    lines.push(`${policy}:`);
    for (const [rule, ofRule] of Map.groupBy(ofPolicy, (result) => result.rule)) {
      const text = [...new Set(ofRule.map((result) => result.message))].join('; ');
      lines.push(`  ${rule}: ${yamlText(text)}`);
    }
  }
  return lines.join('\n');
}

export const isBlocking = (result: CheckResult): boolean =>
  result.status !== 'pass' && result.mode === 'enforce' && result.exception === undefined;

const yamlText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** What people should know about a request that passes: audit checks that did not, images that run by a tag. */
export function warningTexts(decision: Decision): string[] {
  return decision.results.flatMap((result) => {
    const { policy, rule, status, mode, message, image, digest } = result;
    if (status !== 'pass') return mode === 'audit' ? [`policy ${policy}.${rule}: ${message}`] : [];
    if (!result.degraded.includes('digest') || digest === undefined) return [];
    return [`policy ${policy}.${rule}: image ${image} was verified as ${digest}, but runs by its tag`];
  });
}
