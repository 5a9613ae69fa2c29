/** An image by name, or an SBOM, → what is known to be wrong with what is inside. */
import { fileURLToPath } from 'node:url';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, type Reason } from '#base/reason';
import { unwrap } from '#base/result';
import type { JsonObject } from '#formats/json';
import type { Platform } from '#formats/oci';
import type { Sbom } from '#formats/sbom';
import { parseSbom } from '#formats/sbom-read';
import type { Registry } from '#oci';
import { readFileLimited } from '#platform/files';
import {
  type AdvisoryDatabase,
  cosignVulnPredicate,
  type GateOptions,
  judge,
  loadDatabase,
  loadRecords,
  matchPackages,
  memoryDatabase,
  scanReasons as R,
  type ReportOptions,
  SCAN_SCHEMA,
  type ScanResult,
  sarifReport,
  scanJson,
  scanTable,
} from '#scan';

export const scanFormats = ['table', 'json', 'cosign-vuln', 'sarif'] as const;
export type ScanFormat = (typeof scanFormats)[number];

/** The sample that comes with waybill. */
export const sampleFolder: string = fileURLToPath(new URL('../../demo/advisories', import.meta.url));

/** The database file given; without one the sample, held in memory and marked as what it is. */
export async function openAdvisories(file: string | undefined): Promise<AdvisoryDatabase> {
  if (file !== undefined) return loadDatabase(file);
  const { records } = await loadRecords([sampleFolder]);
  const times = records.map((record) => Date.parse(record.modified ?? '')).filter(Number.isFinite);
  // The sample is as old as its newest record, whenever it is read.
  return memoryDatabase(records, Math.max(0, ...times));
}

export interface ScanImageOptions {
  /** Version of waybill. */
  readonly version: string;
  readonly platform?: Platform;
  readonly onLayer?: (done: number, of: number) => void;
  /** The image an SBOM must be about. */
  readonly expectDigest?: Digest;
}

/** `sbom:FILE` is read; everything else is an image, which is catalogued first. */
export async function scanTarget(
  registry: () => Promise<Registry>,
  target: string,
  database: AdvisoryDatabase,
  options: ScanImageOptions,
): Promise<ScanResult> {
  const sbom = await targetSbom(registry, target, options);
  const { digest } = sbom.subject;
  if (options.expectDigest !== undefined && digest !== options.expectDigest) {
    throw fail(R.subject, { expected: `an SBOM of ${options.expectDigest}`, actual: digest ?? 'no digest' });
  }
  return matchPackages(sbom, database);
}

async function targetSbom(
  registry: () => Promise<Registry>,
  target: string,
  options: ScanImageOptions,
): Promise<Sbom> {
  if (target.startsWith('sbom:')) {
    return unwrap(parseSbom(await readFileLimited(target.slice(5), limits.sbomBytes)));
  }
  // Cataloguers and their parsers are loaded only when there is an image to look into.
  const { sbomImage } = await import('./sbom-image.ts');
  return (await sbomImage(await registry(), target, options)).sbom;
}

export const judgeScan = (result: ScanResult, options: GateOptions): readonly Reason[] =>
  judge(result, options);

export function parseScanFormat(text: string): ScanFormat {
  const found = scanFormats.find((format) => format === text);
  if (found !== undefined) return found;
  throw fail(R.format, { expected: scanFormats.join(', '), actual: JSON.stringify(text) });
}

/** The result as a document. */
export function scanDocument(result: ScanResult, format: ScanFormat, options: ReportOptions): Uint8Array {
  if (format === 'table') return utf8(`${scanTable(result, options.finishedMs)}\n`);
  return utf8(`${JSON.stringify(scanValue(result, format, options))}\n`);
}

function scanValue(
  result: ScanResult,
  format: Exclude<ScanFormat, 'table'>,
  options: ReportOptions,
): JsonObject {
  if (format === 'cosign-vuln') return cosignVulnPredicate(result, options);
  if (format === 'sarif') return sarifReport(result, options.version);
  return { schema: SCAN_SCHEMA, ...scanJson(result, options) };
}
