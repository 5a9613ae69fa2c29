/**
 * Kyverno's wildcard: whole text, over code points, no escape; `*` is any run (empty and `/` included), `?`
 * is exactly one code point. Iterative: time is at most pattern × text, whatever the number of stars.
 */
export function wildcardMatch(pattern: string, text: string): boolean {
  if (pattern === '*') return true;
  const p = Array.from(pattern);
  const t = Array.from(text);
  let at = 0;
  let in_ = 0;
  let star = -1;
  let resume = 0;
  while (in_ < t.length) {
    const c = p[at];
    if (c === '*') {
      star = at++;
      resume = in_;
    } else if (c !== undefined && (c === '?' || c === t[in_])) {
      at++;
      in_++;
    } else if (star >= 0) {
      at = star + 1;
      in_ = ++resume;
    } else {
      return false;
    }
  }
  while (p[at] === '*') at++;
  return at === p.length;
}

export const hasWildcard = (text: string): boolean => /[*?]/.test(text);

/** The same language as an RE2 expression over the whole text. */
export function wildcardRegexp(pattern: string): string {
  const body = Array.from(pattern, (c) => {
    if (c === '*') return '.*';
    return c === '?' ? '.' : c.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
  });
  return `(?s)${body.join('')}`;
}
