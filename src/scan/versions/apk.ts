/**
 * apk: `1.2.3a_alpha1~hash-r4` as apk-tools compares it. Number parts after the first that begin with 0 compare
 * as fractions. Where two versions go on differently, the kind of what follows decides.
 */
import { compareNumbers, compareText, type VersionOrder } from './order.ts';

type Kind = 'number' | 'letter' | 'suffix' | 'hash' | 'revision' | 'rest' | 'end';
/** Newest first: what goes on with a number is newer than what goes on with a letter, … */
const kinds: readonly Kind[] = ['number', 'letter', 'suffix', 'hash', 'revision', 'end', 'rest'];

interface Token {
  readonly kind: Kind;
  readonly text: string;
  /** Rank of a suffix; below 0 sorts before the release. */
  readonly rank: number;
  readonly isFirst: boolean;
}

const suffixes = ['alpha', 'beta', 'pre', 'rc'];
const laterSuffixes = ['cvs', 'svn', 'git', 'hg', 'p'];

function suffixRank(name: string): number | undefined {
  const before = suffixes.indexOf(name);
  if (before >= 0) return before - suffixes.length;
  const after = laterSuffixes.indexOf(name);
  return after >= 0 ? after + 1 : undefined;
}

export const compareApk: VersionOrder = (a, b) => {
  const left = tokens(a.trim());
  const right = tokens(b.trim());
  for (let i = 0; ; i++) {
    const one = left[i] as Token;
    const other = right[i] as Token;
    if (one.kind !== other.kind) return compareKinds(one, other);
    if (one.kind === 'end') return 0;
    const difference = compareTokens(one, other);
    if (difference !== 0) return difference;
  }
};

function tokens(version: string): Token[] {
  const out: Token[] = [];
  let rest = version;
  const take = (kind: Kind, text: string, rank = 0): void => {
    out.push({ kind, text, rank, isFirst: out.length === 0 });
    rest = rest.slice(text.length);
  };
  const first = /^[0-9]*/.exec(rest)?.[0] as string;
  take('number', first);
  for (;;) {
    const number = /^\.([0-9]*)/.exec(rest);
    if (number === null || number[0] === '.') break;
    rest = rest.slice(1);
    take('number', number[1] as string);
  }
  const letter = /^[a-z]/.exec(rest);
  if (letter !== null) take('letter', letter[0]);
  for (;;) {
    const suffix = /^_([a-z]+)([0-9]*)/.exec(rest);
    const rank = suffix === null ? undefined : suffixRank(suffix[1] as string);
    if (suffix === null || rank === undefined) break;
    rest = rest.slice((suffix[1] as string).length + 1);
    take('suffix', suffix[2] as string, rank);
  }
  const hash = /^~[0-9a-f]+/.exec(rest);
  if (hash !== null) take('hash', hash[0]);
  const revision = /^-r([0-9]*)(?![a-z])/.exec(rest);
  if (revision !== null) {
    rest = rest.slice(2);
    take('revision', revision[1] as string);
  }
  if (rest !== '') take('rest', rest);
  take('end', '');
  return out;
}

function compareTokens(a: Token, b: Token): number {
  switch (a.kind) {
    case 'number': {
      const isFraction = !a.isFirst && (a.text.startsWith('0') || b.text.startsWith('0'));
      return isFraction ? compareText(a.text, b.text) : compareNumbers(a.text, b.text);
    }
    case 'suffix':
      return a.rank - b.rank || compareNumbers(a.text, b.text);
    case 'revision':
      return compareNumbers(a.text, b.text);
    case 'letter':
    case 'hash':
      return compareText(a.text, b.text);
    default:
      // What follows no rule sorts as text, unless it stands where a revision would.
      return a.text.startsWith('-') || b.text.startsWith('-') ? 0 : compareText(a.text, b.text);
  }
}

function compareKinds(a: Token, b: Token): number {
  if (a.kind === 'suffix' && a.rank < 0) return -1;
  if (b.kind === 'suffix' && b.rank < 0) return 1;
  return kinds.indexOf(b.kind) - kinds.indexOf(a.kind);
}
