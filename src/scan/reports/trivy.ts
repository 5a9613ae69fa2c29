/** The report of Trivy (SchemaVersion 2), and cosign's vulnerability predicate around it. */
import { rfc3339 } from '#base/clock';
import type { JsonObject } from '#formats/json';
import { systemTypes } from '../ecosystems.ts';
import type { Finding, ScanResult } from '../finding.ts';
import { scanJson } from './json.ts';
import type { ReportOptions } from './options.ts';

/**
 * The predicate `https://cosign.sigstore.dev/attestation/vuln/v1`. `scanner.result` is shaped like a Trivy report
 * (SchemaVersion 2), because that is what policies read; `waybill` in it holds coverage and unknowns.
 */
export function cosignVulnPredicate(result: ScanResult, options: ReportOptions): JsonObject {
  return vulnPredicate(result, options, trivyReport(result, options));
}

/** cosign's predicate around a report of any form. `scanner.db` names the database by its content. */
export function vulnPredicate(result: ScanResult, options: ReportOptions, report: JsonObject): JsonObject {
  return {
    invocation: { parameters: null, uri: '', event_id: '', 'builder.id': '' },
    scanner: {
      uri: `pkg:github/waybill/waybill@${options.version}`,
      version: options.version,
      db: { uri: '', version: result.database.digest },
      result: report,
    },
    metadata: {
      scanStartedOn: rfc3339(options.startedMs),
      scanFinishedOn: rfc3339(options.finishedMs),
    },
  };
}

export function trivyReport(result: ScanResult, options: ReportOptions): JsonObject {
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
    const isSystem = systemTypes.has(type);
    return {
      Target: isSystem ? `${result.sbom.subject.name} (${result.sbom.distro?.id ?? 'unknown'})` : type,
      Class: isSystem ? 'os-pkgs' : 'lang-pkgs',
      Type: isSystem ? (result.sbom.distro?.id ?? 'unknown') : type,
      Vulnerabilities: findings.map(trivyVulnerability),
    };
  });
}

const trivyStatus: Readonly<Record<Finding['state'], string>> = {
  fixed: 'fixed',
  'not-fixed': 'affected',
  'wont-fix': 'will_not_fix',
  unknown: 'unknown',
};

function trivyVulnerability(one: Finding): JsonObject {
  const { name, version, purl, id, locations } = one.package;
  const [place] = locations;
  const path = systemTypes.has(one.package.type) ? undefined : place?.path;
  return {
    VulnerabilityID: one.id,
    ...(one.aliases.length === 0 ? {} : { VendorIDs: [...one.aliases] }),
    PkgID: `${name}@${version}`,
    PkgName: name,
    ...(path === undefined ? {} : { PkgPath: path }),
    PkgIdentifier: { ...(purl === undefined ? {} : { PURL: purl }), UID: id },
    InstalledVersion: version,
    ...(one.fixed.length === 0 ? {} : { FixedVersion: one.fixed.join(', ') }),
    Status: trivyStatus[one.state],
    ...(place?.layer === undefined ? {} : { Layer: { DiffID: place.layer } }),
    ...(one.references[0] === undefined ? {} : { PrimaryURL: one.references[0] }),
    Title: one.summary,
    Severity: one.rating.severity === 'none' ? 'UNKNOWN' : one.rating.severity.toUpperCase(),
    ...(one.cwes.length === 0 ? {} : { CweIDs: [...one.cwes] }),
    ...cvssOf(one),
    ...(one.references.length === 0 ? {} : { References: [...one.references] }),
    ...(one.published === undefined ? {} : { PublishedDate: one.published }),
  };
}

/** Trivy has one vector a version and source; the source of ours is the advisory. */
function cvssOf({ rating }: Finding): JsonObject {
  const found: Record<string, string | number> = {};
  for (const { version, vector, score } of rating.cvss ?? []) {
    const major = version.slice(0, 1);
    const prefix = major === '4' ? 'V40' : `V${major}`;
    if (found[`${prefix}Vector`] !== undefined) continue;
    found[`${prefix}Vector`] = vector;
    found[`${prefix}Score`] = score;
  }
  return Object.keys(found).length === 0 ? {} : { CVSS: { advisory: found } };
}
