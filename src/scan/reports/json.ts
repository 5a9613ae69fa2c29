/** A scan as `waybill.dev/scan/v1`. */
import { rfc3339 } from '#base/clock';
import type { JsonObject } from '#formats/json';
import type { SbomPackage } from '#formats/sbom';
import type { Finding, ScanResult, Suppressed } from '../finding.ts';
import { countBySeverity, type ReportOptions } from './options.ts';

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
    suppressed: result.suppressed.map(suppressedJson),
    licenses: result.licenses.map((one) => ({
      package: packageJson(one.package),
      licenses: [...one.licenses],
      reason: one.reason,
    })),
    ...(result.endOfLife === undefined ? {} : { endOfLife: { ...result.endOfLife } }),
    unused: (result.unused ?? []).map((one) => ({ ...one })),
    notes: [...result.notes],
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
  const failOn = gate.failOn === undefined ? {} : { failOn: gate.failOn };
  return { gate: { ...failOn, passed: reasons.length === 0, reasons } };
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
    ...(database.epss === undefined ? {} : { epss: database.epss }),
    ...(database.knownExploited === undefined ? {} : { knownExploited: database.knownExploited }),
    ecosystems: Object.fromEntries(database.ecosystems),
    sources: database.sources.map((one) => ({ ...one })),
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
    package: packageJson(one.package),
    ecosystem: one.ecosystem,
    ...(one.source === undefined ? {} : { source: one.source }),
    fixed: [...one.fixed],
    state: one.state,
    related: [...one.related],
    advisories: [...one.advisories],
    cwes: [...one.cwes],
    references: [...one.references],
    ...(rating.cvss === undefined ? {} : { cvss: rating.cvss.map((score) => ({ ...score })) }),
    ...(one.epss === undefined ? {} : { epss: { ...one.epss } }),
    ...(one.knownExploited === undefined ? {} : { knownExploited: { ...one.knownExploited } }),
    malicious: one.isMalicious,
    sample: one.isSample,
    ...(one.published === undefined ? {} : { published: one.published }),
    ...(one.cpe === undefined ? {} : { match: 'cpe', cpe: one.cpe }),
  };
}

const packageJson = (one: SbomPackage): JsonObject => ({
  name: one.name,
  version: one.version,
  type: one.type,
  ...(one.purl === undefined ? {} : { purl: one.purl }),
  locations: one.locations.map(({ path }) => `/${path}`),
});

/** Who took a finding off the list stands with it. */
const suppressedJson = ({ finding, by, reason, file, owner, expires, vex }: Suppressed): JsonObject => ({
  ...findingJson(finding),
  by,
  reason,
  ...(file === undefined ? {} : { file }),
  ...(owner === undefined ? {} : { owner }),
  ...(expires === undefined ? {} : { expires }),
  ...(vex === undefined ? {} : { vex: { ...vex } }),
});
