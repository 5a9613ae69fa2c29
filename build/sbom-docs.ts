/**
 * `node build/sbom-docs.ts`: writes the list of cataloguers in docs/sbom.md from the census of cataloguers, between
 * its two marks. What users can count on is what the code has.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cataloguers } from '#sbom';

const FILE = 'docs/sbom.md';
const START = '<!-- cataloguers: start -->';
const END = '<!-- cataloguers: end -->';

function rows(evidence: string): string[] {
  return cataloguers
    .filter((one) => one.evidence === evidence)
    .map(
      (one) => `| \`${one.name}\` | ${one.types.map((type) => `\`${type}\``).join(', ')} | ${one.reads} |`,
    );
}

const head = ['| Name | Package URL type | What it reads |', '|---|---|---|'];

/** The page with its list as the code has it. */
export function renderSbomDocs(page: string): string {
  const [before, after] = [page.indexOf(START), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${FILE} has no marks for the list of cataloguers`);
  const list = [
    START,
    '',
    `Installed, in images and folders (${rows('installed').length}):`,
    '',
    ...head,
    ...rows('installed'),
    '',
    `Declared by lock files, in folders (${rows('declared').length}; in images with \`--select-cataloguers +NAME\`):`,
    '',
    ...head,
    ...rows('declared'),
    '',
  ];
  return `${page.slice(0, before)}${list.join('\n')}\n${page.slice(after)}`;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(FILE, renderSbomDocs(readFileSync(FILE, 'utf8')));
}
