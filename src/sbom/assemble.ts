/** From what cataloguers found to the SBOM: packages are merged, what is missing is named. */
import { compareUnknowns, type Distro, type Sbom, type Unknown } from '#formats/sbom';
import { detectDistro } from './distro.ts';
import { mergePackages } from './merge.ts';
import type { CataloguerResult, Stage } from './stage.ts';
import type { ImageTree } from './tree.ts';

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
    ...results.flatMap((one) => one.unknowns),
    ...systemUnknowns(distro, results),
    ...brokenNames(results),
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

/** A name or version that was no UTF-8 has replacement characters: nothing known about the package is found by it. */
const brokenNames = (results: readonly CataloguerResult[]): Unknown[] =>
  results.flatMap(({ cataloguer, packages }) =>
    packages
      .filter(({ name, version }) => `${name}${version}`.includes('\ufffd'))
      .map(({ name, version, path }) => ({
        path,
        wantedBy: cataloguer.name,
        reason: `a package whose name or version cannot be read whole: ${JSON.stringify(`${name} ${version}`)}`,
      })),
  );

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
