/**
 * Gentoo (PMS §3.3): `1.2.3b_rc4_p5-r6`. Number parts after the first that begin with 0 compare as fractions, more
 * parts are newer, then the letter, the suffixes one by one, the revision.
 */
import { compareNumbers, compareText, type VersionOrder } from './order.ts';

const form = /^(\d+)((?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|p)\d*)*)(?:-r(\d+))?$/;
/** Position 4 is "no suffix": older than `_p`, newer than the rest. */
const ranks = ['alpha', 'beta', 'pre', 'rc', '', 'p'];

interface Suffix {
  readonly rank: number;
  readonly number: string;
}

interface Parsed {
  readonly first: string;
  readonly parts: readonly string[];
  readonly letter: string;
  readonly suffixes: readonly Suffix[];
  readonly revision: string;
}

function parse(text: string): Parsed | undefined {
  const match = form.exec(text.trim());
  if (match === null) return undefined;
  const [, first = '', rest = '', letter = '', suffixes = '', revision = '0'] = match;
  return {
    first,
    parts: rest.split('.').slice(1),
    letter,
    suffixes: suffixes.split('_').slice(1).map(suffixOf),
    revision,
  };
}

function suffixOf(text: string): Suffix {
  const name = text.replace(/\d+$/, '');
  return { rank: ranks.indexOf(name), number: text.slice(name.length) || '0' };
}

export const comparePortage: VersionOrder = (a, b) => {
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) return undefined;
  return (
    compareNumbers(left.first, right.first) ||
    compareParts(left.parts, right.parts) ||
    compareText(left.letter, right.letter) ||
    compareSuffixes(left.suffixes, right.suffixes) ||
    compareNumbers(left.revision, right.revision)
  );
};

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const left = a[i] as string;
    const right = b[i] as string;
    const isFraction = left.startsWith('0') || right.startsWith('0');
    const trim = (text: string): string => text.replace(/0+$/, '');
    const difference = isFraction ? compareText(trim(left), trim(right)) : compareNumbers(left, right);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function compareSuffixes(a: readonly Suffix[], b: readonly Suffix[]): number {
  const none: Suffix = { rank: ranks.indexOf(''), number: '0' };
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const left = a[i] ?? none;
    const right = b[i] ?? none;
    const difference = left.rank - right.rank || compareNumbers(left.number, right.number);
    if (difference !== 0) return difference;
  }
  return 0;
}
