/** Which image of an index is meant (image-spec image-index.md "platform"). */
import { fail, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import type { ImageManifest } from '#formats/oci';
import { annotation, type Descriptor, type ImageIndex, type Platform } from '#formats/oci';
import { R } from './reasons.ts';
import { type ImageSource, imageConfig, type Selector } from './source.ts';

/** Parses `os/architecture[/variant]`. */
export function parsePlatform(text: string): Result<Platform> {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  if (match === null) {
    return err(reason(R.platform, { expected: 'os/architecture[/variant]', actual: JSON.stringify(text) }));
  }
  const [, os = '', architecture = '', variant] = match;
  return ok({ os, architecture, ...(variant === undefined ? {} : { variant }) });
}

export const platformText = (p: Platform): string =>
  `${p.os}/${p.architecture}${p.variant === undefined ? '' : `/${p.variant}`}`;

/** Entries of an index that are images: BuildKit's attestation manifests are left out. */
export const imagesOf = (index: ImageIndex): readonly Descriptor[] =>
  index.manifests.filter((entry) => !entry.annotations.has(annotation.dockerReferenceType));

/** arm64 means arm64/v8, arm means arm/v7: the defaults of containerd's platforms package. */
const variantDefault: Record<string, string> = { arm64: 'v8', arm: 'v7' };

/** Whether an image for `has` is what was asked for; an unset variant of `wanted` matches any. */
export function platformMatches(has: Platform, wanted: Platform): boolean {
  if (has.os !== wanted.os || has.architecture !== wanted.architecture) return false;
  if (wanted.variant === undefined) return true;
  return (has.variant ?? variantDefault[has.architecture]) === wanted.variant;
}

/** The first entry for the platform; WB-511 lists what there is. */
export function selectPlatform(index: ImageIndex, wanted: Platform): Result<Descriptor> {
  const images = imagesOf(index);
  const fits = images.filter((e) => e.platform !== undefined && platformMatches(e.platform, wanted));
  const usual = fits.find((e) => e.platform?.variant === variantDefault[wanted.architecture]);
  const found = usual ?? fits[0];
  if (found !== undefined) return ok(found);
  const there = images.map((e) => (e.platform === undefined ? 'unknown' : platformText(e.platform)));
  return err(
    reason(R.platform, { expected: platformText(wanted), actual: there.join(', ') || 'an empty index' }),
  );
}

export const DEFAULT_PLATFORM: Platform = { os: 'linux', architecture: 'amd64' };

export interface SelectedImage {
  readonly manifest: ImageManifest;
  /** The index it was reached through. */
  readonly index?: ImageIndex;
}

/**
 * The image a selector names. Through an index the platform decides (default linux/amd64); an image that is
 * named directly must be of `platform` when one is given (WB-511).
 */
export async function selectImage(
  source: ImageSource,
  selector: Selector,
  platform?: Platform,
): Promise<SelectedImage> {
  const { digest } = await source.resolve(selector);
  const top = await source.manifest(digest);
  if (top.kind === 'index') {
    const chosen = selectPlatform(top, platform ?? DEFAULT_PLATFORM);
    if (!chosen.ok) throw fail(R.platform, chosen.error);
    const manifest = await source.manifest(chosen.value.digest);
    if (manifest.kind === 'manifest') return { manifest, index: top };
    throw fail(R.kind, { expected: 'an image in the index', actual: 'an index inside an index' });
  }
  if (platform !== undefined) {
    const config = await imageConfig(source, top);
    if (!platformMatches(config.platform, platform)) {
      throw fail(R.platform, {
        expected: platformText(platform),
        actual: platformText(config.platform),
      });
    }
  }
  return { manifest: top };
}
