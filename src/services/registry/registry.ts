/** What the registry does, without HTTP: checks in, content out. */
import type { Digest } from '#base/brand';
import { digestAlgorithm, digestOf } from '#base/digest';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import {
  buildIndex,
  type Descriptor,
  descriptorOf,
  type ImageIndex,
  type Manifest,
  mediaType,
  parseManifest,
} from '#formats/oci';
import { isRepositoryName, isTagName } from '#formats/reference';
import { isAttachmentTag } from './collect.ts';
import type { RegistryConfig } from './config.ts';
import { PAGE_ENTRIES_MAX } from './config.ts';
import { R } from './reasons.ts';
import type { RegistryStore, StoredManifest } from './store.ts';
import { Uploads } from './uploads.ts';

/** Called after a manifest is durable. It must not throw; what it returns is not waited for. */
export type OnManifest = (repository: string, digest: Digest, manifest: Manifest) => void;

/** A tag or a digest, as it stands in a path. */
export type ManifestName = { readonly tag: string } | { readonly digest: Digest };

/** Conditions on what a tag holds (RFC 9110 §13.1), as sent. */
export interface Conditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  /** Value of `last` for the next page; undefined on the last one. */
  readonly next?: string;
}

/** Foreign layers are not pushed (image-spec layer.md "non-distributable"). */
const isForeign = (d: Descriptor): boolean =>
  d.mediaType === mediaType.dockerForeignLayer || d.mediaType.includes('.layer.nondistributable.');

export class RegistryCore {
  readonly store: RegistryStore;
  readonly uploads: Uploads;
  readonly #config: RegistryConfig;
  readonly #onManifest: OnManifest;
  readonly #descriptors = new Map<Digest, Descriptor>();

  constructor(
    config: RegistryConfig,
    store: RegistryStore,
    random: Random,
    onManifest: OnManifest = () => {},
  ) {
    this.#config = config;
    this.#onManifest = onManifest;
    this.store = store;
    this.uploads = new Uploads(this.store, random, config.blobBytesMax ?? limits.layerBytes);
  }

  /** Throws WB-1084 for a repository nothing was ever pushed to. */
  requireRepository(repo: string): void {
    if (!this.store.hasRepository(repo))
      throw fail(R.noName, { expected: `repository ${repo}`, actual: 'none' });
  }

  manifest(repo: string, name: ManifestName): StoredManifest {
    const digest = 'digest' in name ? name.digest : this.store.tagged(repo, name.tag);
    const found = digest === undefined ? undefined : this.store.manifest(repo, digest);
    if (found !== undefined) return found;
    this.requireRepository(repo);
    const shown = 'digest' in name ? name.digest : name.tag;
    throw fail(R.noManifest, { expected: `manifest ${shown} in ${repo}`, actual: 'none' });
  }

  /** Checks a manifest against its name, its announced type and the repository, and stores it. */
  async putManifest(
    repo: string,
    name: ManifestName,
    bytes: Uint8Array,
    contentType: string | undefined,
    conditions: Conditions,
  ): Promise<Manifest> {
    const manifest = checkedManifest(bytes, name, contentType);
    const parts = partsOf(manifest);
    const tag = 'tag' in name ? name.tag : undefined;
    await this.store.putManifest(repo, manifest, [...new Set(parts.map((part) => part.digest))], {
      ...(tag === undefined ? {} : { tag }),
      check: (held) => {
        for (const part of parts) this.#requirePart(repo, part);
        if (tag !== undefined) this.#mayMove(tag, held, manifest.digest, conditions);
      },
    });
    this.#onManifest(repo, manifest.digest, manifest);
    return manifest;
  }

