/** CycloneDX 1.6 with vulnerabilities: findings, and as their analysis what people decided about the others. */

import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { JsonObject } from '#formats/json';
import type { SbomPackage } from '#formats/sbom';
import { cycloneDxJustifications } from '#formats/vex-cyclonedx';
import { compareText, type Finding, type ScanResult, type Suppressed } from '../finding.ts';
import type { ReportOptions } from './options.ts';

const refOf = (one: SbomPackage): string => one.purl ?? `waybill:${one.id}`;

export function cycloneDxVex(result: ScanResult, options: ReportOptions): JsonObject {
  const { subject } = result.sbom;
  const stated = result.suppressed.filter((one) => one.by === 'vex' || one.by === 'ignore-rule');
  const packages = new Map(
    [...result.findings, ...stated.map(({ finding }) => finding)].map((one) => [
      refOf(one.package),
      one.package,
    ]),
  );
  const vulnerabilities = [
    ...result.findings.map((one) => vulnerabilityJson(one)),
    ...stated.map((one) => ({ ...vulnerabilityJson(one.finding), analysis: analysisOf(one) })),
  ];
  const body = {
    metadata: {
      timestamp: rfc3339(options.finishedMs),
      tools: { components: [{ type: 'application', name: 'waybill', version: options.version }] },
      component: {
        type: 'container',
        'bom-ref': 'image',
        name: subject.name,
        ...(subject.digest === undefined ? {} : { version: subject.digest }),
      },
    },
    components: [...packages]
      .sort(([a], [b]) => compareText(a, b))
      .map(([ref, one]) => ({
        type: 'library',
        'bom-ref': ref,
        name: one.name,
        version: one.version,
        ...(one.purl === undefined ? {} : { purl: one.purl }),
      })),
    vulnerabilities,
  };
  return { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: serialOf(body), version: 1, ...body };
}

/** From the content: the same scan has the same serial number (a version 8 UUID, RFC 9562). */
function serialOf(body: object): string {
  const hex = toHex(sha256(utf8(JSON.stringify(body))));
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
  ];
  return `urn:uuid:${[...parts, hex.slice(20, 32)].join('-')}`;
}

const methods: Readonly<Record<string, string>> = {
  '2.0': 'CVSSv2',
  '3.0': 'CVSSv3',
  '3.1': 'CVSSv31',
  '4.0': 'CVSSv4',
};

function vulnerabilityJson(one: Finding): JsonObject {
  const { rating } = one;
  const severity = rating.severity;
  const scored = (rating.cvss ?? []).map(({ version, vector, score }) => ({
    score,
    severity,
    method: methods[version] ?? 'other',
    vector,
  }));
  return {
    'bom-ref': `${one.id}/${one.package.id}`,
    id: one.id,
    source: { name: one.advisories.join(', ') },
    references: one.aliases.map((id) => ({ id, source: { name: id.replace(/-.*$/, '') } })),
    ratings: scored.length === 0 ? [{ severity, method: 'other' }] : scored,
    ...(one.cwes.length === 0 ? {} : { cwes: one.cwes.map((cwe) => Number(cwe.slice(4))) }),
    ...(one.summary === '' ? {} : { description: one.summary }),
    ...(one.fixed.length === 0 ? {} : { recommendation: `update to ${one.fixed.join(' or ')}` }),
    advisories: one.references.map((url) => ({ url })),
    ...(one.published === undefined ? {} : { published: one.published }),
    affects: [
      {
        ref: refOf(one.package),
        versions: [{ version: one.package.version, status: 'affected' }],
      },
    ],
  };
}

/** The words of CycloneDX for what VEX agreed on. */
function analysisOf({ by, reason, vex }: Suppressed): JsonObject {
  if (vex?.status === 'fixed') return { state: 'resolved', detail: reason };
  const named = vex?.justification;
  const found = Object.entries(cycloneDxJustifications).find(([, agreed]) => agreed === named)?.[0];
  if (by === 'vex')
    return {
      state: 'not_affected',
      ...(found === undefined ? {} : { justification: found }),
      detail: reason,
    };
  return { state: 'exploitable', response: ['will_not_fix'], detail: reason };
}
