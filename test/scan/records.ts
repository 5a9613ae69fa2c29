/** Advisories and packages of a few words, and a scan of them. */
import assert from 'node:assert/strict';
import type { JsonValue } from '#formats/json';
import { type OsvRecord, parseOsv } from '#formats/osv';
import { packageId, type Sbom, type SbomPackage } from '#formats/sbom';
import { matchPackages, memoryDatabase, type ScanResult } from '#scan';

export function one(
  type: string,
  name: string,
  version: string,
  rest: Partial<SbomPackage> = {},
): SbomPackage {
  const id = packageId(type, name, version, rest.purl, 'test');
  return { id, type, name, version, foundBy: 'test', locations: [], licenses: [], dependsOn: [], ...rest };
}

export function sbomOf(packages: readonly SbomPackage[], rest: Partial<Sbom> = {}): Sbom {
  const tool = { name: 'waybill', version: '0' };
  return { subject: { name: 'app' }, packages, layers: [], unknowns: [], tool, ...rest };
}

export function record(json: Record<string, JsonValue>): OsvRecord {
  const parsed = parseOsv(json);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.check);
  return parsed.value;
}

export const range = (...events: Record<string, string>[]): JsonValue => [{ type: 'ECOSYSTEM', events }];

export function advisory(
  id: string,
  ecosystem: string,
  name: string,
  fixed: string,
  more: Record<string, JsonValue> = {},
): OsvRecord {
  const ranges = range({ introduced: '0' }, { fixed });
  return record({
    id,
    summary: `about ${name}`,
    affected: [{ package: { ecosystem, name }, ranges }],
    ...more,
  });
}

export function scan(
  records: readonly OsvRecord[],
  packages: readonly SbomPackage[],
  rest: Partial<Sbom> = {},
): ScanResult {
  const database = memoryDatabase(records, 0);
  try {
    return matchPackages(sbomOf(packages, rest), database);
  } finally {
    database.close();
  }
}

export const found = (result: ScanResult): string[] =>
  result.findings.map((f) => `${f.id} ${f.package.name}`);
