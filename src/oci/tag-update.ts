/**
 * Changing what a tag holds without losing the change of another writer: conditional PUT where the registry
 * honours it, and read, verify, retry where it does not.
 */
import { fail } from '#base/reason';
import type { Manifest } from '#formats/oci';
import { R } from './reasons.ts';
import type { RepositoryApi, TaggedManifest } from './repository-api.ts';
import type { TagChange } from './source.ts';
import { messageOf } from './wire.ts';

/** Of n writers at once the last one needs n attempts. */
const ATTEMPTS_MAX = 40;
/** Another writer that read before us and ignores conditions has overwritten us by then. */
const SETTLE_MS = 150;

/** Applies the change and returns once it was seen to stay. Gives up with WB-508. */
export async function updateTag(
  repository: RepositoryApi,
  tag: string,
  change: TagChange,
): Promise<Manifest> {
  let wrote = false;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const held = await repository.tagged(tag);
    if (held !== undefined && change.holds(held.manifest)) {
      if (!wrote || (await stays(repository, tag, change))) return held.manifest;
      continue;
    }
    if (attempt > 0) await repository.wire.sleep(repository.wire.backoff(Math.min(attempt, 2)));
    const next = change.change(held?.manifest);
    await change.prepare?.(next);
    wrote = (await put(repository, tag, next, held)) || wrote;
  }
  throw fail(R.conflict, {
    expected: `the change of ${repository.name}:${tag} to stay`,
    actual: `it was lost ${ATTEMPTS_MAX} times`,
  });
}

async function stays(repository: RepositoryApi, tag: string, change: TagChange): Promise<boolean> {
  await repository.wire.sleep(SETTLE_MS);
  return change.holds((await repository.tagged(tag))?.manifest);
}

/** False when the registry says that the tag changed since it was read. */
async function put(
  repository: RepositoryApi,
  tag: string,
  next: Manifest,
  held: TaggedManifest | undefined,
): Promise<boolean> {
  const condition = held === undefined ? { 'if-none-match': '*' } : ifMatch(held.etag);
  const response = await repository.sendManifest(next, tag, condition);
  if (response.status === 201) return true;
  if (response.status === 412 || response.status === 409) return false;
  throw fail(R.upload, {
    expected: `${repository.name} to take ${tag}`,
    actual: `status ${response.status}${await messageOf(response)}`,
  });
}

const ifMatch = (etag: string | undefined): Record<string, string> =>
  etag === undefined ? {} : { 'if-match': etag };
