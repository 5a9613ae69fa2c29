/** What a version order is, and comparisons the orders share. */

/**
 * Compares two versions of one ecosystem: negative, 0 or positive; undefined when one of them is no version of
 * that ecosystem, which is never the same as "not affected".
 */
export type VersionOrder = (a: string, b: string) => number | undefined;

/** Decimal digits of any length by value. */
export function compareNumbers(a: string, b: string): number {
  if (a === b) return 0;
  const left = withoutZeros(a);
  const right = withoutZeros(b);
  return left.length - right.length || compareText(left, right);
}

const withoutZeros = (digits: string): string =>
  digits.startsWith('0') ? digits.replace(/^0+/, '') : digits;

/** By code unit. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const isNumber = (text: string): boolean => /^[0-9]+$/.test(text);
