/** One spelling for a source repository, however it was written down. */
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { R } from './reasons.ts';

export interface SourceUri {
  /** `https://host/path` without user info, `.git`, trailing slash or ref; `file:///path` for a local one. */
  readonly repository: string;
  /** What followed `@`, when something did. */
  readonly ref?: string;
}

const schemes = new Set(['https:', 'http:', 'ssh:', 'git:', 'file:']);

/**
 * Reads `git+https://host/o/r.git@refs/tags/v1`, `https://host/o/r`, `host/o/r`. The host is compared without
 * case, the path with case. User info, queries, escapes, dot segments and non-ASCII text are refused: a
 * repository has no need of them and a reader would not see the difference.
 */
export function parseSourceUri(text: string): Result<SourceUri> {
  const refuse = (actual: string): Result<SourceUri> =>
    err(
      reason(R.uri, {
        check: 'provenance.sourceUri',
        expected: 'a repository such as github.com/owner/name or git+https://host/path',
        actual: `${JSON.stringify(text)}: ${actual}`,
      }),
    );
  if (text.length > 2048 || !/^[\x21-\x7e]+$/.test(text)) return refuse('empty, long or not printable ASCII');
  const bare = text.startsWith('git+') ? text.slice(4) : text;
  const absolute = bare.includes('://') ? bare : `https://${bare}`;
  const pathStart = absolute.indexOf('/', absolute.indexOf('://') + 3);
  if (pathStart === -1) return refuse('no path');
  if (absolute.slice(0, pathStart).includes('@')) return refuse('user information before the host');
  const at = absolute.indexOf('@', pathStart);
  const place = at === -1 ? absolute : absolute.slice(0, at);
  const ref = at === -1 ? undefined : absolute.slice(at + 1);
  if (/[%?#\\;]/.test(place)) return refuse('an escape, query, fragment or backslash');
  const path = place
    .slice(pathStart)
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
  const segments = path.split('/').slice(1);
  if (segments.length === 0 || segments.some((part) => part === '' || part === '.' || part === '..')) {
    return refuse('an empty or dot segment');
  }
  if (!URL.canParse(place)) return refuse('not a URL');
  const url = new URL(place);
  if (!schemes.has(url.protocol) || (url.host === '') !== (url.protocol === 'file:')) {
    return refuse(`scheme ${url.protocol}`);
  }
  const repository = `${url.protocol}//${url.host}${path}`;
  return ok(ref === undefined ? { repository } : { repository, ref });
}

const ambiguous = /^refs\/(?:heads|tags)\/refs\//;

/** `refs/heads/…` or `refs/tags/…`; a branch that is named like a ref (`refs/heads/refs/tags/v1`) is neither. */
export function refKind(ref: string | undefined): 'branch' | 'tag' | 'other' {
  if (ref === undefined || ambiguous.test(ref)) return 'other';
  if (ref.startsWith('refs/heads/') && ref.length > 11) return 'branch';
  return ref.startsWith('refs/tags/') && ref.length > 10 ? 'tag' : 'other';
}
