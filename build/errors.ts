/**
 * Writes docs/errors.md from every `reasons.ts`: the catalogue of error codes. `--check` compares instead and
 * exits 1 when the file is stale.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ReasonSpec } from '#base/reason';
import { classOf, reason, reasonClasses } from '#base/reason';

export type CatalogueRow = ReasonSpec & {
  /** Name in its table, as raised in code: `R.<name>`. */
  readonly name: string;
  readonly file: string;
};

/** Every declared reason, sorted by code. */
export async function readCatalogue(): Promise<CatalogueRow[]> {
  const rows: CatalogueRow[] = [];
  for (const file of globSync('src/**/*reasons.ts').sort()) {
    const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
    for (const table of Object.values(module)) {
      if (typeof table !== 'object' || table === null) continue;
      for (const [name, spec] of Object.entries(table as Record<string, ReasonSpec>)) {
        rows.push({ ...spec, name, file: file.replaceAll('\\', '/') });
      }
    }
  }
  return rows.sort((a, b) => Number(a.code.slice(3)) - Number(b.code.slice(3)));
}

export function renderCatalogue(rows: readonly CatalogueRow[]): string {
  const lines = [
    '# Error codes',
    '',
    'Generated from the `reasons.ts` of each room by `node build/errors.ts`. A message always has four parts: check,',
    'expected, actual, what to do. **Side** says who has to act: `input` the sender of these bytes, `evidence` whoever',
    'made the image or its signatures, `environment` the network or the machine, `usage` the caller, `defect` us.',
    '',
    '## Exit codes',
    '',
    '0 passed · 1 internal · 2 findings or policy failure · 3 usage or configuration · 10 no signature or attestation ·',
    '11 no such image · 12 present, none acceptable · 13 certificate missing · 14 identity mismatch · 15 transparency or',
    'time proof failed · 16 trust root unusable or expired · 20 network · 21 registry authentication · 30 signing refused',
    'by CA or log · 31 no identity token.',
    '',
    '## Classes',
    '',
    'What kind of thing went wrong, in words that stay: JSON output and admission messages carry the class beside the',
    'code.',
    '',
    ...Object.entries(reasonClasses).map(([name, meaning]) => `- \`${name}\`: ${meaning}`),
    '',
    '## Codes',
    '',
    '| code | check | side | class | exit | status | meaning | what to do |',
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const row of rows) {
    const { exit, status } = reason(row, { expected: '', actual: '' });
    const cells = [row.code, `\`${row.check}\``, row.side, classOf(row), exit, status, row.summary, row.hint];
    lines.push(`| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

if (import.meta.main) {
  const text = renderCatalogue(await readCatalogue());
  if (process.argv.includes('--check')) {
    process.exitCode = readFileSync('docs/errors.md', 'utf8') === text ? 0 : 1;
  } else {
    writeFileSync('docs/errors.md', text);
  }
}
