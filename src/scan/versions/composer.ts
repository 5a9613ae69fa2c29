/** Composer (PHP `version_compare` after normalisation): dev < alpha < beta < RC < release < patch level. */
import { compareNumbers, isNumber, type VersionOrder } from './order.ts';

const names: readonly (readonly [RegExp, number])[] = [
  [/^dev/, 0],
  [/^a(?:lpha)?/, 1],
  [/^b(?:eta)?/, 2],
  [/^rc/i, 3],
  [/^#/, 4],
  [/^p(?:l)?/, 5],
];

export const compareComposer: VersionOrder = (a, b) => {
  const left = parts(a);
  const right = parts(b);
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const difference = compareParts(left[i] as string, right[i] as string);
    if (difference !== 0) return difference;
  }
  for (const more of left.slice(shared)) if (againstEnd(more) !== 0) return againstEnd(more);
  for (const more of right.slice(shared)) if (againstEnd(more) !== 0) return -againstEnd(more);
  return 0;
};

/** How a further part compares with the end of the other version. */
const againstEnd = (part: string): number => (isNumber(part) ? 1 : compareParts(part, '#'));

/** `1.0RC1-dev` → 1, 0, RC, 1, dev. */
function parts(version: string): string[] {
  return version
    .trim()
    .replace(/^v/i, '')
    .replace(/[-_+]/g, '.')
    .replace(/([^0-9.])([0-9])/g, '$1.$2')
    .replace(/([0-9])([^0-9.])/g, '$1.$2')
    .split('.')
    .filter((part) => part !== '');
}

function rank(part: string): number {
  if (isNumber(part)) return 4;
  return names.find(([form]) => form.test(part))?.[1] ?? -1;
}

function compareParts(a: string, b: string): number {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  return rank(a) - rank(b);
}
