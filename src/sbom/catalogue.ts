/**
 * Image → packages: every layer is read once, what cataloguers want is kept, layers are squashed bottom first,
 * then the cataloguers run over the result. Nothing is written to disk.
 */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import type { ImageConfig } from '#formats/image-config';
import type { Descriptor, ImageManifest } from '#formats/oci';
import type { Sbom, SbomSubject, Unknown } from '#formats/sbom';
import { type FilePlace, type ImageSource, imageConfig } from '#oci';
import { assemble, type Stage, stageOf } from './assemble.ts';
import { cataloguers as allCataloguers } from './cataloguers/index.ts';
import { distroFiles } from './distro.ts';
import { type Compression, type LayerInput, statedCompression } from './layer.ts';
import {
  type LayerCache,
  type LayerReader,
  localReader,
  matcherOf,
  readLayers,
  readOne,
  type Sources,
} from './read-layers.ts';
import { R } from './reasons.ts';
import { replayLayer } from './replay.ts';
import { ImageTree } from './tree.ts';
import type { Cataloguer } from './types.ts';

/** An image whose documents are at hand and whose layers can be opened. */
export interface ImageInput {
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The stored bytes of a layer. */
  readonly openLayer: (layer: Descriptor) => AsyncIterable<Uint8Array>;
  /** Where the stored bytes of a layer lie in a file, if they do. */
  readonly placeOf?: (layer: Descriptor) => Promise<FilePlace | undefined>;
  /** `openLayer` verifies digests itself, as `ImageSource.blob` does. */
  readonly isChecked?: boolean;
}

/** `squashed`: what a container sees. `all-layers`: also what a later layer removed or replaced. */
export const scopes = ['squashed', 'all-layers'] as const;
export type Scope = (typeof scopes)[number];

export interface CatalogueOptions {
  readonly tool: { readonly name: string; readonly version: string };
  /** How the image is called in the SBOM: repository without tag or digest. */
  readonly name: string;
  readonly tag?: string;
  /** Default: those of installed packages. */
  readonly cataloguers?: readonly Cataloguer[];
  readonly scope?: Scope;
  /** Paths that are left out. */
  readonly isExcluded?: (path: string) => boolean;
  /** The bytes of layers are pinned by the manifest; what is inside need not be hashed once more. */
  readonly skipDiffIds?: boolean;
  readonly cache?: LayerCache;
  /** Reads layers, several at a time; default this thread, one after the other. Closed by its owner. */
  readonly reader?: LayerReader;
  /** Makes the reader for the layers that are not in the cache; closed when all is read. */
  readonly readerFor?: (unread: readonly Descriptor[]) => LayerReader | undefined;
  readonly onLayer?: (done: number, of: number) => void;
}

export interface Catalogue {
  readonly sbom: Sbom;
  /** Uncompressed bytes and entries read. */
  readonly bytes: number;
  readonly entries: number;
}

/** `os-release` is read like a package database, by the same capture. */
export const distroReader: Cataloguer = {
  name: 'distro',
  reads: 'etc/os-release',
  types: [],
  evidence: 'installed',
  files: distroFiles,
  catalogue: () => ({ packages: [], unknowns: [] }),
};

/** The cataloguers of an image: what is installed in it. */
export const installed: readonly Cataloguer[] = allCataloguers.filter((one) => one.evidence === 'installed');

/** Catalogues an image of a registry or a layout. Throws WB-840…846 for an image that cannot be read. */
export async function catalogueImage(
  source: ImageSource,
  manifest: ImageManifest,
  options: CatalogueOptions,
): Promise<Catalogue> {
  const config = await imageConfig(source, manifest);
  const openLayer = (layer: Descriptor): AsyncIterable<Uint8Array> => source.blob(layer);
  const placeOf = source.place?.bind(source);
  const places = placeOf === undefined ? {} : { placeOf };
  return catalogueLayers({ manifest, config, openLayer, isChecked: true, ...places }, options);
}

