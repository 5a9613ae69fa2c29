/** The table of counts in docs/corpus.md; run as a program it writes it there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Case, readCases, stations } from './case.ts';

const DOC = 'docs/corpus.md';
const [BEGIN, END] = ['<!-- counts -->', '<!-- /counts -->'];

const names: Readonly<Record<(typeof stations)[number], string>> = {
  BND: 'bundle parsing',
  CRT: 'certificates and chains',
  SCT: 'certificate timestamps',
  TSP: 'timestamps',
  LOG: 'entries, proofs, checkpoints',
  ATT: 'envelopes and statements',
  IDN: 'identity',
};

export function countsTable(cases: readonly Case[]): string {
  const row = (title: string, list: readonly Case[]): string => {
    const of = (verdict: Case['verdict']): number => list.filter((item) => item.verdict === verdict).length;
    const rooms = list.filter(({ room }) => room !== undefined).length;
    const rows = new Set(list.map((item) => item.row)).size;
    const cells = [title, rows, list.length, of('reject'), of('accept'), of('indeterminate'), rooms];
    return `| ${cells.join(' | ')} |`;
  };
  return [
    '| class | rows | cases | reject | accept | indeterminate | decided in another room |',
    '|---|---|---|---|---|---|---|',
    ...stations.map((station) =>
      row(
        `${station} ${names[station]}`,
        cases.filter((item) => item.station === station),
      ),
    ),
    row('all', cases),
  ].join('\n');
}

/** The page with the table as it should be. */
export function renderedDoc(): { readonly now: string; readonly wanted: string } {
  const now = readFileSync(DOC, 'utf8');
  const [before, rest] = now.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${DOC} has no place for the counts`);
  return { now, wanted: `${before}${BEGIN}\n${countsTable(readCases())}\n${END}${after}` };
}

if (import.meta.main) writeFileSync(DOC, renderedDoc().wanted);