  #requirePart(repo: string, part: Descriptor & { readonly isManifest: boolean }): void {
    if (part.isManifest) {
      if (this.store.hasManifest(repo, part.digest)) return;
      throw fail(R.manifestBlob, { expected: `manifest ${part.digest} in ${repo}`, actual: 'none' });
    }
    const size = this.store.blobSize(repo, part.digest);
    if (size === undefined) {
      throw fail(R.manifestBlob, { expected: `blob ${part.digest} in ${repo}`, actual: 'none' });
    }
    if (size !== part.size) {
      throw fail(R.manifest, {
        expected: `size ${size} for ${part.digest}, as it is stored`,
        actual: `size ${part.size}`,
      });
    }
  }

  #mayMove(tag: string, held: Digest | undefined, next: Digest, conditions: Conditions): void {
    const { ifMatch, ifNoneMatch } = conditions;
    const matches = (header: string): boolean =>
      held !== undefined && header.split(',').some((one) => ['*', `"${held}"`].includes(one.trim()));
    const isChanged =
      (ifMatch !== undefined && !matches(ifMatch)) || (ifNoneMatch !== undefined && matches(ifNoneMatch));
    if (isChanged) {
      throw fail(R.changed, { expected: ifMatch ?? `not ${ifNoneMatch}`, actual: held ?? 'no such tag' });
    }
    const isMove = held !== undefined && held !== next;
    if (isMove && this.#config.immutableTags === true && !isAttachmentTag(tag)) {
      throw fail(R.immutable, { expected: `${tag} to stay at ${held}`, actual: next });
    }
  }

  async deleteManifest(repo: string, name: ManifestName): Promise<void> {
    this.#requireDeletion();
    const isGone =
      'digest' in name ? this.store.deleteManifest(repo, name.digest) : this.store.deleteTag(repo, name.tag);
    if (await isGone) return;
    this.requireRepository(repo);
    throw fail(R.noManifest, { expected: 'something to delete', actual: 'no such manifest or tag' });
  }

  async deleteBlob(repo: string, digest: Digest): Promise<void> {
    this.#requireDeletion();
    if (await this.store.deleteBlob(repo, digest)) return;
    throw fail(R.noBlob, { expected: `blob ${digest} in ${repo}`, actual: 'none' });
  }

  #requireDeletion(): void {
    if (this.#config.deletion !== false) return;
    throw fail(R.unsupported, { expected: 'a registry that deletes', actual: 'deletion is turned off' });
  }

  blobSize(repo: string, digest: Digest): number {
    const size = this.store.blobSize(repo, digest);
    if (size !== undefined) return size;
    throw fail(R.noBlob, { expected: `blob ${digest} in ${repo}`, actual: 'none' });
  }

  tags(repo: string, last: string, count: number): ListPage<string> {
    this.requireRepository(repo);
    return page(this.store.tags(repo, last, count + 1), count, (tag) => tag);
  }

  /** Repositories for which `mayRead` holds; a page may be shorter than asked without being the last. */
  repositories(last: string, count: number, mayRead: (repo: string) => boolean): ListPage<string> {
    const all = page(this.store.repositories(last, count + 1), count, (repo) => repo);
    return { ...all, items: all.items.filter(mayRead) };
  }

  /** As a list of referrers shows it. */
  #descriptor(repo: string, digest: Digest): Descriptor | undefined {
    const known = this.#descriptors.get(digest);
    if (known !== undefined) return known;
    const stored = this.store.manifest(repo, digest);
    const parsed = stored === undefined ? undefined : parseManifest(stored.bytes, stored);
    if (parsed?.ok !== true) return undefined;
    const made = descriptorOf(parsed.value, { pullUp: true });
    const [oldest] = this.#descriptors.keys();
    if (this.#descriptors.size >= DESCRIPTORS_MAX && oldest !== undefined) this.#descriptors.delete(oldest);
    this.#descriptors.set(digest, made);
    return made;
  }

  /** The answer of the referrers API: an index, empty for a subject nobody refers to. */
  referrers(
    repo: string,
    subject: Digest,
    last: string,
    artifactType?: string,
  ): { readonly index: ImageIndex; readonly next?: string } {
    const found = this.store.referrers(repo, subject, {
      last,
      count: REFERRERS_PAGE + 1,
      ...(artifactType === undefined ? {} : { artifactType }),
    });
    const { items, next } = page(found, REFERRERS_PAGE, (one) => one);
    const manifests = items.flatMap((digest) => this.#descriptor(repo, digest) ?? []);
    return { index: buildIndex({ manifests }), ...(next === undefined ? {} : { next }) };
  }
}

/** Descriptors kept in memory: a digest never changes its meaning. */
const DESCRIPTORS_MAX = 10_000;
/** Entries of one referrers page; clients follow the link for more. */
const REFERRERS_PAGE = Math.min(500, PAGE_ENTRIES_MAX);

function page<T>(found: readonly T[], count: number, key: (item: T) => string): ListPage<T> {
  if (found.length <= count) return { items: found };
  const items = found.slice(0, count);
  const last = items.at(-1);
  return last === undefined ? { items } : { items, next: key(last) };
}

function checkedManifest(bytes: Uint8Array, name: ManifestName, contentType: string | undefined): Manifest {
  if ('digest' in name) {
    const actual = digestOf(bytes, digestAlgorithm(name.digest));
    if (actual !== name.digest) throw fail(R.digest, { expected: name.digest, actual });
  }
  const parsed = parseManifest(bytes, {
    ...(contentType === undefined ? {} : { mediaType: contentType }),
    ...('digest' in name ? { digest: name.digest } : {}),
  });
  if (!parsed.ok) throw fail(R.manifest, parsed.error);
  return parsed.value;
}

/** What must be there before a manifest may name it. The subject may be absent: it can come later. */
function partsOf(manifest: Manifest): readonly (Descriptor & { readonly isManifest: boolean })[] {
  if (manifest.kind === 'index') return manifest.manifests.map((d) => ({ ...d, isManifest: true }));
  const blobs = [manifest.config, ...manifest.layers].filter((d) => !isForeign(d));
  return blobs.map((d) => ({ ...d, isManifest: false }));
}

/** A repository name from a path; WB-1080 otherwise. */
export function checkRepository(name: string): string {
  if (isRepositoryName(name)) return name;
  throw fail(R.name, { expected: 'a repository name', actual: JSON.stringify(name.slice(0, 300)) });
}

/** A tag from a path; WB-1080 otherwise. */
export function checkTag(tag: string): string {
  if (isTagName(tag)) return tag;
  throw fail(R.name, { expected: 'a tag', actual: JSON.stringify(tag.slice(0, 200)) });
}
