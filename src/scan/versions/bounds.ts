/**
 * How a package's version compares with a bound of an advisory. Nearly always the order of the ecosystem; the
 * exceptions are what writers of advisories leave out: epochs of rpm packages, local parts of Python versions,
 * the Java release a Maven artifact was built for, the platform of a gem, the zeros at the end of a Composer version.
 */
import { orderOf } from './index.ts';
import type { VersionOrder } from './order.ts';
import { compareRpm, rpmReleaseIsPadded, splitRpm } from './rpm.ts';

/**
 * What an absent epoch means. `zero`: 0, as rpm and dpkg say. `auto`: a package that names none has that of the
 * bound. `ignore`: epochs count only where both sides name one.
 */
export type MissingEpoch = 'zero' | 'auto' | 'ignore';

export interface BoundOptions {
  /** For rpm and dpkg versions; default `zero`. */
  readonly missingEpoch?: MissingEpoch;
}

/** Compares (version of a package, bound of an advisory). */
export function boundOrderOf(ecosystem: string, options: BoundOptions = {}): VersionOrder {
  const order = orderOf(ecosystem);
  const missing = options.missingEpoch ?? 'zero';
  const [name] = ecosystem.split(':');
  if (name === 'Arch Linux') return pacmanBounds;
  if (order === compareRpm) return rpmBounds(missing);
  if ((name === 'Debian' || name === 'Ubuntu') && missing === 'auto') return autoEpoch(order);
  if (name === 'PyPI') return (version, bound) => order(withoutLocal(version, bound), bound);
  if (name === 'Maven') return (version, bound) => order(withoutRuntime(version), withoutRuntime(bound));
  if (name === 'RubyGems') return (version, bound) => order(withoutPlatform(version), bound);
  if (name === 'Packagist') return (version, bound) => order(inFourParts(version), inFourParts(bound));
  return order;
}

/** PEP 440, version specifiers: a bound without a local part says nothing about local parts. */
const withoutLocal = (version: string, bound: string): string =>
  !version.includes('+') || bound.includes('+') ? version : version.replace(/\+.*$/s, '');

const withoutRuntime = (version: string): string => version.replace(/[.-](?:jre|jdk)\d+$/, '');

/** `Gem::Platform` as it ends a version in Bundler's files. */
const platform =
  /-(?:java|jruby|(?:x86|x64|x86_64|i[3-6]86|arm|arm64|aarch64|armv\d\w*|universal|powerpc\w*|ppc64le|s390x)-(?:linux|darwin|mingw|mswin|freebsd|openbsd|solaris)[\w-]*)$/;
const withoutPlatform = (version: string): string => version.replace(platform, '');

/** Composer compares constraints with what it has normalised before: `8.0` is `8.0.0.0` on both sides. */
function inFourParts(version: string): string {
  const numbers = /^v?\d+(?:\.\d+){0,2}(?![\d.])/i.exec(version)?.[0];
  if (numbers === undefined) return version;
  const missing = 4 - numbers.split('.').length;
  return `${numbers}${'.0'.repeat(missing)}${version.slice(numbers.length)}`;
}

const autoEpoch =
  (order: VersionOrder): VersionOrder =>
  (version, bound) => {
    const epoch = /^(\d+):/.exec(bound)?.[0];
    return order(epoch === undefined || /^\d+:/.test(version) ? version : `${epoch}${version}`, bound);
  };

/** pacman: the build number counts only where both versions have one. */
const pacmanBounds: VersionOrder = (version, bound) => {
  const isWhole = splitRpm(version).release !== undefined && splitRpm(bound).release !== undefined;
  const bare = (text: string): string => text.replace(/-.*$/s, '');
  return isWhole ? compareRpm(version, bound) : compareRpm(bare(version), bare(bound));
};

function rpmBounds(missing: MissingEpoch): VersionOrder {
  const order: VersionOrder = (version, bound) =>
    rpmReleaseIsPadded(version, bound) ? 0 : compareRpm(version, bound);
  if (missing === 'zero') return order;
  return (version, bound) => {
    const left = splitRpm(version).epoch;
    const right = splitRpm(bound).epoch;
    const bare = (text: string): string => text.replace(/^\d+:/, '');
    if (left === undefined && right !== undefined) return order(version, bare(bound));
    if (missing === 'ignore' && right === undefined) return order(bare(version), bound);
    return order(version, bound);
  };
}
