/**
 * What refers to an image (distribution-spec "Listing Referrers"): the API where the registry has it, and the
 * fallback tag `<alg>-<hex>` in any case, since clients wrote it before the registry learned the API.
 */
import type { Digest } from '#base/brand';
import { digestAlgorithm, digestHex } from '#base/digest';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import {
  bareMediaType,
  buildIndex,
  type Descriptor,
  descriptorOf,
  type Manifest,
  mediaType,
  parseManifest,
} from '#formats/oci';
import type { HttpResponse } from '#platform/http-client';
import { followPages } from './pages.ts';
import { R } from './reasons.ts';
import type { RepositoryApi } from './repository-api.ts';
import { updateTag } from './tag-update.ts';

const HEX_IN_TAG_MAX = 64;

/** The tag of the referrers tag schema: of a longer digest its first 64 digits. */
export const fallbackTag = (digest: Digest): string =>
  `${digestAlgorithm(digest)}-${digestHex(digest).slice(0, HEX_IN_TAG_MAX)}`;

/** Answers that say "there is no such API here" rather than "something is wrong". */
const API_MISSING = new Set([400, 404, 405, 406, 501]);

export async function listReferrers(
  repository: RepositoryApi,
  digest: Digest,
): Promise<readonly Descriptor[]> {
  const [listed, tagged] = await Promise.all([
    fromApi(repository, digest),
    attemptAsync(repository.tagged(fallbackTag(digest))),
  ]);
  // A tag that holds nonsense must not hide what the API lists, and is no empty list when it lists nothing.
  const isListed = listed !== undefined && listed.length > 0;
  if (!tagged.ok && !(isListed && tagged.error.code === R.answer.code)) throw new WaybillError(tagged.error);
  const found = new Map<Digest, Descriptor>();
  const fallback = tagged.ok ? entriesOf(tagged.value?.manifest) : [];
  for (const entry of [...(listed ?? []), ...fallback]) {
    const known = found.get(entry.digest);
    // The fallback entry of some clients lacks artifactType and annotations: keep the richer one.
    if (known === undefined || (known.annotations.size === 0 && entry.annotations.size > 0)) {
      found.set(entry.digest, entry);
    }
  }
  return [...found.values()];
}

/** The API's list, or undefined when the registry does not have it. */
async function fromApi(
  repository: RepositoryApi,
  digest: Digest,
): Promise<readonly Descriptor[] | undefined> {
  if (repository.referrersApi === false) return undefined;
  const entries: Descriptor[] = [];
  let pages = 0;
  const first = repository.path(`referrers/${digest}`);
  const accept = { accept: mediaType.ociIndex };
  for await (const { page, asked } of followPages(repository, first, limits.referrersPages, accept)) {
    if (!isApiAnswer(page)) {
      // Whoever gave a first page has the API: a later one that fails is not the end of the list.
      const isMissing = pages === 0 && (page.status === 200 || API_MISSING.has(page.status));
      if (!isMissing) throw await repository.unexpected('the list of referrers', page);
      repository.referrersApi = false;
      return undefined;
    }
    const index = parseManifest(page.body, { mediaType: mediaType.ociIndex });
    if (!index.ok) throw await repository.nonsense('the list of referrers', asked, page, index.error);
    if (index.value.kind === 'index') entries.push(...index.value.manifests);
    pages++;
  }
  repository.referrersApi = true;
  return entries;
}

/** Some servers answer every path with a page of their own: the media type decides. */
const isApiAnswer = (page: HttpResponse): boolean =>
  page.status === 200 && bareMediaType(page.headers.get('content-type') ?? '') === mediaType.ociIndex;

/**
 * Makes a pushed manifest findable from its subject. `OCI-Subject` alone is not believed: a registry is known
 * that sends it without having the API, so the API is asked.
 */
export async function ensureReferrer(
  repository: RepositoryApi,
  manifest: Manifest,
  pushed: HttpResponse,
): Promise<void> {
  const subject = manifest.subject;
  if (subject === undefined) return;
  const listed = await fromApi(repository, subject.digest);
  const isHandled = pushed.headers.get('oci-subject') === subject.digest;
  if (listed !== undefined && (isHandled || listed.some((entry) => entry.digest === manifest.digest))) return;
  const own = descriptorOf(manifest, { pullUp: true });
  await updateTag(repository, fallbackTag(subject.digest), {
    holds: (held) => entriesOf(held).some((entry) => entry.digest === own.digest),
    change: (held) => buildIndex({ manifests: [...entriesOf(held), own] }),
  });
}

/** Takes a deleted manifest out of the fallback tag, if it is there. */
export async function forgetReferrer(
  repository: RepositoryApi,
  subject: Digest,
  digest: Digest,
): Promise<void> {
  const tag = fallbackTag(subject);
  if ((await repository.tagged(tag)) === undefined) return;
  await updateTag(repository, tag, {
    holds: (held) => !entriesOf(held).some((entry) => entry.digest === digest),
    change: (held) => buildIndex({ manifests: entriesOf(held).filter((e) => e.digest !== digest) }),
  });
}

async function attemptAsync<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return ok(await work);
  } catch (error) {
    if (error instanceof WaybillError) return err(error.reason);
    throw error;
  }
}

const entriesOf = (held: Manifest | undefined): readonly Descriptor[] =>
  held?.kind === 'index' ? held.manifests : [];
