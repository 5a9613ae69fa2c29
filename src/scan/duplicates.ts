/** Components that a document lists twice, or that two cataloguers found: one package in several places. */
import type { Sbom, SbomPackage } from '#formats/sbom';

/** What a finding depends on, beside ownership and places. */
const keyOf = ({ type, name, version, purl, architecture, source }: SbomPackage): string =>
  JSON.stringify([type, name, version, purl, architecture, source?.name, source?.version]);

/**
 * The same SBOM with each package once, in the place of its first entry. It is the distribution's only when each of
 * them is. Pure; the SBOM itself when there is nothing to unite.
 */
export function withoutDuplicates(sbom: Sbom): Sbom {
  const groups = new Map<string, [SbomPackage, ...SbomPackage[]]>();
  for (const one of sbom.packages) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  if (groups.size === sbom.packages.length) return sbom;
  const kept = new Map<string, string>();
  for (const [first, ...others] of groups.values()) for (const one of others) kept.set(one.id, first.id);
  const idOf = (id: string): string => kept.get(id) ?? id;
  const packages = [...groups.values()].map((group): SbomPackage => {
    const [first] = group;
    const { ownedBy: _owner, ...united } = group.length === 1 ? first : unite(group);
    const owner = group.every((one) => one.ownedBy !== undefined) ? first.ownedBy : undefined;
    const dependsOn = [...new Set(united.dependsOn.map(idOf))];
    return { ...united, dependsOn, ...(owner === undefined ? {} : { ownedBy: idOf(owner) }) };
  });
  return { ...sbom, packages };
}

function unite(group: readonly [SbomPackage, ...SbomPackage[]]): SbomPackage {
  const all = <T>(listOf: (one: SbomPackage) => readonly T[] | undefined): T[] => [
    ...new Map(group.flatMap((one) => listOf(one) ?? []).map((one) => [JSON.stringify(one), one])).values(),
  ];
  const cpes = all((one) => one.cpes);
  const hashes = all((one) => one.hashes);
  return {
    ...group[0],
    locations: all((one) => one.locations),
    licenses: all((one) => one.licenses),
    dependsOn: all((one) => one.dependsOn),
    ...(cpes.length === 0 ? {} : { cpes }),
    ...(hashes.length === 0 ? {} : { hashes }),
  };
}
