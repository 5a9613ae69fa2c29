/** A scan as a table, as JSON (waybill.dev/scan/v1), as the vulnerability predicate of cosign, as SARIF. */
import { rfc3339 } from '#base/clock';
import type { Reason } from '#base/reason';
import type { JsonObject } from '#formats/json';
import type { Finding, ScanResult } from './finding.ts';
import { severities } from './severity.ts';

export const SCAN_SCHEMA = 'waybill.dev/scan/v1';

export interface ReportOptions {
  /** Milliseconds: start and end of the scan. */
  readonly startedMs: number;
  readonly finishedMs: number;
  /** Of waybill. */
  readonly version: string;
  /** What the gate said, when there was one. */
  readonly gate?: { readonly failOn: string; readonly reasons: readonly Reason[] };
}

/** Text from images and databases may carry terminal escapes; they are shown, not obeyed. */
const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

export function countBySeverity(findings: readonly Finding[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const severity of [...severities].reverse()) {
    counts[severity] = findings.filter((one) => one.rating.severity === severity).length;
  }
  return counts;
}

/** For people. Coverage and what could not be judged stand below the findings, always. */
export function scanTable(result: ScanResult, nowMs: number): string {
  const header = ['SEVERITY', 'PACKAGE', 'INSTALLED', 'FIXED IN', 'TYPE', 'ID', 'SUMMARY'];
  const rows = result.findings.map((one) => [
    one.isMalicious ? 'CRITICAL (malicious)' : one.rating.severity.toUpperCase(),
    one.source === undefined ? one.package.name : `${one.package.name} (${one.source})`,
    one.package.version,
    one.fixed.join(', ') || 'none known',
    one.package.type,
    one.id,
    one.summary.slice(0, 60),
  ]);
  const lines = rows.length === 0 ? [] : columns([header, ...rows].map((row) => row.map(printable)));
  return [...lines, ...(lines.length === 0 ? [] : ['']), ...summaryLines(result, nowMs)].join('\n');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] as string).length)));
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
  for (const { ecosystem, packages, advisories } of result.coverage) {
    const verdict = advisories === 0 ? 'NOT COVERED: no advisories' : `${advisories} advisory entries`;
    lines.push(`  ${printable(ecosystem)}: ${packages} packages, ${verdict}`);
  }
  if (result.suppressed.length > 0)
    lines.push(`${result.suppressed.length} left to the distribution that owns them`);
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
  return [...lines, databaseLine(result, nowMs)];
}

function databaseLine({ database }: ScanResult, nowMs: number): string {
  const days = Math.max(0, Math.floor((nowMs - database.builtMs) / 86_400_000));
  const newest = database.newest === undefined ? '' : `, newest of ${database.newest.slice(0, 10)}`;
  const sample = database.isSampleOnly ? 'SAMPLE database (not for decisions)' : 'database';
  return `${sample}: ${database.records} advisories, built ${days} days ago${newest}, ${database.digest}`;
}

/** The result without its schema name, for the CLI's JSON output. */
export function scanJson(result: ScanResult, options: ReportOptions): JsonObject {
  const { subject, distro } = result.sbom;
  return {
    image: {
      name: subject.name,
      ...(subject.digest === undefined ? {} : { digest: subject.digest }),
    },
    ...(distro === undefined ? {} : { distro: { id: distro.id, version: distro.versionId ?? '' } }),
    packages: result.packages,
    counts: countBySeverity(result.findings),
    findings: result.findings.map(findingJson),
    suppressed: result.suppressed.map((one) => ({ ...findingJson(one.finding), reason: one.reason })),
    undetermined: result.undetermined.map((one) => ({
      id: one.id,
      package: one.package.name,
      version: one.package.version,
      reason: one.reason,
    })),
    coverage: result.coverage.map((one) => ({ ...one })),
    unknowns: result.unknowns.map((one) => ({ ...one })),
    database: databaseJson(result, options.finishedMs),
    scanner: { name: 'waybill', version: options.version },
    started: rfc3339(options.startedMs),
    finished: rfc3339(options.finishedMs),
    ...gateJson(options),
  };
}

function gateJson({ gate }: ReportOptions): JsonObject {
  if (gate === undefined) return {};
  const reasons = gate.reasons.map((one) => ({
    code: one.code,
    check: one.check,
    expected: one.expected,
    actual: one.actual,
    hint: one.hint,
  }));
  return { gate: { failOn: gate.failOn, passed: reasons.length === 0, reasons } };
}

