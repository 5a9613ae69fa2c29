/**
 * OCI image layouts (image-spec image-layout.md), read and written. Also reads what `cosign save` leaves out
 * of index.json: referrers lie there only as blobs, and are found by their subject.
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { digestAlgorithm, digest as digestFrom, digestHex } from '#base/digest';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import {
  annotation,
  buildIndex,
  type Descriptor,
  descriptorOf,
  type ImageIndex,
  type Manifest,
  mediaType,
  parseManifest,
} from '#formats/oci';
import { makeFolders, syncFolder, writeFileDurable } from '#platform/files';
import { directoryFiles, type FilePlace, type LayoutFiles, readSmall } from './layout-files.ts';
import { R } from './reasons.ts';
import type { Content, ImageSource, ImageStore, PutManifestOptions, Selector, TagChange } from './source.ts';
import { verified } from './verified-stream.ts';

/** How `cosign save` says what an entry of index.json is. */
const KIND = 'kind';
const kindPrefix = 'dev.cosignproject.cosign/';

const MARKER_BYTES_MAX = 4096;
/** Tells the unfinished files of this process apart. */
let parts = 0;

const blobPath = (digest: Digest): string => `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;

/** A layout to read from. */
export class LayoutSource implements ImageSource {
  readonly name: string;
  readonly files: LayoutFiles;
  #subjects: Map<Digest, Descriptor[]> | undefined;

  constructor(files: LayoutFiles, kind = 'oci') {
    this.files = files;
    this.name = `${kind}:${files.name}`;
  }

  /** index.json as it is now. */
  async index(): Promise<ImageIndex> {
    const bytes = await readSmall(this.files, 'index.json');
    const parsed = bytes === undefined ? undefined : unwrap(parseManifest(bytes));
    if (parsed?.kind === 'index') return parsed;
    throw fail(R.layout, { expected: `index.json in ${this.files.name}`, actual: 'no index' });
  }

  /** A selector without tag and digest means the only image there is. */
  async resolve(selector: Selector): Promise<Descriptor> {
    if (selector.digest !== undefined) return descriptorOf(await this.manifest(selector.digest));
    const { manifests } = await this.index();
    const found = findEntry(manifests, selector.tag);
    if (found === undefined) {
      const there = manifests.map((e) => e.annotations.get(annotation.refName) ?? e.digest).join(', ');
      const wanted = selector.tag === undefined ? 'one image' : `${selector.tag}`;
      throw fail(R.notFound, { expected: `${wanted} in ${this.name}`, actual: there || 'an empty layout' });
    }
    return descriptorOf(await this.manifest(found.digest));
  }

  async manifest(digest: Digest): Promise<Manifest> {
    const bytes = await readSmall(this.files, blobPath(digest));
    if (bytes === undefined) {
      throw fail(R.notFound, { expected: `${digest} in ${this.name}`, actual: 'no such manifest' });
    }
    return unwrap(parseManifest(bytes, { digest }));
  }

  async *blob(content: Content): AsyncIterable<Uint8Array> {
    const path = blobPath(content.digest);
    if ((await this.files.size(path)) === undefined) {
      throw fail(R.notFound, { expected: `${content.digest} in ${this.name}`, actual: 'no such blob' });
    }
    yield* verified(this.files.stream(path), content, this.name);
  }

  place(content: Content): Promise<FilePlace | undefined> {
    return this.files.place(blobPath(content.digest));
  }

  async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    this.#subjects ??= await this.#findSubjects();
    return this.#subjects.get(digest) ?? [];
  }

  protected forget(): void {
    this.#subjects = undefined;
  }

  /** Every manifest with a subject, by that subject. Blobs that are no manifests are passed over. */
  async #findSubjects(): Promise<Map<Digest, Descriptor[]>> {
    const found = new Map<Digest, Descriptor[]>();
    for (const { path, size } of await this.files.list('blobs/sha256')) {
      const hex = path.slice('blobs/sha256/'.length);
      if (size > limits.manifestBytes || size < 2 || !/^[0-9a-f]{64}$/.test(hex)) continue;
      const bytes = await readSmall(this.files, path);
      if (bytes?.[0] !== 0x7b) continue;
      const parsed = parseManifest(bytes, { digest: digestFrom(`sha256:${hex}`) });
      if (!parsed.ok || parsed.value.subject === undefined) continue;
      const subject = parsed.value.subject.digest;
      const list = found.get(subject) ?? [];
      list.push(descriptorOf(parsed.value, { pullUp: true }));
      found.set(subject, list);
    }
    for (const list of found.values()) list.sort((a, b) => (a.digest < b.digest ? -1 : 1));
    return found;
  }
}

function findEntry(entries: readonly Descriptor[], tag: string | undefined): Descriptor | undefined {
  const images = entries.filter((entry) => isImage(entry));
  if (tag === undefined) return images.length === 1 ? images[0] : undefined;
  const named = entries.find((entry) => {
    const name = entry.annotations.get(annotation.refName);
    return name === tag || name?.endsWith(`:${tag}`) === true;
  });
  if (named !== undefined) return named;
  // `cosign save` marks signatures by kind only; they belong to the one image of the layout.
  const legacy = /^sha256-([0-9a-f]{64})\.(sig|att)$/.exec(tag);
  if (legacy === null || images.length !== 1 || images[0]?.digest !== `sha256:${legacy[1]}`) return undefined;
  return entries.find((entry) => entry.annotations.get(KIND) === `${kindPrefix}${legacy[2]}s`);
}

const configTypes: ReadonlySet<string> = new Set([mediaType.ociConfig, mediaType.dockerConfig]);

/** Whether an entry is an image, and not signatures or attestations of cosign, or a referrer. */
function isImage(entry: Descriptor): boolean {
  const kind = entry.annotations.get(KIND);
  if (kind !== undefined) return kind === `${kindPrefix}image` || kind === `${kindPrefix}imageIndex`;
  const name = entry.annotations.get(annotation.refName) ?? '';
  // go-containerregistry repeats the type of the config as the artifactType.
  const isPlain = entry.artifactType === undefined || configTypes.has(entry.artifactType);
  return isPlain && !/sha(?:256|512)-[0-9a-f]{64,128}/.test(name);
}

/** A layout directory to read and write. One process at a time; changes of index.json queue up here. */
export class Layout extends LayoutSource implements ImageStore {
  readonly #directory: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    super(directoryFiles(directory));
    this.#directory = directory;
  }

  async putBlob(content: Content, openSource: () => AsyncIterable<Uint8Array>): Promise<void> {
    const path = join(this.#directory, blobPath(content.digest));
    if ((await this.files.size(blobPath(content.digest))) === content.size) return;
    await makeFolders(dirname(path));
    const temporary = `${path}.${parts++}.part`;
    try {
      const handle = await open(temporary, 'w');
      try {
        for await (const chunk of verified(openSource(), content, 'the source'))
          await handle.writeFile(chunk);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(dirname(path));
  }

  putManifest(manifest: Manifest, options: PutManifestOptions = {}): Promise<void> {
    return this.#inTurn(() => this.#put(manifest, options));
  }

  updateTag(tag: string, change: TagChange): Promise<Manifest> {
    return this.#inTurn(async () => {
      const { manifests } = await this.index();
      const entry = findEntry(manifests, tag);
      const held = entry === undefined ? undefined : await this.manifest(entry.digest);
      if (held !== undefined && change.holds(held)) return held;
      const next = change.change(held);
      await change.prepare?.(next);
      await this.#put(next, { tag });
      return next;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn;
    return turn;
  }

  async #put(manifest: Manifest, { tag, listed }: PutManifestOptions): Promise<void> {
    await writeFileDurable(join(this.#directory, blobPath(manifest.digest)), manifest.bytes);
    this.forget();
    if (tag === undefined && manifest.subject === undefined && listed !== true) return;
    const { manifests } = await this.index();
    const others = manifests.filter((e) => {
      const name = e.annotations.get(annotation.refName);
      return tag === undefined ? e.digest !== manifest.digest : name !== tag;
    });
    await this.#writeIndex([...others, layoutEntry(manifest, tag)]);
  }

  async #writeIndex(manifests: readonly Descriptor[]): Promise<void> {
    await writeFileDurable(join(this.#directory, 'index.json'), buildIndex({ manifests }).bytes);
  }

  /** Writes the marker and an empty index where there is no layout yet. */
  async initialise(): Promise<void> {
    await makeFolders(join(this.#directory, 'blobs', 'sha256'));
    if ((await this.files.size('index.json')) === undefined) await this.#writeIndex([]);
    await writeFileDurable(join(this.#directory, 'oci-layout'), utf8('{"imageLayoutVersion":"1.0.0"}'));
  }
}

/** An index entry that cosign's, oras's and our readers understand. */
function layoutEntry(manifest: Manifest, tag: string | undefined): Descriptor {
  const plain = descriptorOf(manifest, { pullUp: manifest.subject !== undefined });
  if (tag === undefined) return plain;
  const legacy = /^sha256-[0-9a-f]{64}\.(sig|att)$/.exec(tag)?.[1];
  const imageKind = manifest.kind === 'index' ? 'imageIndex' : 'image';
  const kind = legacy === undefined ? imageKind : `${legacy}s`;
  const isOtherAttachment = legacy === undefined && /^sha256-[0-9a-f]{64}/.test(tag);
  return {
    ...plain,
    annotations: new Map([
      ...plain.annotations,
      [annotation.refName, tag],
      ...(isOtherAttachment ? [] : [[KIND, `${kindPrefix}${kind}`] as const]),
    ]),
  };
}

/** Opens a layout directory for reading (WB-512 when it is none). */
export async function openLayout(directory: string): Promise<Layout> {
  const layout = new Layout(directory);
  await requireLayout(layout);
  return layout;
}

/** WB-512 unless the marker file is there with a version we know. */
export async function requireLayout(layout: LayoutSource): Promise<void> {
  const bytes = await readSmall(layout.files, 'oci-layout', MARKER_BYTES_MAX);
  if (bytes === undefined) {
    throw fail(R.layout, { expected: `oci-layout in ${layout.files.name}`, actual: 'no such file' });
  }
  const text = new TextDecoder().decode(bytes);
  if (!/"imageLayoutVersion"\s*:\s*"1\./.test(text)) {
    throw fail(R.layout, { expected: 'imageLayoutVersion 1.0.0', actual: text });
  }
}

/** A layout directory for writing, made when it is not there. */
export async function createLayout(directory: string): Promise<Layout> {
  const layout = new Layout(directory);
  await layout.initialise();
  return layout;
}
