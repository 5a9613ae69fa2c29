/** A scan for people. */
import type { Finding, ScanResult } from '../finding.ts';
import { countBySeverity, fixText, missingFeeds, printable } from './options.ts';

/** Coverage and what could not be judged stand below the findings, always. */
export function scanTable(
  result: ScanResult,
  nowMs: number,
  options: { readonly showSuppressed?: boolean } = {},
): string {
  const header = [
    'SEVERITY',
    'CVSS',
    'EPSS',
    'KEV',
    'PACKAGE',
    'INSTALLED',
    'FIXED IN',
    'TYPE',
    'ID',
    'SUMMARY',
  ];
  const shown = options.showSuppressed === true ? result.suppressed : [];
  const rows = [
    ...result.findings.map((one) => row(one, '')),
    ...shown.map((one) => row(one.finding, ` (suppressed: ${one.by})`)),
  ];
  const lines = rows.length === 0 ? [] : columns([header, ...rows].map((cells) => cells.map(printable)));
  return [...lines, ...(lines.length === 0 ? [] : ['']), ...summaryLines(result, nowMs)].join('\n');
}

/** Severity, score, chance of exploitation and known exploitation say different things: each its own column. */
function row(one: Finding, suffix: string): string[] {
  const { package: pkg, rating, epss, knownExploited } = one;
  return [
    one.isMalicious ? 'CRITICAL (malicious)' : rating.severity.toUpperCase(),
    rating.score?.toFixed(1) ?? '',
    epss === undefined ? '' : `${(100 * epss.probability).toFixed(1)} %`,
    knownExploited === undefined ? '' : knownExploited.isRansomware ? 'ransomware' : 'yes',
    one.source === undefined ? pkg.name : `${pkg.name} (${one.source})`,
    pkg.version,
    fixText(one),
    one.cpe === undefined ? pkg.type : `${pkg.type} (by CPE)`,
    `${one.id}${suffix}`,
    one.summary.slice(0, 60),
  ];
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) =>
    rows.reduce((most, row) => Math.max(most, (row[i] as string).length), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function summaryLines(result: ScanResult, nowMs: number): string[] {
  const counts = Object.entries(countBySeverity(result.findings)).filter(([, count]) => count > 0);
  const shown = counts.map(([severity, count]) => `${count} ${severity}`).join(', ');
  const total = result.findings.length;
  const lines = [`${total} findings in ${result.packages} packages${total === 0 ? '' : `: ${shown}`}`];
  for (const { ecosystem, packages, advisories, isByCpe } of result.coverage) {
    const what = isByCpe === true ? 'entries about products, by CPE' : 'advisory entries';
    const verdict = advisories === 0 ? 'NOT COVERED: no advisories' : `${advisories} ${what}`;
    lines.push(`  ${printable(ecosystem)}: ${packages} packages, ${verdict}`);
  }
  for (const line of [...suppressedLines(result), ...licenseLines(result)]) lines.push(line);
  if (result.endOfLife !== undefined) {
    lines.push(
      `END OF LIFE: ${result.endOfLife.distro} is repaired by nobody since ${result.endOfLife.date}`,
    );
  }
  if (result.undetermined.length > 0) {
    lines.push(`${result.undetermined.length} could not be compared:`);
    for (const one of result.undetermined.slice(0, 10)) {
      lines.push(`  ${printable(`${one.id}: ${one.package.name}: ${one.reason}`)}`);
    }
  }
  if (result.unknowns.length > 0)
    lines.push(`${result.unknowns.length} parts of the image could not be read:`);
  for (const one of result.unknowns.slice(0, 10)) {
    lines.push(`  ${printable(`${one.path === '' ? 'the image' : one.path}: ${one.reason}`)}`);
  }
  return [...lines, ...result.notes.map((note) => `note: ${printable(note)}`), databaseLine(result, nowMs)];
}

const suppressors: Readonly<Record<string, string>> = {
  distribution: 'left to the distribution that owns them',
  'kernel-headers': 'in headers of the kernel, which run nothing',
  vex: 'taken off by VEX statements',
  'ignore-rule': 'taken off by ignore rules',
  baseline: 'known from the baseline',
  'fix-state': 'in a fix state that was not asked for',
  severity: 'of a severity that was not asked for',
  'package-kind': 'in packages of a kind that was not asked for',
};

function suppressedLines({ suppressed }: ScanResult): string[] {
  const groups = Map.groupBy(suppressed, (one) => one.by);
  return [...groups].map(([by, list]) => `${list.length} ${suppressors[by] ?? by}`).sort();
}

function licenseLines({ licenses }: ScanResult): string[] {
  if (licenses.length === 0) return [];
  const shown = licenses.slice(0, 10).map((one) => `  ${printable(`${one.package.name}: ${one.reason}`)}`);
  return [`${licenses.length} packages under licences that are not accepted:`, ...shown];
}

function databaseLine({ database }: ScanResult, nowMs: number): string {
  const days = Math.max(0, Math.floor((nowMs - database.builtMs) / 86_400_000));
  const newest = database.newest === undefined ? '' : `, newest of ${database.newest.slice(0, 10)}`;
  const sample = database.isSampleOnly ? 'SAMPLE database (not for decisions)' : 'database';
  const missing = missingFeeds(database);
  const feeds = missing === '' ? '' : `, ${missing}`;
  return printable(
    `${sample}: ${database.records} advisories, built ${days} days ago${newest}${feeds}, ${database.digest}`,
  );
}
