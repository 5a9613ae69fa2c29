/** A scan as OpenVEX: findings are affected, what VEX documents said is kept, decisions of ours are not facts. */

import { toHex, utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { sha256 } from '#base/crypto';
import type { JsonObject } from '#formats/json';
import { type OpenVexStatement, openVexJson } from '#formats/openvex';
import type { SbomSubject } from '#formats/sbom';
import type { Finding, ScanResult } from '../finding.ts';
import type { ReportOptions } from './options.ts';

/** The image as VEX documents name it. */
export function imagePurl({ name, digest }: SbomSubject): string {
  if (digest === undefined) return `pkg:oci/${encodeURIComponent(name.split('/').at(-1) ?? name)}`;
  const last = encodeURIComponent(name.split('/').at(-1) ?? name);
  return `pkg:oci/${last}@${encodeURIComponent(digest)}?repository_url=${encodeURIComponent(name)}`;
}

export function openVexReport(result: ScanResult, options: ReportOptions): JsonObject {
  const product = imagePurl(result.sbom.subject);
  const base = (one: Finding): Pick<OpenVexStatement, 'id' | 'aliases' | 'product' | 'parts'> => ({
    id: one.id,
    aliases: one.aliases,
    product,
    parts: one.package.purl === undefined ? [] : [one.package.purl],
  });
  const statements: OpenVexStatement[] = [
    ...result.findings.map((one) => ({ ...base(one), status: 'affected' as const, action: actionOf(one) })),
    ...result.suppressed.flatMap(({ finding, vex, reason }) => {
      if (vex === undefined) return [];
      const why = vex.justification === undefined ? {} : { justification: vex.justification };
      return [{ ...base(finding), status: vex.status, ...why, impact: reason }];
    }),
  ];
  const hash = toHex(sha256(utf8(JSON.stringify(statements)))).slice(0, 32);
  return openVexJson(statements, {
    id: `urn:waybill:vex:${hash}`,
    author: 'waybill scan',
    timestamp: rfc3339(options.finishedMs),
    tooling: `waybill ${options.version}, advisories ${result.database.digest}`,
  });
}

/** What to do about a finding, in words. */
export const actionOf = (one: Finding): string =>
  one.fixed.length === 0
    ? 'no fixed version is known'
    : `update ${one.package.name} to ${one.fixed.join(' or ')}`;
