/** From captured files to the SBOM: the cataloguers run, what they found is merged, what is missing is named. */
import { compareUnknowns, type Distro, type Sbom, type Unknown } from '#formats/sbom';
import { detectDistro } from './distro.ts';
import { type CataloguerResult, mergePackages } from './merge.ts';
import type { ImageTree } from './tree.ts';
import type { Cataloguer, Findings } from './types.ts';

/** What cataloguers say of one state of the image. */
export interface Stage {
  readonly results: readonly CataloguerResult[];
  readonly unknowns: readonly Unknown[];
}

/** Runs every cataloguer over the files as they are now. */
export function stageOf(tree: ImageTree, cataloguers: readonly Cataloguer[]): Stage {
  const distro = detectDistro(tree);
  const unknowns: Unknown[] = [];
  const results = cataloguers.map((cataloguer) => {
    const findings = runCataloguer(cataloguer, tree, distro);
    unknowns.push(...findings.unknowns);
    return { cataloguer, packages: findings.packages };
  });
  return { results, unknowns };
}

/** One cataloguer that fails on hostile input must not take the others with it, and must not be silent. */
function runCataloguer(cataloguer: Cataloguer, tree: ImageTree, distro: Distro | undefined): Findings {
  try {
    return cataloguer.catalogue(tree, { distro });
  } catch (error) {
    const reason = `the cataloguer failed: ${error instanceof Error ? error.message : String(error)}`;
    return { packages: [], unknowns: [{ path: '', wantedBy: cataloguer.name, reason }] };
  }
}

/** The finished SBOM. */
export function assemble(
  found: Pick<Sbom, 'subject' | 'layers' | 'tool'>,
  tree: ImageTree,
  stages: readonly Stage[],
  unknowns: readonly Unknown[],
): Sbom {
  const distro = detectDistro(tree);
  const results = stages.flatMap((stage) => stage.results);
  const all = [
    ...unknowns,
    ...stages.flatMap((stage) => stage.unknowns),
    ...systemUnknowns(distro, results),
  ].sort(compareUnknowns);
  return {
    subject: found.subject,
    ...(distro === undefined ? {} : { distro }),
    packages: mergePackages(
      results,
      tree,
      found.layers.map((layer) => layer.diffId),
    ),
    layers: found.layers,
    unknowns: all.filter((one, i) => i === 0 || compareUnknowns(one, all[i - 1] as Unknown) !== 0),
    tool: found.tool,
  };
}

const systemDatabases = new Set(['debian', 'ubuntu', 'alpine', 'rhel', 'fedora', 'centos', 'suse', 'arch']);

/** What hides an operating system from a scan: no name for it, or no package database where one belongs. */
function systemUnknowns(distro: Distro | undefined, results: readonly CataloguerResult[]): Unknown[] {
  const hasSystem = results.some((one) => one.cataloguer.isSystem === true && one.packages.length > 0);
  if (distro === undefined) {
    if (!hasSystem) return [];
    const reason = 'system packages but no os-release: the distribution is not known';
    return [{ path: 'etc/os-release', wantedBy: 'distro', reason }];
  }
  const isExpected = [distro.id, ...distro.idLike].some((id) => systemDatabases.has(id));
  if (hasSystem || !isExpected) return [];
  const reason = `${distro.id} without a package database that can be read`;
  return [{ path: '', wantedBy: 'distro', reason }];
}