export async function catalogueLayers(input: ImageInput, options: CatalogueOptions): Promise<Catalogue> {
  const layers = await layersOf(input, options);
  const stated = layers.map(statedCompression);
  const cataloguers = [distroReader, ...(options.cataloguers ?? installed)];
  const known = await knownOf(layers, options.cache);
  const own = options.readerFor?.(
    layers.filter((one) => !known.has(one.diffId)).map((one) => one.descriptor),
  );
  const reader = options.reader ?? own ?? localReader(cataloguers, matcherOf(cataloguers));
  try {
    const sources = { reader, cache: options.cache, known };
    const read = await stagesOf({ layers, stated, cataloguers, sources }, options);
    const { manifest, config } = input;
    const found = {
      subject: subjectOf(input, options),
      layers: manifest.layers.map((layer, i) => ({
        digest: layer.digest,
        diffId: config.diffIds[i] as Digest,
        mediaType: layer.mediaType,
        size: layer.size,
      })),
      tool: options.tool,
    };
    const { bytes, entries } = read;
    return { sbom: assemble(found, read.tree, read.stages, read.unknowns), bytes, entries };
  } finally {
    await own?.close();
  }
}

async function knownOf(
  layers: readonly LayerInput[],
  cache: LayerCache | undefined,
): Promise<ReadonlySet<Digest>> {
  if (cache === undefined) return new Set();
  const ids = layers.map((one) => one.diffId);
  const found = await Promise.all(ids.map((id) => cache.has(id)));
  return new Set(ids.filter((_, i) => found[i] === true));
}

interface Reading {
  readonly layers: readonly LayerInput[];
  readonly stated: readonly Compression[];
  readonly cataloguers: readonly Cataloguer[];
  readonly sources: Sources;
}

interface Read {
  readonly tree: ImageTree;
  readonly stages: readonly Stage[];
  readonly unknowns: readonly Unknown[];
  readonly bytes: number;
  readonly entries: number;
}

/** Lays the layers on each other as they are read, and has the cataloguers look at what the scope asks for. */
async function stagesOf(
  { layers, stated, cataloguers, sources }: Reading,
  { isExcluded, scope, onLayer }: CatalogueOptions,
): Promise<Read> {
  const matcher = matcherOf(cataloguers);
  const replay = { matcher, cataloguers, ...(isExcluded === undefined ? {} : { isExcluded }) };
  const tree = new ImageTree();
  const unknowns: Unknown[] = [];
  const stages: Stage[] = [];
  let bytes = 0;
  let entries = 0;
  let kept = 0;
  for await (const { facts, record } of readLayers(layers, sources)) {
    const index = stages.length;
    const layer = layers[index] as LayerInput;
    for (const one of record.kept) kept += one.bytes.length;
    entries += facts.entries;
    requireWithin(entries, limits.layerEntries, 'entries');
    requireWithin(kept, limits.capturedBytes, 'bytes of package data');
    let replayed = replayLayer(tree, record, index, replay);
    if (replayed.again !== undefined) {
      const second = await readOne(layer, sources, replayed.again);
      replayed = replayLayer(tree, second.record, index, replay);
    }
    tree.apply(replayed.changes);
    unknowns.push(...replayed.changes.unknowns, ...disguised(facts.compression, stated[index], layer));
    bytes += facts.bytes;
    const isWanted = scope === 'all-layers' || index === layers.length - 1;
    stages.push(isWanted ? stageOf(tree, cataloguers) : { results: [], unknowns: [] });
    onLayer?.(index + 1, layers.length);
  }
  return { tree, stages, unknowns, bytes, entries };
}

async function layersOf(input: ImageInput, options: CatalogueOptions): Promise<LayerInput[]> {
  const { manifest, config } = input;
  if (manifest.layers.length !== config.diffIds.length) {
    const expected = `${manifest.layers.length} diffIDs, one a layer`;
    throw fail(R.layerCount, { expected, actual: `${config.diffIds.length}` });
  }
  const places = await Promise.all(manifest.layers.map(async (layer) => input.placeOf?.(layer)));
  return manifest.layers.map((descriptor, index) => {
    const place = places[index];
    return {
      index,
      descriptor,
      diffId: config.diffIds[index] as Digest,
      open: () => input.openLayer(descriptor),
      isChecked: input.isChecked === true,
      skipDiffId: options.skipDiffIds === true,
      ...(place === undefined ? {} : { place }),
    };
  });
}

function requireWithin(actual: number, most: number, what: string): void {
  if (actual > most) throw fail(R.layerLimit, { expected: `at most ${most} ${what}`, actual: 'more' });
}

function disguised(
  real: Compression,
  stated: Compression | undefined,
  { descriptor }: LayerInput,
): Unknown[] {
  if (real === stated) return [];
  const reason = `layer ${descriptor.digest} is ${real}, its media type says ${stated}`;
  return [{ path: '', wantedBy: 'layer', reason }];
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
