/**
 * `docker save` archives. Newer ones are OCI layouts too and are read as such; older ones hold
 * `manifest.json`, a config and uncompressed layers, from which an image manifest is made up: its digest is
 * ours, not the registry's, so such an image can be scanned but not matched to a signature.
 */
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import { hasher } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson } from '#formats/json';
import {
  buildManifest,
  type Descriptor,
  describe,
  descriptorOf,
  type Manifest,
  mediaType,
} from '#formats/oci';
import { LayoutSource, requireLayout } from './layout.ts';
import { type FilePlace, type LayoutFiles, readSmall, tarFiles } from './layout-files.ts';
import { R } from './reasons.ts';
import type { Content, ImageSource, Selector } from './source.ts';
import { verified } from './verified-stream.ts';

interface SavedImage {
  readonly tags: readonly string[];
  readonly manifest: Manifest;
  /** Digest of a blob → its path in the archive. */
  readonly paths: ReadonlyMap<Digest, string>;
}

export const openDockerArchive = async (file: string): Promise<ImageSource> =>
  readDockerArchive(await tarFiles(file));

/** The image or images in the files of an archive. */
export async function readDockerArchive(files: LayoutFiles): Promise<ImageSource> {
  if ((await files.size('oci-layout')) !== undefined) {
    const layout = new LayoutSource(files);
    await requireLayout(layout);
    return layout;
  }
  const images: SavedImage[] = [];
  for (const entry of await savedEntries(files)) images.push(await readSaved(files, entry));
  return new DockerArchive(files, images);
}

class DockerArchive implements ImageSource {
  readonly name: string;
  readonly #files: LayoutFiles;
  readonly #images: readonly SavedImage[];

  constructor(files: LayoutFiles, images: readonly SavedImage[]) {
    this.name = `docker-archive:${files.name}`;
    this.#files = files;
    this.#images = images;
  }

  async resolve(selector: Selector): Promise<Descriptor> {
    if (selector.digest !== undefined) return descriptorOf(await this.manifest(selector.digest));
    const { tag } = selector;
    const fits = this.#images.filter(
      (image) => tag === undefined || image.tags.some((t) => t.endsWith(`:${tag}`)),
    );
    const [only] = fits;
    if (only !== undefined && fits.length === 1) return descriptorOf(only.manifest);
    const there = this.#images.flatMap((image) => image.tags).join(', ');
    throw fail(R.notFound, { expected: `one image ${tag ?? ''} in ${this.name}`, actual: there || 'none' });
  }

  manifest(digest: Digest): Promise<Manifest> {
    const found = this.#images.find((image) => image.manifest.digest === digest);
    if (found !== undefined) return Promise.resolve(found.manifest);
    return Promise.reject(
      fail(R.notFound, { expected: `${digest} in ${this.name}`, actual: 'no such manifest' }),
    );
  }

  async *blob(content: Content): AsyncIterable<Uint8Array> {
    const path = this.#pathOf(content);
    if (path === undefined) {
      throw fail(R.notFound, { expected: `${content.digest} in ${this.name}`, actual: 'no such blob' });
    }
    yield* verified(this.#files.stream(path), content, this.name);
  }

  async place(content: Content): Promise<FilePlace | undefined> {
    const path = this.#pathOf(content);
    return path === undefined ? undefined : this.#files.place(path);
  }

  #pathOf({ digest }: Content): string | undefined {
    return this.#images.map((image) => image.paths.get(digest)).find((path) => path !== undefined);
  }

  referrers(): Promise<readonly Descriptor[]> {
    return Promise.resolve([]);
  }
}

interface SavedEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

async function savedEntries(files: LayoutFiles): Promise<readonly SavedEntry[]> {
  const bytes = await requireFile(files, 'manifest.json');
  const json = unwrap(parseJson(bytes));
  const isText = (value: unknown): boolean => typeof value === 'string';
  const isEntry = (value: unknown): value is SavedEntry => {
    const entry = value as Partial<Record<keyof SavedEntry, unknown>> | null;
    return (
      typeof entry === 'object' &&
      isText(entry?.Config) &&
      Array.isArray(entry?.Layers) &&
      entry.Layers.every(isText) &&
      (entry.RepoTags === null || entry.RepoTags === undefined || Array.isArray(entry.RepoTags))
    );
  };
  if (Array.isArray(json) && json.every(isEntry)) return json as unknown as readonly SavedEntry[];
  throw fail(R.archive, { expected: 'manifest.json with Config and Layers', actual: 'something else' });
}

async function readSaved(files: LayoutFiles, entry: SavedEntry): Promise<SavedImage> {
  const paths = new Map<Digest, string>();
  const config = describe(await requireFile(files, entry.Config), mediaType.dockerConfig);
  paths.set(config.digest, entry.Config);
  const layers: Descriptor[] = [];
  for (const path of entry.Layers) {
    const layer = await describeFile(files, path);
    paths.set(layer.digest, path);
    layers.push(layer);
  }
  const manifest = buildManifest({ mediaType: mediaType.dockerManifest, config, layers });
  return { tags: (entry.RepoTags ?? []).filter((tag) => typeof tag === 'string'), manifest, paths };
}

async function describeFile(files: LayoutFiles, path: string): Promise<Descriptor> {
  const state = hasher();
  let size = 0;
  for await (const chunk of files.stream(path)) {
    state.update(chunk);
    size += chunk.length;
  }
  const digest = `sha256:${toHex(state.finish())}` as Digest;
  return { mediaType: mediaType.dockerLayer, digest, size, annotations: new Map() };
}

async function requireFile(files: LayoutFiles, path: string): Promise<Uint8Array> {
  const bytes = await readSmall(files, path);
  if (bytes !== undefined) return bytes;
  throw fail(R.archive, { expected: `${path} in ${files.name}`, actual: 'no such file' });
}
