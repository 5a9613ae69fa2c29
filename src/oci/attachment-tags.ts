/** Names cosign's tag layout gives (reference/sigstore-formats §1.2). */
import type { Digest } from '#base/brand';

export type LegacySuffix = 'sig' | 'att' | 'sbom';
export const legacySuffixes: readonly LegacySuffix[] = ['sig', 'att', 'sbom'];

/** `sha256-<hex>.sig`, with the prefix of `--attachment-tag-prefix` when there is one. */
export const legacyTag = (digest: Digest, suffix: LegacySuffix, prefix = ''): string =>
  `${prefix}${digest.replace(':', '-')}.${suffix}`;

const TAG_CHARS_MAX = 128;

/** The suffixes whose tag can exist: one of a sha512 digest is longer than a tag may be. */
export const possibleSuffixes = (
  digest: Digest,
  suffixes: readonly LegacySuffix[] = legacySuffixes,
  prefix = '',
): readonly LegacySuffix[] =>
  suffixes.filter((suffix) => legacyTag(digest, suffix, prefix).length <= TAG_CHARS_MAX);

/** Layer types of SBOMs that cosign attached without a signature. */
export const legacySbomTypes: ReadonlySet<string> = new Set([
  'application/vnd.cyclonedx+json',
  'application/vnd.cyclonedx+xml',
  'text/spdx',
  'text/spdx+json',
  'application/vnd.syft+json',
]);
