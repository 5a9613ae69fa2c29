/**
 * Maven (`ComparableVersion`): dots and dashes separate, a change between digits and letters does too, and
 * dashes open a nested list. Known qualifiers have a rank, unknown ones sort after them as text.
 */
import { compareNumbers, compareText, isNumber, type VersionOrder } from './order.ts';

interface Token {
  readonly separator: '.' | '-';
  readonly text: string;
}

const ranks = ['alpha', 'beta', 'milestone', 'rc', 'snapshot', '', 'sp'];
const aliases: Record<string, string> = { ga: '', final: '', release: '', cr: 'rc' };
const shorts: Record<string, string> = { a: 'alpha', b: 'beta', m: 'milestone' };

export const compareMaven: VersionOrder = (a, b) => {
  const left = tokens(a);
  const right = tokens(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const one = left[i] ?? padFor(right[i] as Token);
    const other = right[i] ?? padFor(left[i] as Token);
    const difference = compareTokens(one, other);
    if (difference !== 0) return difference;
  }
  return 0;
};

function tokens(version: string): Token[] {
  const out: Token[] = [];
  let separator: '.' | '-' = '.';
  const parts =
    version
      .trim()
      .toLowerCase()
      .match(/[.-]|[0-9]+|[^0-9.-]+/g) ?? [];
  let isOpen = true;
  parts.forEach((part, i) => {
    if (part === '.' || part === '-') {
      if (isOpen) out.push({ separator, text: '0' });
      separator = part;
      isOpen = true;
      return;
    }
    const next = parts[i + 1];
    const before = parts[i - 1];
    // A change between digits and letters acts like a dash.
    if (before !== undefined && before !== '.' && before !== '-') separator = '-';
    const isShort = next !== undefined && isNumber(next);
    out.push({ separator, text: canonical(part, isShort) });
    isOpen = false;
  });
  if (isOpen && parts.length > 0) out.push({ separator, text: '0' });
  return trimmed(out);
}

function canonical(part: string, isShort: boolean): string {
  if (isNumber(part)) return part.replace(/^0+(?=.)/, '');
  const long = isShort ? (shorts[part] ?? part) : part;
  return aliases[long] ?? long;
}

const isNull = (text: string): boolean => text === '0' || text === '';

/** Null parts at the end, and those before a dash, say nothing. */
function trimmed(list: readonly Token[]): Token[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    if (!isNull((out[i] as Token).text)) {
      continue;
    }
    const next = out[i + 1];
    if (next === undefined || next.separator === '-') out.splice(i, 1);
  }
  return out;
}

/** What stands for a missing part: the null of the same kind. */
const padFor = (token: Token): Token => ({
  separator: token.separator,
  text: isNumber(token.text) ? '0' : '',
});

/** Order of kinds for parts that differ: `.qualifier` < `-qualifier` < `-number` < `.number`. */
function kind(token: Token): number {
  if (isNumber(token.text)) return token.separator === '-' ? 2 : 3;
  return token.separator === '-' ? 1 : 0;
}

function compareTokens(a: Token, b: Token): number {
  const isSameSeparator = a.separator === b.separator;
  if (isNumber(a.text) && isNumber(b.text)) {
    return isSameSeparator ? compareNumbers(a.text, b.text) : kind(a) - kind(b);
  }
  if (!isNumber(a.text) && !isNumber(b.text)) {
    const difference = compareQualifiers(a.text, b.text);
    if (isSameSeparator || difference !== 0)
      return isSameSeparator ? difference : kind(a) - kind(b) || difference;
    return kind(a) - kind(b);
  }
  return kind(a) - kind(b);
}

function compareQualifiers(a: string, b: string): number {
  const left = ranks.indexOf(a);
  const right = ranks.indexOf(b);
  if (left >= 0 && right >= 0) return left - right;
  if (left < 0 && right < 0) return compareText(a, b);
  return left < 0 ? 1 : -1;
}
