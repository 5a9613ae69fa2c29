/** Copying an image with everything attached: between registries, into a layout, out of a layout. */
import type { Digest, PinnedRef } from '#base/brand';
import { fail, reason } from '#base/reason';
import { err, ok, type Result, unwrap } from '#base/result';
import type { Platform } from '#formats/oci';
import { parseReference, pinnedText, type Reference } from '#formats/reference';
import {
  type CopyOptions,
  type CopyResult,
  copyImage as copyBetween,
  createLayout,
  type ImageStore,
  openImage,
  type Registry,
  selectImage,
} from '#oci';
import { R } from './copy-reasons.ts';

/** With `only`, the image is there by its digest and no tag moves: it is the attachments that were asked for. */
export interface CopyImageOptions
  extends Pick<CopyOptions, 'withAttachments' | 'only' | 'tagPrefix' | 'onCopied'> {
  /** Copies only this platform's image of an index. */
  readonly platform?: Platform;
}

export interface CopiedImage extends CopyResult {
  readonly source: string;
  readonly target: string;
  /** When the target is a registry. */
  readonly pinned?: PinnedRef;
}

/** Copies `from` to `to` (a reference or `oci:DIR[:tag]`) and answers when it is there under its digest. */
export async function copyImage(
  registry: Registry,
  from: string,
  to: string,
  options: CopyImageOptions = {},
): Promise<CopiedImage> {
  const opened = await openImage(registry, from);
  // The source first: a name that is not there must not leave an empty layout behind.
  const digest = await wantedDigest(opened, options.platform);
  const target = await openTarget(registry, to);
  if (target.digest !== undefined && target.digest !== digest) {
    throw fail(R.targetDigest, { expected: `${target.digest}, as the target names it`, actual: digest });
  }
  const { platform: _, ...rest } = options;
  const wanted = target.tag ?? (target.reference === undefined ? opened.selector.tag : undefined);
  const tag = options.only === undefined ? wanted : undefined;
  const result = await copyBetween(opened.source, { digest }, target.store, {
    ...(tag === undefined ? {} : { tag }),
    ...rest,
  });
  return {
    ...result,
    source: opened.name,
    target: to,
    ...(target.reference === undefined ? {} : { pinned: pinnedText(target.reference, digest) }),
  };
}

async function wantedDigest(
  opened: Awaited<ReturnType<typeof openImage>>,
  platform: Platform | undefined,
): Promise<Digest> {
  if (platform === undefined) return (await opened.source.resolve(opened.selector)).digest;
  return (await selectImage(opened.source, opened.selector, platform)).manifest.digest;
}

interface Target {
  readonly store: ImageStore;
  readonly tag?: string;
  readonly digest?: Digest;
  readonly reference?: Reference;
}

async function openTarget(registry: Registry, text: string): Promise<Target> {
  const layout = /^oci:(.+?)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?$/.exec(text);
  if (layout !== null) {
    const [, directory = '', tag] = layout;
    return { store: await createLayout(directory), ...(tag === undefined ? {} : { tag }) };
  }
  const reference = unwrap(parseTarget(text));
  return { store: registry.repository(reference), reference, ...reference };
}

function parseTarget(text: string): Result<Reference> {
  if (/^[a-z-]+-archive:/.test(text)) {
    return err(reason(R.targetForm, { expected: 'a reference or oci:DIR[:tag]', actual: text }));
  }
  const parsed = parseReference(text);
  return parsed.ok ? ok(parsed.value) : parsed;
}
