/** rpm: `[epoch:]version[-release]` with rpmvercmp, `~` and `^`. */
import { compareNumbers, compareText, isNumber, type VersionOrder } from './order.ts';

export const compareRpm: VersionOrder = (a, b) => {
  const left = splitRpm(a);
  const right = splitRpm(b);
  return (
    compareEpoch(left.epoch ?? '0', right.epoch ?? '0') ||
    compareSegments(left.version, right.version) ||
    compareRelease(left.release, right.release)
  );
};

/** A version without a release sorts before the same version with one. */
function compareRelease(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  return compareSegments(a, b);
}

export interface RpmVersion {
  readonly epoch: string | undefined;
  readonly version: string;
  readonly release: string | undefined;
}

export function splitRpm(text: string): RpmVersion {
  const colon = text.indexOf(':');
  const rest = text.slice(colon + 1);
  const dash = rest.indexOf('-');
  return {
    epoch: colon < 0 ? undefined : text.slice(0, colon),
    version: dash < 0 ? rest : rest.slice(0, dash),
    release: dash < 0 ? undefined : rest.slice(dash + 1),
  };
}

/** Whether only zeros at the end of the releases keep two versions apart: `5.el8` and `5.el8.0.0`. */
export function rpmReleaseIsPadded(a: string, b: string): boolean {
  const left = splitRpm(a);
  const right = splitRpm(b);
  if (left.release === undefined || right.release === undefined || left.release === right.release)
    return false;
  const bare = (release: string): string => release.replace(/(?:\.0+)+$/, '');
  return (
    left.version === right.version &&
    bare(left.release) === bare(right.release) &&
    compareEpoch(left.epoch ?? '0', right.epoch ?? '0') === 0
  );
}

const compareEpoch = (a: string, b: string): number =>
  isNumber(a) && isNumber(b) ? compareNumbers(a, b) : compareSegments(a, b);

function compareSegments(a: string, b: string): number {
  let left = a;
  let right = b;
  for (;;) {
    left = left.replace(/^[^a-zA-Z0-9~^]+/, '');
    right = right.replace(/^[^a-zA-Z0-9~^]+/, '');
    const special = compareSpecial(left, right);
    if (special === 'both') {
      left = left.slice(1);
      right = right.slice(1);
      continue;
    }
    if (special !== 0) return special;
    if (left === '' || right === '') return Math.sign(left.length - right.length);
    const isDigits = /^[0-9]/.test(left);
    const form = isDigits ? /^[0-9]+/ : /^[a-zA-Z]+/;
    const one = form.exec(left)?.[0] as string;
    const other = form.exec(right)?.[0];
    // A number is newer than letters.
    if (other === undefined) return isDigits ? 1 : -1;
    const difference = isDigits ? compareNumbers(one, other) : compareText(one, other);
    if (difference !== 0) return difference;
    left = left.slice(one.length);
    right = right.slice(other.length);
  }
}

/** `~` sorts before everything, also the end; `^` after the end but before any other continuation. */
function compareSpecial(left: string, right: string): number | 'both' {
  if (left[0] === '~' || right[0] === '~') {
    if (left[0] === right[0]) return 'both';
    return left[0] === '~' ? -1 : 1;
  }
  if (left[0] === '^' || right[0] === '^') {
    if (left[0] === right[0]) return 'both';
    if (left === '') return -1;
    if (right === '') return 1;
    return left[0] === '^' ? -1 : 1;
  }
  return 0;
}
