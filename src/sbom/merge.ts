/** From what each cataloguer found to the packages of the SBOM: ids, merged places, ownership, edges. */
import type { Digest } from '#base/brand';
import { cpeCandidates } from '#formats/cpe';
import { comparePackages, isSystemPath, packageId, type SbomLocation, type SbomPackage } from '#formats/sbom';
import { NameSet } from './owned.ts';
import { baseOf } from './paths.ts';
import type { CataloguerResult } from './stage.ts';
import type { Cataloguer, FoundPackage, SquashedFiles } from './types.ts';

interface Draft {
  readonly found: FoundPackage;
  readonly cataloguer: Cataloguer;
  readonly locations: SbomLocation[];
  readonly needs: Set<string>;
}

/**
 * Merges equal packages found in several places, drops programs that an operating system package brought
 * (the package itself says more), and marks language packages it brought with their owner.
 */
export function mergePackages(
  results: readonly CataloguerResult[],
  image: SquashedFiles,
  diffIds: readonly Digest[],
): SbomPackage[] {
  const drafts = new Map<string, Draft>();
  for (const { cataloguer, packages } of results) {
    const ids = packages.map((one) => idOf(one, cataloguer));
    packages.forEach((found, i) => {
      const id = ids[i] as string;
      const draft = drafts.get(id) ?? { found, cataloguer, locations: [], needs: new Set<string>() };
      drafts.set(id, draft);
      const layer = diffIds[found.layer];
      if (!draft.locations.some((one) => one.path === found.path && one.layer === layer)) {
        draft.locations.push({ path: found.path, ...(layer === undefined ? {} : { layer }) });
      }
      for (const need of found.needs ?? []) if (ids[need] !== id) draft.needs.add(ids[need] as string);
    });
  }
  const owners = findOwners(drafts, image);
  // Elsewhere a list of files is no more than the word of whoever made the image.
  const isBrought = ([id, { cataloguer, locations }]: [string, Draft]): boolean =>
    cataloguer.name === 'binary' && owners.has(id) && locations.every(({ path }) => isSystemPath(path));
  const kept = [...drafts].filter((one) => !isBrought(one));
  const ids = new Set(kept.map(([id]) => id));
  return kept.map(([id, draft]) => finish(id, draft, owners.get(id), ids)).sort(comparePackages);
}

const idOf = (found: FoundPackage, cataloguer: Cataloguer): string =>
  packageId(found.type, found.name, found.version, found.purl, cataloguer.name);

/** The file of the image: what lies inside an archive is written `outer.jar:inner.jar`. */
const fileOf = (path: string): string => /^.+?\.[jwe]ar(?=:)/.exec(path)?.[0] ?? path;

/** Id of the owner for each package all of whose files were brought by operating system packages. */
function findOwners(drafts: ReadonlyMap<string, Draft>, image: SquashedFiles): Map<string, string> {
  const wanted = new Map<string, string | undefined>();
  for (const { cataloguer, locations } of drafts.values()) {
    if (cataloguer.isSystem !== true) for (const { path } of locations) wanted.set(fileOf(path), undefined);
  }
  // A path leads to a wanted one by links: of folders, which keep its name, or by one of its own name, that leads there.
  const names = new NameSet();
  for (const path of wanted.keys()) names.add(baseOf(path));
  for (const link of image.links) if (wanted.has(image.real(link))) names.add(baseOf(link));
  for (const [id, { found, cataloguer }] of drafts) {
    if (cataloguer.isSystem !== true) continue;
    for (const path of found.owns?.named(names) ?? []) {
      const real = wanted.has(path) ? path : image.real(path);
      if (wanted.has(real) && wanted.get(real) === undefined) wanted.set(real, id);
    }
  }
  const owners = new Map<string, string>();
  for (const [id, { cataloguer, locations }] of drafts) {
    if (cataloguer.isSystem === true) continue;
    const found = locations.map(({ path }) => wanted.get(fileOf(path)));
    if (found[0] !== undefined && found.every((owner) => owner !== undefined)) owners.set(id, found[0]);
  }
  return owners;
}

function finish(id: string, draft: Draft, owner: string | undefined, ids: ReadonlySet<string>): SbomPackage {
  const { found } = draft;
  const cpes = found.cpes ?? cpeCandidates(found);
  return {
    id,
    type: found.type,
    name: found.name,
    version: found.version,
    ...(found.purl === undefined ? {} : { purl: found.purl }),
    foundBy: draft.cataloguer.name,
    locations: draft.locations.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)),
    licenses: found.licenses ?? [],
    ...(found.supplier === undefined ? {} : { supplier: found.supplier }),
    ...(found.description === undefined ? {} : { description: found.description }),
    ...(found.homepage === undefined ? {} : { homepage: found.homepage }),
    ...(found.architecture === undefined ? {} : { architecture: found.architecture }),
    ...(found.source === undefined ? {} : { source: found.source }),
    ...(found.hashes === undefined || found.hashes.length === 0 ? {} : { hashes: found.hashes }),
    ...(cpes.length === 0 ? {} : { cpes }),
    dependsOn: [...draft.needs].filter((need) => ids.has(need)).sort(),
    ...(owner === undefined ? {} : { ownedBy: owner }),
  };
}
