/** The report of Grype: matches with what was asked and found, ignored matches with the rule that applied. */
import { rfc3339 } from '#base/clock';
import type { JsonObject, JsonValue } from '#formats/json';
import { systemTypes } from '../ecosystems.ts';
import { type Finding, idsOf, type ScanResult, type Suppressed } from '../finding.ts';
import { countBySeverity, type ReportOptions } from './options.ts';

/** Names of package types as Syft and Grype write them. */
const types: Readonly<Record<string, readonly [type: string, language: string]>> = {
  npm: ['npm', 'javascript'],
  pypi: ['python', 'python'],
  golang: ['go-module', 'go'],
  cargo: ['rust-crate', 'rust'],
  maven: ['java-archive', 'java'],
  gem: ['gem', 'ruby'],
  nuget: ['dotnet', 'dotnet'],
  composer: ['php-composer', 'php'],
  generic: ['binary', ''],
};

/** purl type → Grype's name of the type. */
export const grypeType = (type: string): string => types[type]?.[0] ?? type;

/** Grype's word: its own scale starts at negligible. */
export function grypeSeverity({ rating }: Finding): string {
  if (rating.severity === 'none') return 'Negligible';
  return `${rating.severity.charAt(0).toUpperCase()}${rating.severity.slice(1)}`;
}

const labels: Readonly<Record<string, number>> = {
  none: 0.5,
  low: 3,
  medium: 5,
  high: 7.5,
  critical: 9,
  unknown: 5,
};

/** Grype's risk, 0–100: chance of exploitation times severity, more where exploitation is known. */
export function riskOf({ rating, epss, knownExploited }: Finding): number {
  const threat = knownExploited === undefined ? (epss?.probability ?? 0) : 1;
  const scores = (rating.cvss ?? []).map(({ score }) => score);
  const mean = scores.length === 0 ? undefined : scores.reduce((sum, one) => sum + one, 0) / scores.length;
  const label = labels[rating.severity] ?? 5;
  const severity = (mean === undefined ? label : (label + mean) / 2) / 10;
  const factor = knownExploited === undefined ? 1 : knownExploited.isRansomware ? 1.1 : 1.05;
  return Math.min(1, threat * severity * factor) * 100;
}

export function grypeReport(result: ScanResult, options: ReportOptions): JsonObject {
  const { subject, distro } = result.sbom;
  return {
    matches: result.findings.map((one) => matchJson(one, result)),
    ignoredMatches: result.suppressed.map((one) => ({
      ...matchJson(one.finding, result),
      appliedIgnoreRules: [ruleJson(one)],
    })),
    source: {
      type: 'image',
      target: {
        userInput: subject.name,
        ...(subject.digest === undefined ? {} : { manifestDigest: subject.digest }),
      },
    },
    distro: { name: distro?.id ?? '', version: distro?.versionId ?? '', idLike: [...(distro?.idLike ?? [])] },
    descriptor: {
      name: 'waybill',
      version: options.version,
      timestamp: rfc3339(options.finishedMs),
      db: {
        status: {
          schemaVersion: String(result.database.schemaVersion),
          built: rfc3339(result.database.builtMs),
          checksum: result.database.digest,
          valid: true,
        },
      },
      counts: countBySeverity(result.findings),
    },
  };
}

function matchJson(one: Finding, result: ScanResult): JsonObject {
  const namespace = namespaceOf(one);
  const related = idsOf(one).filter((id) => id !== mainId(one));
  return {
    vulnerability: {
      ...idJson(mainId(one), one, namespace),
      fix: {
        versions: [...one.fixed],
        state: one.state,
        ...(one.fixed.length === 0 ? {} : { available: [] }),
      },
      advisories: one.advisories.filter((id) => id !== mainId(one)).map((id) => ({ id })),
      risk: Number(riskOf(one).toFixed(4)),
    },
    relatedVulnerabilities: related.map((id) => idJson(id, one, namespace)),
    matchDetails: [detailJson(one, result)],
    artifact: artifactJson(one),
  };
}

