/** What the doctor says about workflows, for people. */
import { type Diagnosis, type WorkflowFinding, workflowPositionText } from '#doctor';
import { plainLines } from './plain.ts';

export const diagnosisJson = ({ verdict, findings, open, diff }: Diagnosis): object => ({
  ok: verdict.level === 'L3-ready',
  verdict,
  findings: findings.map(({ edits, ...finding }) => ({ ...finding, isMechanical: edits.length > 0 })),
  open,
  diff,
});

const levels = { 'L3-ready': 'L3-ready', L2: 'L2 because', none: 'no provenance:' } as const;

/** The verdict comes last: it is what stands above the prompt. */
export function renderDiagnosis(diagnosis: Diagnosis): string {
  const { verdict, findings, open, diff } = diagnosis;
  const lines = findings.flatMap(renderFinding);
  for (const question of open) {
    lines.push(`${workflowPositionText(question.position)}: unknown ${question.code}: ${question.message}`);
  }
  if (diff !== '') lines.push('', ...diff.trimEnd().split('\n'), '');
  lines.push(levels[verdict.level], ...verdict.because.map((because) => `  ${because}`));
  return plainLines(lines);
}

function renderFinding({ position, effect, code, message, fix, edits }: WorkflowFinding): string[] {
  const word = effect === 'level' ? 'L2' : 'advice';
  const how = edits.length > 0 ? `${fix} (see the diff)` : fix;
  return [`${workflowPositionText(position)}: ${word} ${code}: ${message}`, `    ${how}`];
}
