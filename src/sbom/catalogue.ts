/**
 * Image → packages: every layer is read once, what cataloguers want is kept, layers are squashed bottom first,
 * then the cataloguers run over the result. Nothing is written to disk.
 */
import type { Digest } from '#base/brand';
import { fail, WaybillError } from '#base/reason';
import type { ImageConfig } from '#formats/image-config';
import type { Descriptor, ImageManifest } from '#formats/oci';
import type { Sbom, SbomSubject } from '#formats/sbom';
import { type FilePlace, type ImageSource, imageConfig } from '#oci';
import { assemble } from './assemble.ts';
import { cataloguers as allCataloguers } from './cataloguers/index.ts';
import { distroFiles } from './distro.ts';
import { type LayerInput, statedCompression } from './layer.ts';
import { type LayerCache, type LayerReader, localReader, matcherOf } from './read-layers.ts';
import { R } from './reasons.ts';
import { type Bases, squashLayers } from './squash.ts';
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
  for (const layer of layers) statedCompression(layer);
  const { cache } = options;
  const cached = await cachedOf(layers, options);
  try {
    return await catalogueOnce(input, layers, cached, options);
  } catch (error) {
    const isCached = cached.known.size > 0 || cached.from > 0;
    if (cache === undefined || !isCached || !isOfRecords(error)) throw error;
    // What a record says is never why an image cannot be read: the layers are read, and the records made again.
    const fresh = { ...options, cache: onlyWritten(cache) };
    return await catalogueOnce(input, layers, await cachedOf(layers, fresh), fresh);
  }
}

/** Failures that a record can cause which was edited: what it stumbles over, and limits it claims to exceed. */
const isOfRecords = (error: unknown): boolean =>
  !(error instanceof WaybillError) || error.reason.code === R.layerLimit.code;

const onlyWritten = (cache: LayerCache): LayerCache => ({
  has: () => Promise.resolve(false),
  get: () => Promise.resolve(undefined),
  hasBase: () => Promise.resolve(false),
  getBase: () => Promise.resolve(undefined),
  put: cache.put,
  putBase: cache.putBase,
});

async function catalogueOnce(
  input: ImageInput,
  layers: readonly LayerInput[],
  { known, ...bases }: Cached,
  options: CatalogueOptions,
): Promise<Catalogue> {
  const cataloguers = [distroReader, ...(options.cataloguers ?? installed)];
  const own = options.readerFor?.(
    layers.filter((one) => !known.has(one.diffId)).map((one) => one.descriptor),
  );
  const reader = options.reader ?? own ?? localReader(cataloguers, matcherOf(cataloguers));
  try {
    const sources = { reader, cache: options.cache, known };
    const { isExcluded, onLayer, scope } = options;
    const isEach = scope === 'all-layers';
    const read = await squashLayers({ layers, cataloguers, sources, isExcluded, isEach, onLayer, ...bases });
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

interface Cached extends Bases {
  /** Of layers that need not be read. */
  readonly known: ReadonlySet<Digest>;
}

/**
 * What the cache has, and what it is to keep: the lower layers that were known before, or else all but the last. Not
 * where paths are left out, which nothing in it would tell, nor where every layer is looked at.
 */
async function cachedOf(layers: readonly LayerInput[], options: CatalogueOptions): Promise<Cached> {
  const { cache, isExcluded, scope, skipDiffIds } = options;
  if (cache === undefined) return { known: new Set(), from: 0, keepAt: 0 };
  const ids = layers.map((one) => one.diffId);
  const isWhole = isExcluded === undefined && scope !== 'all-layers';
  const [single, together] = await Promise.all([
    Promise.all(ids.map((id) => cache.has(id))),
    Promise.all(ids.map(async (_, i) => isWhole && (await cache.hasBase(ids.slice(0, i + 1))))),
  ]);
  const from = together.lastIndexOf(true) + 1;
  const found = single.map((isThere, i) => isThere || i < from);
  const unread = found.indexOf(false);
  const first = unread < 0 ? ids.length : unread;
  // What was not compared with its diffID may not stand for it later.
  const isKept = isWhole && skipDiffIds !== true;
  const keepAt = isKept ? (first === 0 ? ids.length - 1 : first) : 0;
  return { known: new Set(ids.filter((_, i) => found[i])), from, keepAt };
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

function subjectOf({ manifest, config }: ImageInput, options: CatalogueOptions): SbomSubject {
  return {
    name: options.name,
    digest: manifest.digest,
    ...(options.tag === undefined ? {} : { tag: options.tag }),
    os: config.platform.os,
    architecture: config.platform.architecture,
  };
}
