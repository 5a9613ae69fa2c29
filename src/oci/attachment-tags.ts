/** Names cosign's tag layout gives (reference/sigstore-formats §1.2). */
import type { Digest } from '#base/brand';
import { fallbackTag } from './referrers.ts';

export type LegacySuffix = 'sig' | 'att' | 'sbom';
export const legacySuffixes: readonly LegacySuffix[] = ['sig', 'att', 'sbom'];

/** `sha256-<hex>.sig`, with the prefix of `--attachment-tag-prefix` when there is one. */
export const legacyTag = (digest: Digest, suffix: LegacySuffix, prefix = ''): string =>
  `${prefix}${fallbackTag(digest)}.${suffix}`;

/** Layer types of SBOMs that cosign attached without a signature. */
export const legacySbomTypes: ReadonlySet<string> = new Set([
  'application/vnd.cyclonedx+json',
  'application/vnd.cyclonedx+xml',
  'text/spdx',
  'text/spdx+json',
  'application/vnd.syft+json',
]);
