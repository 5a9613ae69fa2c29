/** The tables of counts in docs/corpus.md; run as a program it writes it there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Case, readCases, stations } from './case.ts';
import { classOf, type ServerClass, type ServerRow, serverClasses, serverRows } from './census/census.ts';

const DOC = 'docs/corpus.md';
const COUNTS = ['<!-- counts -->', '<!-- /counts -->'] as const;
const SERVERS = ['<!-- servers -->', '<!-- /servers -->'] as const;

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

const serverNames: Readonly<Record<ServerClass, string>> = {
  LGS: 'log servers',
  CA: 'certificate authority',
  TSA: 'timestamp authority',
  RGS: 'registry',
  TUF: 'clients of TUF and their caches',
};

/** Rows by severity, and how many different proofs show them. */
export function serversTable(rows: ReadonlyMap<string, ServerRow>): string {
  const line = (title: string, list: readonly ServerRow[]): string => {
    const of = (...severities: readonly ServerRow['severity'][]): number =>
      list.filter(({ severity }) => severities.includes(severity)).length;
    const proofs = list.flatMap(({ shownBy }) => shownBy);
    const different = (kind: 'file' | 'tuf' | 'soak'): number =>
      new Set(proofs.filter((by) => kind in by).map((by) => JSON.stringify(by))).size;
    const cells = [title, list.length, of('C'), of('H'), of('M', 'L'), different('file'), different('tuf')];
    return `| ${[...cells, different('soak')].join(' | ')} |`;
  };
  return [
    '| class | rows | C | H | M, L | tests and cases of their tables | cases of the TUF client | soaks |',
    '|---|---|---|---|---|---|---|---|',
    ...serverClasses.map((name) =>
      line(
        `${name} ${serverNames[name]}`,
        [...rows].flatMap(([id, row]) => (classOf(id) === name ? [row] : [])),
      ),
    ),
    line('all', [...rows.values()]),
  ].join('\n');
}

function replaced(page: string, [begin, end]: readonly [string, string], table: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${DOC} has no place for ${begin}`);
  return `${before}${begin}\n${table}\n${end}${after}`;
}

/** The page with the tables as they should be. */
export function renderedDoc(): { readonly now: string; readonly wanted: string } {
  const now = readFileSync(DOC, 'utf8');
  const counted = replaced(now, COUNTS, countsTable(readCases()));
  return { now, wanted: replaced(counted, SERVERS, serversTable(serverRows())) };
}

if (import.meta.main) writeFileSync(DOC, renderedDoc().wanted);
