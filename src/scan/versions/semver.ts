/**
 * Semantic versions, read loosely: leading `v`, missing or further number parts, build metadata ignored. For
 * npm, crates, Go and the other ecosystems that use them.
 */
import { compareNumbers, compareText, isNumber, type VersionOrder } from './order.ts';

interface Loose {
  readonly numbers: readonly string[];
  readonly prerelease: readonly string[];
  readonly build: string;
}

export function parseLoose(text: string): Loose | undefined {
  const match = /^[vV=]?(\d+(?:\.\d+)*)(?:([-.]?)([^+]*))?(?:\+(.*))?$/s.exec(text.trim());
  if (match === null) return undefined;
  const written = match[3] ?? '';
  // `1.0.0.alpha.beta`: after a dot, words in a row are one identifier.
  const prerelease = match[2] === '.' ? written.replace(/([a-zA-Z])\.(?=[a-zA-Z])/g, '$1-') : written;
  return {
    numbers: (match[1] as string).split('.'),
    prerelease: prerelease === '' ? [] : prerelease.split('.'),
    build: match[4] ?? '',
  };
}

export const compareSemver: VersionOrder = (a, b) => {
  const left = parseLoose(a);
  const right = parseLoose(b);
  if (left === undefined || right === undefined) return undefined;
  return (
    compareNumberLists(left.numbers, right.numbers) || comparePrerelease(left.prerelease, right.prerelease)
  );
};

/** Go: as semver, with `go1.22.1` and `go1.22rc1` of the toolchain; `+incompatible` is build metadata. */
export const compareGo: VersionOrder = (a, b) => compareSemver(goToSemver(a), goToSemver(b));

function goToSemver(text: string): string {
  const match = /^(?:go)?(\d+(?:\.\d+)*)((?:alpha|beta|rc)\d*)?(.*)$/s.exec(text.trim());
  if (match === null || match[2] === undefined) return text.trim().replace(/^go(?=\d)/, '');
  return `${match[1]}-${match[2]}`;
}

export function compareNumberLists(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = compareNumbers(a[i] ?? '0', b[i] ?? '0');
    if (difference !== 0) return difference;
  }
  return 0;
}

/** No prerelease is newest; numbers by value and before texts; a longer list is newer. */
export function comparePrerelease(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const left = a[i] as string;
    const right = b[i] as string;
    if (isNumber(left) !== isNumber(right)) return isNumber(left) ? -1 : 1;
    const difference = isNumber(left) ? compareNumbers(left, right) : compareText(left, right);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
