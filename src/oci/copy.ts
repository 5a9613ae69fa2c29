/**
 * Copying an image with everything attached to it: blobs, children of an index, referrers of each and their
 * own referrers, legacy tags. Nothing at the target is lost: signature tags are merged, referrers added.
 */
import type { Digest } from '#base/brand';
import { fail } from '#base/reason';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import {
  annotation,
  BUNDLE_MEDIA_TYPE_PREFIX,
  type Descriptor,
  descriptorOf,
  type Manifest,
  mediaType,
} from '#formats/oci';
import { mergeLayers } from './attach.ts';
import { type LegacySuffix, legacyTag, possibleSuffixes } from './attachment-tags.ts';
import { mapLimited } from './concurrent.ts';
import { R } from './reasons.ts';
import { Repository } from './repository.ts';
import { type ImageSource, type ImageStore, type Selector, tryResolve } from './source.ts';

export interface CopyOptions {
  /** Tag at the target; without one the image is there by digest only. */
  readonly tag?: string;
  /** Default true. */
  readonly withAttachments?: boolean;
  /** Of the attachments only these, in either layout; default all. */
  readonly only?: readonly LegacySuffix[];
  /** Before the tags of the older layout, where attachments were written under other names. */
  readonly tagPrefix?: string;
  /** Blobs at once; default 4. */
  readonly atOnce?: number;
  /** Told of each thing as it is done. */
  readonly onCopied?: (what: 'manifest' | 'blob', digest: Digest, size: number) => void;
}

export interface CopyResult {
  readonly digest: Digest;
  readonly manifests: number;
  readonly blobs: number;
  /** Bytes of the blobs, whether they were sent, mounted or there already. */
  readonly bytes: number;
  /** Referrers and legacy tags that came along. */
  readonly attachments: number;
}

const AT_ONCE = 4;
/** Signatures of signatures are plausible, deeper is an attack. */
const REFERRER_DEPTH_MAX = 8;

/** Copies what `selector` names and answers once it is there under the same digest (WB-510 otherwise). */
export async function copyImage(
  source: ImageSource,
  selector: Selector,
  target: ImageStore,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const { digest } = await source.resolve(selector);
  const job = new CopyJob(source, target, options);
  const top = await job.image(digest, 0);
  // The name comes last: who sees it finds everything below it.
  await target.putManifest(top, options.tag === undefined ? { listed: true } : { tag: options.tag });
  const there = await target.resolve(options.tag === undefined ? { digest } : { tag: options.tag });
  if (there.digest !== digest) {
    throw fail(R.upload, { expected: `${digest} at ${target.name}`, actual: there.digest });
  }
  return { digest, ...job.counts };
}

class CopyJob {
  readonly counts = { manifests: 0, blobs: 0, bytes: 0, attachments: 0 };
  readonly #source: ImageSource;
  readonly #target: ImageStore;
  readonly #options: CopyOptions;
  readonly #done = new Map<Digest, Promise<void>>();

  constructor(source: ImageSource, target: ImageStore, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  /** One manifest with all below it, its attachments after it. */
  async image(digest: Digest, depth: number): Promise<Manifest> {
    const manifest = await this.#source.manifest(digest);
    await this.#once(digest, () => this.#content(manifest, depth));
    await this.#putManifest(manifest);
    if (this.#options.withAttachments !== false) {
      await this.#referrers(digest, depth);
      if (depth === 0 || manifest.subject === undefined) await this.#legacyTags(digest);
    }
    return manifest;
  }

  #once(digest: Digest, work: () => Promise<void>): Promise<void> {
    const known = this.#done.get(digest) ?? work();
    this.#done.set(digest, known);
    return known;
  }

