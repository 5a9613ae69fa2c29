/** An image by name, or an SBOM, → what is known to be wrong with what is inside. */
import { fileURLToPath } from 'node:url';
import type { Digest } from '#base/brand';
import { fail } from '#base/reason';
import type { Sbom } from '#formats/sbom';
import type { Registry } from '#oci';
import {
  type AdvisoryDatabase,
  type CpeMatching,
  loadDatabase,
  loadRecords,
  matchPackages,
  memoryDatabase,
  scanReasons as R,
  type RefineOptions,
  refine,
  type ScanResult,
  withoutDuplicates,
} from '#scan';
import { readSbomFile, type Tell } from './sbom-file.ts';
import type { SbomImageOptions } from './sbom-image.ts';
import type { DatabaseTrust } from './scan-database.ts';
import { defaultDatabase } from './scan-place.ts';

/** The sample that comes with waybill. */
export const sampleFolder: string = fileURLToPath(new URL('../../demo/advisories', import.meta.url));

/**
 * The database file given, else the one of the environment or of `db update`, whose signature is verified where
 * trust is given; without any, the sample, held in memory and marked as what it is.
 */
export async function openAdvisories(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  trust?: DatabaseTrust,
): Promise<AdvisoryDatabase> {
  const file = given ?? defaultDatabase(env);
  if (file !== undefined) {
    if (trust === undefined) return loadDatabase(file);
    return await (await import('./scan-database.ts')).openTrustedDatabase(file, trust);
  }
  const { records } = await loadRecords([sampleFolder]);
  const times = records.map((record) => Date.parse(record.modified ?? '')).filter(Number.isFinite);
  // The sample is as old as its newest record, whenever it is read.
  return memoryDatabase(records, Math.max(0, ...times));
}

export interface ScanImageOptions extends SbomImageOptions {
  /** The image an SBOM must be about. */
  readonly expectDigest?: Digest;
  /** What people decided about findings. */
  readonly refine: RefineOptions;
  /** Which packages are looked up as products too; default those nothing else speaks of. */
  readonly cpe?: CpeMatching;
}

export interface Scanned {
  readonly sbom: Sbom;
  readonly result: ScanResult;
}

/** `sbom:FILE` is read; everything else is an image, which is catalogued first. */
export async function scanTarget(
  registry: () => Promise<Registry>,
  target: string,
  database: AdvisoryDatabase,
  options: ScanImageOptions,
): Promise<Scanned> {
  const notes: string[] = [];
  const sbom = await targetSbom(registry, target, options, (note) => notes.push(note));
  return scanSbom(sbom, database, options, notes);
}

/** An SBOM that was read or made before; `notes` are what there is to know about it. */
export function scanSbom(
  given: Sbom,
  database: AdvisoryDatabase,
  options: Pick<ScanImageOptions, 'expectDigest' | 'refine' | 'cpe'>,
  notes: readonly string[] = [],
): Scanned {
  const sbom = withoutDuplicates(given);
  const { digest } = sbom.subject;
  if (options.expectDigest !== undefined && digest !== options.expectDigest) {
    throw fail(R.subject, { expected: `an SBOM of ${options.expectDigest}`, actual: digest ?? 'no digest' });
  }
  const matched = matchPackages(sbom, database, options.cpe === undefined ? {} : { cpe: options.cpe });
  const result = refine(matched, sbom, options.refine);
  // An empty list is what a document says that was made of nothing, too.
  const empty = sbom.packages.length === 0 ? ['no packages are listed: nothing could be found'] : [];
  return { sbom, result: { ...result, notes: [...notes, ...empty, ...result.notes] } };
}

/** What is inside a target: an SBOM file, alone or in an attestation; a folder; an image. */
export async function targetSbom(
  registry: () => Promise<Registry>,
  target: string,
  options: SbomImageOptions,
  tell: Tell,
): Promise<Sbom> {
  if (target.startsWith('sbom:')) return readSbomFile(target.slice(5), tell);
  // Cataloguers and their parsers are loaded only when there is an image to look into.
  const { folderOf, sbomFolder, sbomImage } = await import('./sbom-image.ts');
  const folder = folderOf(target);
  if (folder !== undefined) return (await sbomFolder(folder, options)).sbom;
  return (await sbomImage(await registry(), target, options)).sbom;
}
