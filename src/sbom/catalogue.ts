/**
 * Image → packages: every layer is read once, bottom first, in constant memory; what cataloguers want is kept,
 * layers are squashed, then the cataloguers run over the result. Nothing is written to disk.
 */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import type { ImageConfig } from '#formats/image-config';
import type { Descriptor, ImageManifest } from '#formats/oci';
import { compareUnknowns, type Distro, type Sbom, type SbomSubject, type Unknown } from '#formats/sbom';
import { type ImageSource, imageConfig } from '#oci';
import { Capture } from './capture.ts';
import { cataloguers as allCataloguers } from './cataloguers/index.ts';
import { detectDistro, isDistroFile } from './distro.ts';
import { type LayerFacts, readLayer } from './layer.ts';
import { mergePackages } from './merge.ts';
import { R } from './reasons.ts';
import { ImageTree, LayerChanges } from './tree.ts';
import type { Cataloguer, Findings } from './types.ts';

/** An image whose documents are at hand and whose layers can be opened. */
export interface ImageInput {
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The stored bytes of a layer. */
  readonly openLayer: (layer: Descriptor) => AsyncIterable<Uint8Array>;
  /** `openLayer` verifies digests itself, as `ImageSource.blob` does. */
  readonly isChecked?: boolean;
}

export interface CatalogueOptions {
  readonly tool: { readonly name: string; readonly version: string };
  /** How the image is called in the SBOM: repository without tag or digest. */
  readonly name: string;
  readonly tag?: string;
  readonly cataloguers?: readonly Cataloguer[];
  readonly onLayer?: (done: number, of: number) => void;
}

export interface Catalogue {
  readonly sbom: Sbom;
  /** Uncompressed bytes and entries read. */
  readonly bytes: number;
  readonly entries: number;
}

/** `os-release` is read like a package database, by the same capture. */
const distroReader: Cataloguer = {
  name: 'distro',
  wants: isDistroFile,
  catalogue: () => ({ packages: [], unknowns: [] }),
};

/** Catalogues an image of a registry or a layout. Throws WB-840…846 for an image that cannot be read. */
export async function catalogueImage(
  source: ImageSource,
  manifest: ImageManifest,
  options: CatalogueOptions,
): Promise<Catalogue> {
  const config = await imageConfig(source, manifest);
  const openLayer = (layer: Descriptor): AsyncIterable<Uint8Array> => source.blob(layer);
  return catalogueLayers({ manifest, config, openLayer, isChecked: true }, options);
}

export async function catalogueLayers(input: ImageInput, options: CatalogueOptions): Promise<Catalogue> {
  const { manifest, config } = input;
  if (manifest.layers.length !== config.diffIds.length) {
    const expected = `${manifest.layers.length} diffIDs, one a layer`;
    throw fail(R.layerCount, { expected, actual: `${config.diffIds.length}` });
  }
  const cataloguers = options.cataloguers ?? allCataloguers;
  const capture = new Capture([distroReader, ...cataloguers]);
  const tree = new ImageTree();
  const unknowns: Unknown[] = [];
  let bytes = 0;
  let entries = 0;
  for (const [index, descriptor] of manifest.layers.entries()) {
    const changes = new LayerChanges(tree);
    const layer = {
      index,
      descriptor,
      diffId: config.diffIds[index] as (typeof config.diffIds)[number],
      open: () => input.openLayer(descriptor),
      isChecked: input.isChecked === true,
    };
    const facts = await readLayer(layer, capture.layer(changes, index));
    tree.apply(changes);
    unknowns.push(...changes.unknowns, ...disguised(facts, descriptor));
    bytes += facts.bytes;
    entries += facts.entries;
    if (entries > limits.layerEntries) {
      throw fail(R.layerLimit, { expected: `at most ${limits.layerEntries} entries`, actual: 'more' });
    }
    options.onLayer?.(index + 1, manifest.layers.length);
  }
  return { sbom: assemble(input, options, tree, cataloguers, unknowns), bytes, entries };
}

function disguised(facts: LayerFacts, descriptor: Descriptor): Unknown[] {
  if (facts.compression === facts.stated) return [];
  const reason = `layer ${descriptor.digest} is ${facts.compression}, its media type says ${facts.stated}`;
  return [{ path: '', wantedBy: 'layer', reason }];
}

function assemble(
  input: ImageInput,
  options: CatalogueOptions,
  tree: ImageTree,
  cataloguers: readonly Cataloguer[],
  unknowns: Unknown[],
): Sbom {
  const { manifest, config } = input;
  const distro = detectDistro(tree);
  const results = cataloguers.map((cataloguer) => {
    const findings = runCataloguer(cataloguer, tree, distro);
    unknowns.push(...findings.unknowns);
    return { cataloguer, packages: findings.packages };
  });
  const packages = mergePackages(results, tree, config.diffIds);
  unknowns.push(...systemUnknowns(distro, results));
  return {
    subject: subjectOf(input, options),
    ...(distro === undefined ? {} : { distro }),
    packages,
    layers: manifest.layers.map((layer, i) => ({
      digest: layer.digest,
      diffId: config.diffIds[i] as (typeof config.diffIds)[number],
      mediaType: layer.mediaType,
      size: layer.size,
    })),
    unknowns: unknowns.sort(compareUnknowns),
    tool: options.tool,
  };
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

const systemDatabases = new Set(['debian', 'ubuntu', 'alpine', 'rhel', 'fedora', 'centos', 'suse', 'arch']);

/** What hides an operating system from a scan: no name for it, or no package database where one belongs. */
function systemUnknowns(
  distro: Distro | undefined,
  results: readonly { cataloguer: Cataloguer; packages: readonly object[] }[],
): Unknown[] {
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

function subjectOf({ manifest, config }: ImageInput, options: CatalogueOptions): SbomSubject {
  return {
    name: options.name,
    digest: manifest.digest,
    ...(options.tag === undefined ? {} : { tag: options.tag }),
    os: config.platform.os,
    architecture: config.platform.architecture,
  };
}
