/** Several SBOMs of one thing, for example of different tools or parts, as one. */
import {
  comparePackages,
  compareUnknowns,
  packageId,
  type Sbom,
  type SbomLocation,
  type SbomPackage,
  type SbomSubject,
} from './sbom.ts';
import { addTo } from './sbom-parts.ts';

export interface MergeOptions {
  readonly subject: SbomSubject;
  readonly tool: Sbom['tool'];
}

/** What names a package across documents. */
const keyOf = ({ type, name, version, purl }: SbomPackage): string => purl ?? `${type} ${name} ${version}`;

/** Equal packages become one that knows all places, licences and needs. Pure; the order of documents counts little. */
export function mergeSboms(sboms: readonly Sbom[], { subject, tool }: MergeOptions): Sbom {
  const groups = new Map<string, SbomPackage[]>();
  const ids = new Map<string, string>();
  sboms.forEach((sbom, i) => {
    for (const one of sbom.packages) {
      const key = keyOf(one);
      addTo(groups, key, [{ ...one, ...rebased(one, i) }]);
      ids.set(`${i} ${one.id}`, packageId(one.type, one.name, one.version, one.purl, 'merge'));
    }
  });
  const merged = [...groups.values()].map((group) => mergeGroup(group, ids));
  const distros = sboms.flatMap(({ distro }) => distro ?? []);
  const [first] = distros;
  const isOneDistro = distros.every((one) => one.id === first?.id && one.versionId === first.versionId);
  const layers = new Map(sboms.flatMap((sbom) => sbom.layers.map((layer) => [layer.diffId, layer] as const)));
  return {
    subject,
    ...(first === undefined || !isOneDistro ? {} : { distro: first }),
    packages: merged.sort(comparePackages),
    layers: [...layers.values()],
    unknowns: sboms.flatMap((sbom) => sbom.unknowns).sort(compareUnknowns),
    tool,
  };
}

/** Ids are those of one document: with its number they stay apart until all are known. */
function rebased(one: SbomPackage, document: number): Pick<SbomPackage, 'dependsOn' | 'ownedBy'> {
  return {
    dependsOn: one.dependsOn.map((id) => `${document} ${id}`),
    ...(one.ownedBy === undefined ? {} : { ownedBy: `${document} ${one.ownedBy}` }),
  };
}

function mergeGroup(group: readonly SbomPackage[], ids: ReadonlyMap<string, string>): SbomPackage {
  const [first] = group as [SbomPackage];
  const id = packageId(first.type, first.name, first.version, first.purl, 'merge');
  const all = <T>(pick: (one: SbomPackage) => readonly T[] | undefined): T[] => [
    ...new Set(group.flatMap((one) => pick(one) ?? [])),
  ];
  const places = new Map<string, SbomLocation>();
  for (const place of group.flatMap((one) => one.locations))
    places.set(`${place.path}\0${place.layer}`, place);
  const needs = all((one) => one.dependsOn).map((need) => ids.get(need));
  const owner = group.map((one) => ids.get(one.ownedBy ?? '')).find((one) => one !== undefined);
  const cpes = all((one) => one.cpes);
  const hashes = all((one) => one.hashes);
  const known = { ...first };
  for (const one of group.toReversed()) Object.assign(known, one);
  const { ownedBy: _owner, ...rest } = known;
  return {
    ...rest,
    id,
    locations: [...places.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)),
    licenses: all((one) => one.licenses),
    ...(cpes.length === 0 ? {} : { cpes }),
    ...(hashes.length === 0 ? {} : { hashes }),
    dependsOn: [...new Set(needs.filter((one): one is string => one !== undefined && one !== id))].sort(),
    ...(owner === undefined || owner === id ? {} : { ownedBy: owner }),
  };
}