  async #content(manifest: Manifest, depth: number): Promise<void> {
    if (manifest.kind === 'index') {
      for (const child of manifest.manifests) await this.image(child.digest, depth);
      return;
    }
    await this.#blobs([manifest.config, ...manifest.layers]);
  }

  async #blobs(blobs: readonly Descriptor[]): Promise<void> {
    const wanted = blobs.filter((blob) => !isForeign(blob));
    const mountFrom = this.#mountFrom();
    await mapLimited(wanted, this.#options.atOnce ?? AT_ONCE, (blob) =>
      this.#once(blob.digest, async () => {
        const open = (): AsyncIterable<Uint8Array> => this.#source.blob(blob);
        await this.#target.putBlob(blob, open, mountFrom === undefined ? {} : { mountFrom });
        this.counts.blobs++;
        this.counts.bytes += blob.size;
        this.#options.onCopied?.('blob', blob.digest, blob.size);
      }),
    );
  }

  /** A registry can link what another of its repositories holds. */
  #mountFrom(): string | undefined {
    const [from, to] = [this.#source, this.#target];
    const isSameHost =
      from instanceof Repository && to instanceof Repository && from.registry === to.registry;
    return isSameHost && from.repository !== to.repository ? from.repository : undefined;
  }

  async #putManifest(manifest: Manifest): Promise<void> {
    await this.#target.putManifest(manifest);
    this.counts.manifests++;
    this.#options.onCopied?.('manifest', manifest.digest, manifest.bytes.length);
  }

  async #referrers(digest: Digest, depth: number): Promise<void> {
    const entries = (await this.#source.referrers(digest)).filter((entry) => this.#isWanted(entry));
    if (entries.length > 0 && depth >= REFERRER_DEPTH_MAX) {
      throw fail(R.attachment, {
        expected: `referrers of referrers at most ${REFERRER_DEPTH_MAX} deep`,
        actual: `more below ${digest}`,
      });
    }
    for (const entry of entries) {
      await this.image(entry.digest, depth + 1);
      this.counts.attachments++;
    }
  }

  /** A bundle is what cosign keeps under a tag in the older layout; one that does not say its type may be either. */
  #isWanted({ artifactType, annotations }: Descriptor): boolean {
    const { only } = this.#options;
    if (only === undefined) return true;
    if (artifactType?.startsWith(BUNDLE_MEDIA_TYPE_PREFIX) !== true) return false;
    const type = annotations.get(annotation.bundlePredicateType);
    if (type === undefined) return only.includes('sig') || only.includes('att');
    return only.includes(type === COSIGN_SIGN_V1 ? 'sig' : 'att');
  }

  async #legacyTags(digest: Digest): Promise<void> {
    const { only, tagPrefix } = this.#options;
    for (const suffix of possibleSuffixes(digest, only, tagPrefix)) {
      const tag = legacyTag(digest, suffix, tagPrefix);
      const held = await tryResolve(this.#source, { tag });
      if (held === undefined) continue;
      const manifest = await this.#source.manifest(held.digest);
      if (manifest.kind !== 'manifest') continue;
      await this.#blobs([manifest.config, ...manifest.layers]);
      await this.#legacyTag(tag, manifest, suffix === 'sbom');
      this.counts.attachments++;
    }
  }

  /** The same manifest where the target has none, else the union; an SBOM image holds exactly one layer. */
  async #legacyTag(
    tag: string,
    manifest: Extract<Manifest, { kind: 'manifest' }>,
    isSbom: boolean,
  ): Promise<void> {
    const there = await tryResolve(this.#target, { tag });
    if (there === undefined || isSbom) await this.#target.putManifest(manifest, { tag });
    else if (there.digest !== manifest.digest) await mergeLayers(this.#target, tag, manifest.layers);
    this.counts.manifests++;
    this.#options.onCopied?.('manifest', manifest.digest, descriptorOf(manifest).size);
  }
}

const isForeign = (blob: Descriptor): boolean =>
  blob.mediaType === mediaType.dockerForeignLayer || blob.mediaType.includes('.layer.nondistributable.');
