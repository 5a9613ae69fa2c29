/**
 * The cataloguers look at one state of the image. Each sees only the files it wants and is watched in what else it
 * looks up, so that it need not run again on a later state in which all that is the same.
 */
import type { Distro, Unknown } from '#formats/sbom';
import { detectDistro } from './distro.ts';
import { PathMatcher } from './match.ts';
import type { Changed, ImageTree } from './tree.ts';
import type { Cataloguer, FoundPackage, ImageFile } from './types.ts';

/** What one cataloguer found. */
export interface CataloguerResult {
  readonly cataloguer: Cataloguer;
  readonly packages: readonly FoundPackage[];
  readonly unknowns: readonly Unknown[];
  /** Paths its look-ups went through, found or not; undefined: it failed, and nothing is told by that. */
  readonly asked?: ReadonlySet<string>;
}

/** What cataloguers say of one state of the image. */
export interface Stage {
  readonly results: readonly CataloguerResult[];
  readonly distro?: Distro | undefined;
}

/** An earlier stage, and what changed in the image since. */
export interface Earlier {
  readonly stage: Stage;
  readonly changed: Changed;
}

/** Runs the cataloguers over the files as they are now; results of an earlier stage stand where they would be equal. */
export function stageOf(tree: ImageTree, cataloguers: readonly Cataloguer[], earlier?: Earlier): Stage {
  const distro = detectDistro(tree);
  const standing = earlier === undefined ? new Map() : standingOf(earlier, cataloguers, distro);
  const running = cataloguers.filter((one) => !standing.has(one.name));
  const files = wantedFiles(tree.files, running);
  const results = cataloguers.map(
    (one) => standing.get(one.name) ?? runCataloguer(one, tree, files.get(one) ?? [], distro),
  );
  return { results, distro };
}

/** Results that nothing changed for, by the names of their cataloguers. */
function standingOf(
  { stage, changed }: Earlier,
  cataloguers: readonly Cataloguer[],
  distro: Distro | undefined,
): ReadonlyMap<string, CataloguerResult> {
  if (JSON.stringify(distro) !== JSON.stringify(stage.distro)) return new Map();
  const touched = wantedFiles(changed.files, cataloguers);
  const touchedNames = new Set([...touched.keys()].map((one) => one.name));
  const standing = new Map<string, CataloguerResult>();
  for (const one of stage.results) {
    const { name } = one.cataloguer;
    if (touchedNames.has(name) || one.asked === undefined) continue;
    if (changed.paths.isDisjointFrom(one.asked)) standing.set(name, one);
  }
  return standing;
}

/** The files each cataloguer wants by its rules or took something of, in the order given. */
function wantedFiles(
  files: readonly ImageFile[],
  cataloguers: readonly Cataloguer[],
): ReadonlyMap<Cataloguer, ImageFile[]> {
  const matcher = new PathMatcher(cataloguers.map((one) => [one, one.files] as const));
  const byName = new Map(cataloguers.map((one) => [one.name, one]));
  const wanted = new Map<Cataloguer, ImageFile[]>();
  for (const file of files) {
    const owners = matcher.all(file.path);
    for (const name of file.findings?.keys() ?? []) {
      const owner = byName.get(name);
      if (owner !== undefined) owners.push(owner);
    }
    for (const owner of owners) {
      const list = wanted.get(owner);
      if (list === undefined) wanted.set(owner, [file]);
      else if (list.at(-1) !== file) list.push(file);
    }
  }
  return wanted;
}

/** One cataloguer that fails on hostile input must not take the others with it, and must not be silent. */
function runCataloguer(
  cataloguer: Cataloguer,
  tree: ImageTree,
  files: readonly ImageFile[],
  distro: Distro | undefined,
): CataloguerResult {
  const asked = new Set<string>();
  const image = { files, find: (path: string) => tree.find(path, asked) };
  try {
    return { cataloguer, ...cataloguer.catalogue(image, { distro }), asked };
  } catch (error) {
    const reason = `the cataloguer failed: ${error instanceof Error ? error.message : String(error)}`;
    return { cataloguer, packages: [], unknowns: [{ path: '', wantedBy: cataloguer.name, reason }] };
  }
}
