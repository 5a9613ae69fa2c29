/** A scan as Markdown, for summaries of CI jobs and comments on changes. */
import { rfc3339 } from '#base/clock';
import type { ScanResult } from '../finding.ts';
import {
  countBySeverity,
  fixText,
  gapLines,
  missingFeeds,
  printable,
  type ReportOptions,
} from './options.ts';

/** Text of others never becomes markup, a link or a mention. */
const cell = (text: string): string =>
  printable(text)
    .replace(/[\\`*_{}[\]<>()#+!|~]/g, (char) => `\\${char}`)
    // Pages make links of bare addresses, and look for mentions in the text that came out of the markup.
    .replace(/:(?=\/)|(?<=www)\./gi, (char) => `\\${char}`)
    .replace(/@/g, '@&#8203;');

export function markdownReport(result: ScanResult, options: ReportOptions): string {
  const { subject } = result.sbom;
  const counts = Object.entries(countBySeverity(result.findings)).filter(([, count]) => count > 0);
  const total = counts.map(([severity, count]) => `${count} ${severity}`).join(', ');
  const lines = [
    `## Vulnerabilities in ${cell(subject.name)}`,
    '',
    ...(subject.digest === undefined ? [] : [`Image \`${subject.digest}\``, '']),
    result.findings.length === 0
      ? `**No known vulnerabilities** in ${result.packages} packages.`
      : `**${result.findings.length} findings** in ${result.packages} packages: ${total}.`,
    '',
  ];
  if (result.findings.length > 0) {
    lines.push(
      '| Severity | Id | Package | Installed | Fixed in | EPSS | KEV |',
      '|---|---|---|---|---|---|---|',
    );
    for (const one of result.findings) {
      const epss = one.epss === undefined ? '' : `${(100 * one.epss.probability).toFixed(1)} %`;
      const kev = one.knownExploited === undefined ? '' : 'yes';
      const cells = [
        one.rating.severity,
        one.id,
        one.package.name,
        one.package.version,
        fixText(one),
        epss,
        kev,
      ];
      lines.push(`| ${cells.map(cell).join(' | ')} |`);
    }
    lines.push('');
  }
  for (const why of options.gate?.reasons ?? []) {
    lines.push(`**Gate failed** (${why.code}): expected ${cell(why.expected)}, got ${cell(why.actual)}`, '');
  }
  lines.push(...gaps(result));
  const { database } = result;
  const kind = database.isSampleOnly ? '**sample** advisories, not for decisions' : 'advisories';
  const missing = missingFeeds(database);
  const feeds = missing === '' ? '' : `, ${missing}`;
  const built = rfc3339(database.builtMs);
  lines.push(`${database.records} ${kind}, built ${built}${feeds}, \`${database.digest}\``, '');
  return lines.join('\n');
}

function gaps(result: ScanResult): string[] {
  const lines = gapLines(result).map((line) => `- ${cell(line)}`);
  return lines.length === 0 ? [] : [...lines, ''];
}
