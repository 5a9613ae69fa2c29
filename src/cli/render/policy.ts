/** What a policy says about objects, and what the linter says about policies, for people. */
import type { ObjectVerdict } from '#flows/policy-test';
import { type Finding, positionText } from '#policy';
import { plainLines } from './plain.ts';

export function renderVerdicts(verdicts: readonly ObjectVerdict[]): string {
  return verdicts.map(renderVerdict).join('\n');
}

function renderVerdict(verdict: ObjectVerdict): string {
  const lines = [`${verdict.object}: ${verdict.outcome}`];
  for (const { from, to } of verdict.pinned) lines.push(`  pinned  ${from} → ${to}`);
  for (const { policy, rule, mode, status, message } of verdict.results) {
    const note = mode === 'audit' && status !== 'pass' ? ' (audit: admitted with a warning)' : '';
    lines.push(`  ${status.padEnd(11)} ${policy}/${rule}${note}: ${message}`);
  }
  for (const image of verdict.unmatched) lines.push(`  no policy covers ${image}`);
  return plainLines(lines);
}

export function renderFindings(findings: readonly Finding[], files: number): string {
  const lines = findings.flatMap(({ code, severity, position, message, fix }) => [
    `${positionText(position)}: ${severity} ${code}: ${message}`,
    `    ${fix}`,
  ]);
  const count = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  return plainLines([...lines, `${count} in ${files === 1 ? '1 file' : `${files} files`}`]);
}
