/** Orders that are small variations: NuGet, Pub, CRAN, Hackage. */
import { compareText, isNumber, type VersionOrder } from './order.ts';
import { compareNumberLists, comparePrerelease, compareSemver, parseLoose } from './semver.ts';

/** NuGet: four numbers, prerelease without regard to case, build ignored. */
export const compareNuget: VersionOrder = (a, b) => {
  const left = parseLoose(a.toLowerCase());
  const right = parseLoose(b.toLowerCase());
  if (left === undefined || right === undefined) return undefined;
  return (
    compareNumberLists(left.numbers, right.numbers) || comparePrerelease(left.prerelease, right.prerelease)
  );
};

/** Pub: semver in which build metadata orders, after the same version without it. */
export const comparePub: VersionOrder = (a, b) => {
  const left = parseLoose(a);
  const right = parseLoose(b);
  if (left === undefined || right === undefined) return undefined;
  const difference =
    compareNumberLists(left.numbers, right.numbers) || comparePrerelease(left.prerelease, right.prerelease);
  if (difference !== 0 || left.build === right.build) return difference;
  if (left.build === '' || right.build === '') return left.build === '' ? -1 : 1;
  return comparePrerelease(left.build.split('.'), right.build.split('.'));
};

/** CRAN and Hackage: numbers separated by dots (CRAN: or dashes); more numbers are newer. */
const compareLists =
  (separator: RegExp): VersionOrder =>
  (a, b) => {
    const left = a.trim().split(separator);
    const right = b.trim().split(separator);
    if (![...left, ...right].every(isNumber)) return undefined;
    const shared = Math.min(left.length, right.length);
    return compareNumberLists(left.slice(0, shared), right.slice(0, shared)) || left.length - right.length;
  };

export const compareCran: VersionOrder = compareLists(/[.-]/);
export const compareHackage: VersionOrder = compareLists(/\./);

/** Bitnami: the revision of their packaging after the dash does not count. */
export const compareBitnami: VersionOrder = (a, b) =>
  compareSemver(a.trim().replace(/-\d+$/, ''), b.trim().replace(/-\d+$/, ''));

/** For ecosystems without a known order: only equal texts are equal. */
export const compareEqualOnly: VersionOrder = (a, b) => (compareText(a, b) === 0 ? 0 : undefined);
