/** What two SBOMs say differently of packages. */
import type { Sbom, SbomPackage } from './sbom.ts';

export interface ChangedPackage {
  readonly type: string;
  readonly name: string;
  /** Versions in the first and in the second, sorted. */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

export interface SbomDiff {
  readonly added: readonly SbomPackage[];
  readonly removed: readonly SbomPackage[];
  readonly changed: readonly ChangedPackage[];
  /** Types of which one document has packages and the other none at all. */
  readonly oneSided: readonly string[];
}

const nameOf = ({ type, name }: SbomPackage): string => `${type} ${name}`;

/** By type, name and version; a name that is in both with other versions is a change. Pure. */
export function diffSboms(from: Sbom, to: Sbom): SbomDiff {
  const [before, after] = [byName(from), byName(to)];
  const added: SbomPackage[] = [];
  const removed: SbomPackage[] = [];
  const changed: ChangedPackage[] = [];
  for (const [key, list] of before) {
    const other = after.get(key);
    if (other === undefined) {
      for (const one of list.values()) removed.push(one);
      continue;
    }
    const gone = [...list.keys()].filter((version) => !other.has(version));
    const come = [...other.keys()].filter((version) => !list.has(version));
    if (gone.length === 0 && come.length === 0) continue;
    const [{ type, name }] = list.values() as unknown as [SbomPackage];
    changed.push({ type, name, from: gone.sort(), to: come.sort() });
  }
  for (const [key, list] of after) {
    if (!before.has(key)) for (const one of list.values()) added.push(one);
  }
  return { added, removed, changed, oneSided: oneSided(from, to) };
}

/** Whether the documents say the same. */
export const isSame = ({ added, removed, changed }: SbomDiff): boolean =>
  added.length === 0 && removed.length === 0 && changed.length === 0;

function byName({ packages }: Sbom): Map<string, Map<string, SbomPackage>> {
  const found = new Map<string, Map<string, SbomPackage>>();
  for (const one of packages) {
    const versions = found.get(nameOf(one)) ?? new Map<string, SbomPackage>();
    found.set(nameOf(one), versions);
    if (!versions.has(one.version)) versions.set(one.version, one);
  }
  return found;
}

function oneSided(from: Sbom, to: Sbom): string[] {
  const [a, b] = [from, to].map((one) => new Set(one.packages.map(({ type }) => type))) as [
    Set<string>,
    Set<string>,
  ];
  return [...a.symmetricDifference(b)].sort();
}
