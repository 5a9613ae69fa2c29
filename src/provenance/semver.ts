/** Semantic versions as Go's x/mod/semver reads them: a leading `v`, minor and patch may be left out. */

export interface GoVersion {
  readonly major: string;
  readonly minor?: string;
  readonly patch?: string;
  /** With its hyphen; empty when there is none. */
  readonly prerelease: string;
  readonly build: string;
}

const number = '(?:0|[1-9][0-9]*)';
const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const form = new RegExp(
  `^v(${number})(?:\\.(${number})(?:\\.(${number})(-${identifiers})?(\\+${identifiers})?)?)?$`,
);

export function parseGoVersion(text: string): GoVersion | undefined {
  const match = text.length <= 256 ? form.exec(text) : null;
  if (match === null) return undefined;
  const [, major, minor, patch, prerelease = '', build = ''] = match;
  // A numeric prerelease identifier has no leading zero (semver.org §9).
  if (
    prerelease !== '' &&
    prerelease
      .slice(1)
      .split('.')
      .some((part) => /^0\d+$/.test(part))
  )
    return undefined;
  return {
    major: major as string,
    ...(minor === undefined ? {} : { minor }),
    ...(patch === undefined ? {} : { patch }),
    prerelease,
    build,
  };
}

/** A released version with all three parts: what a builder may be referenced by. */
export function isReleaseTag(ref: string): boolean {
  const version = ref.startsWith('refs/tags/') ? parseGoVersion(ref.slice('refs/tags/'.length)) : undefined;
  return version?.patch !== undefined && version.prerelease === '' && version.build === '';
}

/**
 * Whether `actual` (canonical: missing parts are zero) is within `expected` (missing parts are free). Build
 * metadata does not count; a prerelease counts as part of the patch.
 */
export function versionWithin(actual: GoVersion, expected: GoVersion): boolean {
  if (actual.major !== expected.major) return false;
  if (expected.minor !== undefined && (actual.minor ?? '0') !== expected.minor) return false;
  if (expected.patch === undefined) return true;
  return (actual.patch ?? '0') === expected.patch && actual.prerelease === expected.prerelease;
}
