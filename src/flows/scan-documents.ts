/** A scan as a document of a form that others read. Equal scans at equal times give equal bytes. */
import { utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import type { JsonObject } from '#formats/json';
import {
  cosignVulnPredicate,
  csafReport,
  cycloneDxVex,
  githubSnapshot,
  gitlabReport,
  grypeReport,
  junitReport,
  markdownReport,
  openVexReport,
  scanReasons as R,
  type ReportOptions,
  SCAN_SCHEMA,
  type ScanResult,
  sarifReport,
  scanJson,
  scanTable,
  trivyReport,
  vulnPredicate,
} from '#scan';

type Writer = (result: ScanResult, options: ReportOptions) => string | JsonObject;

const writers = {
  table: (result, options) => `${scanTable(result, options.finishedMs, options)}\n`,
  json: (result, options) => ({ schema: SCAN_SCHEMA, ...scanJson(result, options) }),
  sarif: (result, options) => sarifReport(result, options.version),
  'cyclonedx-vex': cycloneDxVex,
  openvex: openVexReport,
  csaf: csafReport,
  junit: junitReport,
  markdown: markdownReport,
  'cosign-vuln': cosignVulnPredicate,
  'cosign-vuln-grype': (result, options) => vulnPredicate(result, options, grypeReport(result, options)),
  'trivy-json': trivyReport,
  'grype-json': grypeReport,
  github: githubSnapshot,
  gitlab: gitlabReport,
} as const satisfies Readonly<Record<string, Writer>>;

export type ScanFormat = keyof typeof writers;
export const scanFormats = Object.keys(writers) as readonly ScanFormat[];

export function parseScanFormat(text: string): ScanFormat {
  const found = scanFormats.find((format) => format === text);
  if (found !== undefined) return found;
  throw fail(R.format, { expected: scanFormats.join(', '), actual: JSON.stringify(text) });
}

export function scanDocument(result: ScanResult, format: ScanFormat, options: ReportOptions): Uint8Array {
  const written = writers[format](result, options);
  return utf8(typeof written === 'string' ? written : `${JSON.stringify(written)}\n`);
}