function databaseJson({ database }: ScanResult, nowMs: number): JsonObject {
  return {
    digest: database.digest,
    built: rfc3339(database.builtMs),
    ageSeconds: Math.max(0, Math.floor((nowMs - database.builtMs) / 1000)),
    ...(database.newest === undefined ? {} : { newest: database.newest }),
    records: database.records,
    sampleRecords: database.sampleRecords,
    isSampleOnly: database.isSampleOnly,
    ecosystems: Object.fromEntries(database.ecosystems),
  };
}

function findingJson(one: Finding): JsonObject {
  const { rating } = one;
  return {
    id: one.id,
    aliases: [...one.aliases],
    severity: rating.severity,
    ...(rating.score === undefined ? {} : { score: rating.score }),
    ...(rating.vector === undefined ? {} : { vector: rating.vector }),
    summary: one.summary,
    package: {
      name: one.package.name,
      version: one.package.version,
      type: one.package.type,
      ...(one.package.purl === undefined ? {} : { purl: one.package.purl }),
      locations: one.package.locations.map(({ path }) => `/${path}`),
    },
    ecosystem: one.ecosystem,
    ...(one.source === undefined ? {} : { source: one.source }),
    fixed: [...one.fixed],
    malicious: one.isMalicious,
    sample: one.isSample,
    ...(one.published === undefined ? {} : { published: one.published }),
  };
}

/**
 * The predicate `https://cosign.sigstore.dev/attestation/vuln/v1`. `scanner.result` is shaped like a Trivy report
 * (SchemaVersion 2), because that is what policies read; `waybill` in it holds coverage and unknowns.
 */
export function cosignVulnPredicate(result: ScanResult, options: ReportOptions): JsonObject {
  return {
    invocation: { parameters: null, uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: `pkg:github/waybill/waybill@${options.version}`,
      version: options.version,
      db: { uri: '', version: result.database.digest },
      result: trivyReport(result, options),
    },
    metadata: {
      scanStartedOn: rfc3339(options.startedMs),
      scanFinishedOn: rfc3339(options.finishedMs),
    },
  };
}

function trivyReport(result: ScanResult, options: ReportOptions): JsonObject {
  const { subject, distro } = result.sbom;
  const json = scanJson(result, options);
  return {
    SchemaVersion: 2,
    CreatedAt: rfc3339(options.finishedMs),
    ArtifactName: subject.name,
    ArtifactType: 'container_image',
    Metadata: {
      ...(distro === undefined ? {} : { OS: { Family: distro.id, Name: distro.versionId ?? '' } }),
      ...(subject.digest === undefined ? {} : { RepoDigests: [`${subject.name}@${subject.digest}`] }),
    },
    Results: trivyResults(result),
    waybill: {
      counts: json['counts'] as JsonObject,
      coverage: json['coverage'] as readonly JsonObject[],
      unknowns: json['unknowns'] as readonly JsonObject[],
      undetermined: json['undetermined'] as readonly JsonObject[],
      database: json['database'] as JsonObject,
    },
  };
}

function trivyResults(result: ScanResult): JsonObject[] {
  const groups = Map.groupBy(result.findings, (one) => one.package.type);
  return [...groups].map(([type, findings]) => {
    const isSystem = ['deb', 'apk', 'rpm'].includes(type);
    return {
      Target: isSystem ? `${result.sbom.subject.name} (${result.sbom.distro?.id ?? 'unknown'})` : type,
      Class: isSystem ? 'os-pkgs' : 'lang-pkgs',
      Type: isSystem ? (result.sbom.distro?.id ?? 'unknown') : type,
      Vulnerabilities: findings.map(trivyVulnerability),
    };
  });
}

function trivyVulnerability(one: Finding): JsonObject {
  const { name, version, purl, id } = one.package;
  return {
    VulnerabilityID: one.id,
    ...(one.aliases.length === 0 ? {} : { VendorIDs: [...one.aliases] }),
    PkgID: `${name}@${version}`,
    PkgName: name,
    PkgIdentifier: { ...(purl === undefined ? {} : { PURL: purl }), UID: id },
    InstalledVersion: version,
    ...(one.fixed.length === 0 ? {} : { FixedVersion: one.fixed.join(', ') }),
    Status: one.fixed.length === 0 ? 'affected' : 'fixed',
    Title: one.summary,
    Severity: one.rating.severity === 'none' ? 'UNKNOWN' : one.rating.severity.toUpperCase(),
  };
}
