/** Removing what is attached to an image. The image itself is never touched. */
import type { Digest } from '#base/brand';
import { BUNDLE_MEDIA_TYPE_PREFIX } from '#formats/oci';
import { type LegacySuffix, legacySuffixes, legacyTag, possibleSuffixes } from './attachment-tags.ts';
import { forgetReferrer } from './referrers.ts';
import type { Repository } from './repository.ts';

export type CleanKind = 'signature' | 'attestation' | 'sbom' | 'bundle' | 'referrer' | 'all';

export interface Cleaned {
  /** Removed tags, and digests of removed referrers. */
  readonly removed: readonly string[];
}

const suffixOf: Partial<Record<CleanKind, LegacySuffix>> = {
  signature: 'sig',
  attestation: 'att',
  sbom: 'sbom',
};

/**
 * `bundle` removes only Sigstore bundles, `referrer` every referrer, `all` everything in both layouts. A
 * registry without deletion is WB-514. A trial removes nothing and tells what would go.
 */
export async function cleanAttachments(
  repository: Repository,
  subject: Digest,
  kind: CleanKind,
  isTrial = false,
): Promise<Cleaned> {
  const removed: string[] = [];
  const only = suffixOf[kind];
  const suffixes = kind === 'all' ? legacySuffixes : only === undefined ? [] : [only];
  for (const suffix of possibleSuffixes(subject, suffixes)) {
    const tag = legacyTag(subject, suffix);
    const isThere = isTrial ? (await repository.tagged(tag)) !== undefined : await repository.deleteTag(tag);
    if (isThere) removed.push(tag);
  }
  if (kind !== 'all' && kind !== 'bundle' && kind !== 'referrer') return { removed };
  for (const entry of await repository.referrers(subject)) {
    const manifest = await repository.manifest(entry.digest);
    const isAbout = manifest.subject?.digest === subject;
    const isBundle = manifest.artifactType?.startsWith(BUNDLE_MEDIA_TYPE_PREFIX) === true;
    if (!isAbout || (kind === 'bundle' && !isBundle)) continue;
    if (isTrial) {
      removed.push(entry.digest);
      continue;
    }
    if (await repository.deleteManifest(entry.digest)) removed.push(entry.digest);
    await forgetReferrer(repository, subject, entry.digest);
  }
  return { removed };
}
