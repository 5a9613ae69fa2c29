/**
 * `node build/sbom-docs.ts`: writes the list of cataloguers in docs/sbom.md from the census of cataloguers, between
 * its two marks: what each reads, and what of it the tests have proven.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cataloguers } from '#sbom';
import { declaredRows } from '../test/sbom/census-declared.ts';
import { installedRows } from '../test/sbom/census-installed.ts';
import { gapOf, type ProofKind, readProofs } from '../test/sbom/census-record.ts';

const FILE = 'docs/sbom.md';
const START = '<!-- cataloguers: start -->';
const END = '<!-- cataloguers: end -->';

type Row = (typeof cataloguers)[number];

/** Reasons of missing proofs, in the order in which the tables name them first. */
class Notes {
  readonly reasons: string[] = [];

  /** The proof, or the number of the reason why there is none. */
  cell(name: string, kind: ProofKind, proof: string): string {
    const reason = gapOf(name, kind);
    if (reason === undefined) return proof;
    if (!this.reasons.includes(reason)) this.reasons.push(reason);
    return `no (${this.reasons.indexOf(reason) + 1})`;
  }
}

function tableOf(evidence: string, notes: Notes): string[] {
  const proofs = readProofs();
  const rows = cataloguers.filter((one) => one.evidence === evidence);
  const line = ({ name, types, reads }: Row): string => {
    const own = proofs[name] ?? {};
    const cells = [
      `\`${name}\``,
      types.map((type) => `\`${type}\``).join(', '),
      reads,
      notes.cell(name, 'tree', own.tree ?? ''),
      notes.cell(name, 'fixtures', String(own.fixtures)),
      // Both stand in the row of the census, or it does not compile.
      census[name] === undefined ? 'no' : 'yes',
      notes.cell(name, 'purls', String(own.purls ?? own.treePurls)),
    ];
    return `| ${cells.join(' | ')} |`;
  };
  return [...head, ...rows.map(line)];
}

const census = { ...installedRows, ...declaredRows };
const head = [
  '| Name | Package URL type | What it reads | Tree of | Fixtures | Malformed, decoy | URLs as Syft |',
  '|---|---|---|---|---|---|---|',
];
const count = (evidence: string): number => cataloguers.filter((one) => one.evidence === evidence).length;

/** The page with its list as the census has it. */
export function renderSbomDocs(page: string): string {
  const [before, after] = [page.indexOf(START), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${FILE} has no marks for the list of cataloguers`);
  const notes = new Notes();
  const list = [
    START,
    '',
    `Installed, in images and folders (${count('installed')}):`,
    '',
    ...tableOf('installed', notes),
    '',
    `Declared by lock files, in folders (${count('declared')}; in images with \`--select-cataloguers +NAME\`):`,
    '',
    ...tableOf('declared', notes),
    '',
    'What is not proven, and why:',
    '',
    ...notes.reasons.map((reason, i) => `${i + 1}. ${reason}.`),
    '',
  ];
  return `${page.slice(0, before)}${list.join('\n')}\n${page.slice(after)}`;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(FILE, renderSbomDocs(readFileSync(FILE, 'utf8')));
}
