/** An image or a folder by name → what is inside it. */
import type { Digest } from '#base/brand';
import { type Reason, reason } from '#base/reason';
import { parseEngineSource } from '#formats/image-source';
import type { Descriptor, Platform } from '#formats/oci';
import { parseReference, repositoryText } from '#formats/reference';
import type { Sbom } from '#formats/sbom';
import { type EnginePlaces, openEngineImage, type Registry, selectImage } from '#oci';
import {
  type CatalogueOptions,
  type Cataloguer,
  catalogueFolder,
  catalogueImage,
  excluder,
  type LayerCache,
  type LayerReader,
  sbomReasons as R,
  type Scope,
  type SourceKind,
  selectCataloguers,
  threadedReader,
  threadsFor,
} from '#sbom';
import { type ResolvedImage, resolveImage } from './resolve.ts';

export { sourceDateEpochMs } from './sbom-document.ts';

export interface SbomImageOptions {
  /** Version of waybill, for the document. */
  readonly version: string;
  readonly platform?: Platform;
  /** Where `docker:`, `podman:` and `containerd:` are looked for; absent: they are names like any other. */
  readonly engines?: EnginePlaces;
  /** The name in the document instead of the repository or the folder. */
  readonly name?: string;
  readonly scope?: Scope;
  /** Patterns of paths that are left out. */
  readonly exclude?: readonly string[];
  /** Words of a cataloguer selection. */
  readonly cataloguers?: readonly string[];
  readonly cache?: LayerCache;
  /** Take the bytes inside a layer as they are: the layer itself is pinned by its digest. */
  readonly skipDiffIds?: boolean;
  /** Layers read at a time, each on a thread of its own; 0: one after the other on this one. Default: by size. */
  readonly threads?: number;
  readonly onLayer?: (done: number, of: number) => void;
}

export interface SbomImage {
  readonly sbom: Sbom;
  readonly resolved: ResolvedImage;
  /** The image that was catalogued: of an index, the one for the platform. */
  readonly digest: Digest;
  readonly bytes: number;
  readonly entries: number;
}

/** Resolves, reads every layer once, catalogues. */
export async function sbomImage(
  registry: Registry,
  image: string,
  options: SbomImageOptions,
): Promise<SbomImage> {
  const resolved = await resolveSource(registry, image, options.engines);
  const { manifest } = await selectImage(resolved.source, { digest: resolved.digest }, options.platform);
  const tag = resolved.reference?.tag;
  const { cache, scope, skipDiffIds } = options;
  const chosen = catalogueOptions(options, options.name ?? subjectName(resolved), 'image');
  const { sbom, bytes, entries } = await catalogueImage(resolved.source, manifest, {
    ...chosen,
    ...(tag === undefined ? {} : { tag }),
    ...(scope === undefined ? {} : { scope }),
    ...(cache === undefined ? {} : { cache }),
    ...(skipDiffIds === undefined ? {} : { skipDiffIds }),
    readerFor: (unread) => readerFor(unread, options, chosen.cataloguers ?? []),
  });
  return { sbom, resolved, digest: manifest.digest, bytes, entries };
}

/** An image of an engine has no registry's digest, so it is no reference that could be verified. */
async function resolveSource(
  registry: Registry,
  image: string,
  engines: EnginePlaces | undefined,
): Promise<ResolvedImage> {
  const named = engines === undefined ? undefined : parseEngineSource(image);
  if (engines === undefined || named === undefined) return resolveImage(registry, image);
  const { source, selector } = await openEngineImage(named, engines);
  const descriptor = await source.resolve(selector);
  return { source, digest: descriptor.digest, descriptor, name: image };
}

/** Threads for what the cache does not know; none where that is nothing or little. */
function readerFor(
  unread: readonly Descriptor[],
  options: SbomImageOptions,
  chosen: readonly Cataloguer[],
): LayerReader | undefined {
  const { threads = threadsFor(unread) } = options;
  if (threads === 0 || unread.length === 0) return undefined;
  const names = chosen.map((one) => one.name);
  return threadedReader(names, Math.min(threads, unread.length));
}

export interface SbomFolder {
  readonly sbom: Sbom;
  readonly bytes: number;
  readonly entries: number;
}

/** Catalogues a folder of this machine. */
export async function sbomFolder(path: string, options: SbomImageOptions): Promise<SbomFolder> {
  return catalogueFolder(path, catalogueOptions(options, options.name ?? lastPart(path), 'folder'));
}

/** The folder of `dir:PATH`; undefined for what is an image. */
export const folderOf = (source: string): string | undefined => /^dir:(.+)$/.exec(source)?.[1];

function catalogueOptions(options: SbomImageOptions, name: string, kind: SourceKind): CatalogueOptions {
  const isExcluded = excluder(options.exclude ?? []);
  return {
    tool: { name: 'waybill', version: options.version },
    name,
    cataloguers: selectCataloguers(options.cataloguers ?? [], kind),
    ...(isExcluded === undefined ? {} : { isExcluded }),
    ...(options.onLayer === undefined ? {} : { onLayer: options.onLayer }),
  };
}

/** The repository; of a layout or archive its last path part, since the rest belongs to one machine. */
function subjectName({ reference, name }: ResolvedImage): string {
  if (reference !== undefined) return repositoryText(reference);
  const engine = parseEngineSource(name);
  const known = engine === undefined ? undefined : parseReference(engine.name);
  if (known?.ok === true) return repositoryText(known.value);
  return lastPart(name.replace(/^[a-z-]+:/, '').replace(/@sha256:[0-9a-f]+$/, ''));
}

function lastPart(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
  return parts.at(-1) ?? 'image';
}

/** Why an SBOM with gaps is refused where gaps are not accepted; undefined when everything was read. */
export function judgeUnknowns({ unknowns }: Sbom): Reason | undefined {
  if (unknowns.length === 0) return undefined;
  const first = unknowns.slice(0, 3).map((one) => `${one.path === '' ? 'image' : one.path}: ${one.reason}`);
  const more = unknowns.length > first.length ? ` and ${unknowns.length - first.length} more` : '';
  return reason(R.unknowns, { expected: 'everything read', actual: `${first.join('; ')}${more}` });
}
