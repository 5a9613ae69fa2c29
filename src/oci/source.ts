/**
 * `ImageSource` and `ImageSink`: what every place that holds images can do. A registry repository and an OCI
 * layout directory implement both; whatever reads or writes images meets only these.
 */
import type { Digest } from '#base/brand';
import { concat } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type ImageConfig, parseImageConfig } from '#formats/image-config';
import type { Descriptor, ImageManifest, Manifest } from '#formats/oci';
import { R as Formats } from '#formats/oci-reasons';
import type { FilePlace } from './layout-files.ts';
import { R } from './reasons.ts';

/** What identifies stored bytes; a `Descriptor` is one. */
export interface Content {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What names an image inside a source: the digest counts when both are there. */
export interface Selector {
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * One repository to read from. Contract: `resolve` answers with computed, never claimed digests and throws
 * WB-502 for what is not there; `manifest` and `blob` deliver only content of the digest asked for (WB-188,
 * for a blob at the latest after its last byte: do not act on a stream before its end); `referrers` is the
 * union of the referrers API and the fallback tag without duplicates, [] when there are none.
 */
export interface ImageSource {
  /** For messages: `registry.example/team/app`, `oci:./dir`. */
  readonly name: string;
  resolve(selector: Selector): Promise<Descriptor>;
  manifest(digest: Digest): Promise<Manifest>;
  blob(content: Content): AsyncIterable<Uint8Array>;
  /** Where a blob lies in a file of this machine, for whoever checks its digest himself. */
  place?(content: Content): Promise<FilePlace | undefined>;
  referrers(digest: Digest): Promise<readonly Descriptor[]>;
}

export interface PutBlobOptions {
  /** Repository of the same registry that holds the blob already. */
  readonly mountFrom?: string;
}

export interface PutManifestOptions {
  readonly tag?: string;
  /** It is an image of its own, not a part of one: a layout lists it also without a tag. */
  readonly listed?: boolean;
}

/** An update of what a tag holds. `change` may be asked several times, each time with the newest state. */
export interface TagChange {
  /** Whether the change is in what the tag holds. */
  holds(held: Manifest | undefined): boolean;
  /** What the tag should hold. */
  change(held: Manifest | undefined): Manifest;
  /** Pushes blobs a changed manifest needs, before it is sent. */
  prepare?(next: Manifest): Promise<void>;
}

/**
 * One repository to write to. Contract: blobs before the manifests that name them; writing what is there
 * already is no error; a manifest with a `subject` is found by `referrers` when `putManifest` returns.
 */
export interface ImageSink {
  readonly name: string;
  /** `open` is called only when the bytes are needed, and again when a request is repeated. */
  putBlob(content: Content, open: () => AsyncIterable<Uint8Array>, options?: PutBlobOptions): Promise<void>;
  putManifest(manifest: Manifest, options?: PutManifestOptions): Promise<void>;
  /** Changes what a tag holds without losing the change of another writer (WB-508 when that cannot be). */
  updateTag(tag: string, change: TagChange): Promise<Manifest>;
}

export type ImageStore = ImageSource & ImageSink;

/** `resolve`, with undefined for what is not there. */
export async function tryResolve(source: ImageSource, selector: Selector): Promise<Descriptor | undefined> {
  try {
    return await source.resolve(selector);
  } catch (error) {
    if (error instanceof WaybillError && error.reason.code === R.notFound.code) return undefined;
    throw error;
  }
}

/** A whole blob in memory, verified. Blobs above `maxBytes` are refused before they are fetched (WB-189). */
export async function readBlob(
  source: ImageSource,
  content: Content,
  maxBytes: number = limits.attachmentBytes,
): Promise<Uint8Array> {
  if (content.size > maxBytes) {
    throw fail(Formats.limit, {
      expected: `a blob of at most ${maxBytes} bytes`,
      actual: `${content.digest} of ${content.size} bytes`,
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob(content)) chunks.push(chunk);
  return concat(...chunks);
}

/** The image a descriptor names; an index is refused (WB-517). */
export async function imageManifest(source: ImageSource, digest: Digest): Promise<ImageManifest> {
  const manifest = await source.manifest(digest);
  if (manifest.kind === 'manifest') return manifest;
  throw fail(R.kind, { expected: `an image at ${source.name}@${digest}`, actual: 'an index of images' });
}

/** The parsed configuration of an image. */
export async function imageConfig(source: ImageSource, manifest: ImageManifest): Promise<ImageConfig> {
  const bytes = await readBlob(source, manifest.config, limits.manifestBytes);
  return unwrap(parseImageConfig(bytes, manifest.config));
}
