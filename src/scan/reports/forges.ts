/** GitLab's container-scanning report (schema 15) and GitHub's dependency snapshot. */

import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { JsonObject } from '#formats/json';
import { compareText, type Finding, type ScanResult } from '../finding.ts';
import { fixText, gapLines, type ReportOptions } from './options.ts';

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

export function gitlabReport(result: ScanResult, options: ReportOptions): JsonObject {
  const tool = {
    id: 'waybill',
    name: 'waybill',
    version: options.version,
    vendor: { name: 'waybill' },
  };
  // The schema allows no fractions and no zone.
  const time = (ms: number): string => rfc3339(ms).slice(0, 19);
  return {
    version: '15.0.7',
    scan: {
      analyzer: tool,
      scanner: tool,
      type: 'container_scanning',
      start_time: time(options.startedMs),
      end_time: time(options.finishedMs),
      status: 'success',
      messages: gapLines(result).map((value) => ({ level: 'warn', value })),
    },
    vulnerabilities: result.findings.map((one) => gitlabFinding(one, result)),
    remediations: [],
  };
}

function gitlabFinding(one: Finding, { sbom }: ScanResult): JsonObject {
  const { distro, subject } = sbom;
  const image = subject.digest === undefined ? subject.name : `${subject.name}@${subject.digest}`;
  const severity = one.rating.severity === 'none' ? 'Info' : capital(one.rating.severity);
  return {
    id: toHex(sha256(utf8(JSON.stringify([image, one.id, one.package.id])))),
    // The schema bounds texts, and knows addresses of the web only.
    name: one.id.slice(0, 255),
    description: one.summary.slice(0, 1_000_000),
    severity,
    solution:
      one.fixed.length === 0
        ? fixText(one)
        : `Upgrade ${one.package.name} to ${one.fixed.join(' or ')}`.slice(0, 7000),
    identifiers: [one.id, ...one.aliases].map((id) => ({
      type: id.replace(/-.*$/, '').toLowerCase(),
      name: id,
      value: id,
    })),
    links: one.references.filter((url) => /^https?:\/\/./.test(url)).map((url) => ({ url })),
    location: {
      dependency: { package: { name: one.package.name }, version: one.package.version },
      operating_system: distro === undefined ? 'Unknown' : `${distro.id} ${distro.versionId ?? ''}`.trim(),
      image,
    },
  };
}

/** What GitHub's dependency graph takes; the caller fills in commit, ref and job. */
export function githubSnapshot(result: ScanResult, options: ReportOptions): JsonObject {
  const { subject } = result.sbom;
  const packages = (options.sbom?.packages ?? []).filter((one) => one.purl !== undefined);
  const resolved = packages
    .map((one): [string, JsonObject] => [
      `${one.type}:${one.name}@${one.version}`,
      { package_url: one.purl as string, relationship: 'direct', scope: 'runtime' },
    ])
    .sort(([a], [b]) => compareText(a, b));
  return {
    version: 0,
    detector: { name: 'waybill', version: options.version, url: 'https://waybill.dev' },
    metadata: {
      'waybill:image': subject.digest === undefined ? subject.name : `${subject.name}@${subject.digest}`,
      'waybill:findings': result.findings.length,
    },
    scanned: rfc3339(options.finishedMs),
    manifests: { [subject.name]: { name: subject.name, resolved: Object.fromEntries(resolved) } },
  };
}
