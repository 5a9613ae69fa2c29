/**
 * How much of the minimum elements an SBOM has: NTIA 2021 ("The Minimum Elements For an SBOM") and those the CISA
 * draft of August 2025 adds.
 */
import type { Sbom, SbomPackage } from './sbom.ts';

export interface QualityElement {
  readonly name: string;
  readonly of: 'NTIA' | 'CISA';
  /** Packages that have it, of how many; elements of the document count as 0 or 1 of 1. */
  readonly have: number;
  readonly total: number;
}

export interface Quality {
  /** 0 to 10, one decimal: the mean over all elements. */
  readonly score: number;
  readonly elements: readonly QualityElement[];
}

type Check = readonly [name: string, of: 'NTIA' | 'CISA', holds: (one: SbomPackage) => boolean];

const isFilled = (value: string | undefined): boolean => value !== undefined && value !== '';

const packageChecks: readonly Check[] = [
  ['supplier', 'NTIA', (one) => isFilled(one.supplier)],
  ['component name', 'NTIA', (one) => isFilled(one.name)],
  ['component version', 'NTIA', (one) => isFilled(one.version) && one.version !== 'UNKNOWN'],
  ['unique identifier', 'NTIA', (one) => isFilled(one.purl) || (one.cpes ?? []).length > 0],
  ['component hash', 'CISA', (one) => (one.hashes ?? []).length > 0],
  ['licence', 'CISA', (one) => one.licenses.length > 0],
];

/** Pure. A document without packages has nothing that could be complete: its score counts the document only. */
export function sbomQuality(sbom: Sbom): Quality {
  const { packages } = sbom;
  const elements: QualityElement[] = packageChecks.map(([name, of, holds]) => ({
    name,
    of,
    have: packages.filter(holds).length,
    total: packages.length,
  }));
  const related = new Set(
    packages.flatMap((one) => (one.dependsOn.length === 0 ? [] : [one.id, ...one.dependsOn])),
  );
  const document = (name: string, of: 'NTIA' | 'CISA', isThere: boolean): QualityElement => ({
    name,
    of,
    have: isThere ? 1 : 0,
    total: 1,
  });
  elements.push(
    document('dependency relationships', 'NTIA', related.size > 0),
    document('author of the data', 'NTIA', sbom.tool.name !== 'unknown'),
    document('timestamp', 'NTIA', isFilled(sbom.created)),
    document('tool name', 'CISA', sbom.tool.name !== 'unknown'),
    document('generation context', 'CISA', isFilled(sbom.context)),
  );
  const counted = elements.filter(({ total }) => total > 0);
  const mean = counted.reduce((sum, { have, total }) => sum + have / total, 0) / counted.length;
  return { score: Math.round(mean * 100) / 10, elements };
}