/** Grype keeps the advisory's own id unless it is told to go by CVE. */
const mainId = ({ advisories, id }: Finding): string =>
  advisories.includes(id) ? id : (advisories[0] ?? id);

function idJson(id: string, one: Finding, namespace: string): JsonObject {
  const { epss, knownExploited } = one;
  const cve = one.id;
  return {
    id,
    dataSource: one.references[0] ?? '',
    namespace,
    severity: grypeSeverity(one),
    urls: [...one.references],
    description: one.summary,
    cvss: (one.rating.cvss ?? []).map(({ version, vector, score }) => ({
      version,
      vector,
      metrics: { baseScore: score },
      vendorMetadata: {},
    })),
    ...(epss === undefined
      ? {}
      : { epss: [{ cve, epss: epss.probability, percentile: epss.percentile, date: epss.date ?? '' }] }),
    ...(knownExploited === undefined
      ? {}
      : {
          knownExploited: [
            {
              cve,
              dateAdded: knownExploited.dateAdded,
              knownRansomwareCampaignUse: knownExploited.isRansomware ? 'known' : 'unknown',
            },
          ],
        }),
    ...(one.cwes.length === 0 ? {} : { cwes: one.cwes.map((cwe) => ({ cve, cwe })) }),
  };
}

function namespaceOf({ ecosystem, package: pkg }: Finding): string {
  const [name = '', release] = ecosystem.split(':');
  if (systemTypes.has(pkg.type))
    return `${name.toLowerCase().replaceAll(' ', '')}:distro:${name.toLowerCase()}:${release ?? ''}`;
  return `osv:language:${types[pkg.type]?.[1] ?? pkg.type}`;
}

function detailJson(one: Finding, result: ScanResult): JsonObject {
  const isIndirect = one.source !== undefined;
  const { distro } = result.sbom;
  return {
    type: one.cpe !== undefined ? 'cpe-match' : isIndirect ? 'exact-indirect-match' : 'exact-direct-match',
    matcher: `${systemTypes.has(one.package.type) ? one.package.type : (types[one.package.type]?.[1] ?? 'stock')}-matcher`,
    searchedBy: {
      ...(distro !== undefined && systemTypes.has(one.package.type)
        ? { distro: { type: distro.id, version: distro.versionId ?? '' } }
        : {}),
      namespace: namespaceOf(one),
      package: { name: one.source ?? one.package.name, version: one.package.version },
      ...(one.cpe === undefined ? {} : { cpes: [one.cpe] }),
    },
    found: {
      vulnerabilityID: mainId(one),
      versionConstraint: one.fixed.length === 0 ? 'none' : `< ${one.fixed.join(' || < ')}`,
    },
    ...(one.fixed[0] === undefined ? {} : { fix: { suggestedVersion: one.fixed[0] } }),
  };
}

function artifactJson({ package: pkg }: Finding): JsonObject {
  const [type, language] = types[pkg.type] ?? [pkg.type, ''];
  return {
    id: pkg.id,
    name: pkg.name,
    version: pkg.version,
    type,
    locations: pkg.locations.map(({ path, layer }) => ({
      path: `/${path}`,
      ...(layer === undefined ? {} : { layerID: layer }),
    })),
    language,
    licenses: [...pkg.licenses],
    cpes: [...(pkg.cpes ?? [])],
    purl: pkg.purl ?? '',
    upstreams: pkg.source === undefined ? [] : [{ ...pkg.source }],
  };
}

function ruleJson(one: Suppressed): Record<string, JsonValue> {
  const vex = one.vex;
  return {
    vulnerability: one.finding.id,
    reason: `${one.by}: ${one.reason}`,
    namespace: one.file ?? '',
    ...(vex === undefined ? {} : { 'vex-status': vex.status, 'vex-justification': vex.justification ?? '' }),
  };
}
