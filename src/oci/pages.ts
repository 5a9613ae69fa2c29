/** Paged lists (`Link: <…>; rel="next"`, RFC 8288), bounded. */
import { fail } from '#base/reason';
import type { HttpResponse } from '#platform/http-client';
import { shownUrl } from './hosts.ts';
import { R } from './reasons.ts';
import type { RepositoryApi } from './repository-api.ts';
import { remoteUrl } from './wire.ts';

export interface Page {
  readonly page: HttpResponse;
  /** The address it was asked at. */
  readonly asked: string;
}

/** Every page's answer. Stops with WB-509 at `pagesMax`, at a loop, and at a link to another host. */
export async function* followPages(
  repository: RepositoryApi,
  first: string,
  pagesMax: number,
  headers: Readonly<Record<string, string>> = {},
): AsyncIterable<Page> {
  const origin = await repository.wire.origin();
  const seen = new Set<string>();
  for (let path: string | undefined = first; path !== undefined; ) {
    const url: URL = remoteUrl(path, origin);
    if (url.origin !== origin || seen.has(url.href) || seen.size >= pagesMax) {
      throw fail(R.referrersLimit, {
        expected: `a list of at most ${pagesMax} pages on ${repository.registry}`,
        actual: seen.has(url.href) ? 'a page that follows itself' : `another page at ${shownUrl(url)}`,
        hint: 'the registry or a proxy before it is broken: tell its operator',
      });
    }
    seen.add(url.href);
    const page = await repository.wire.send({ path: url.href, headers, scope: repository.scope('pull') });
    yield { page, asked: url.href };
    path = nextLink(page.headers.get('link'), url);
  }
}

function nextLink(header: string | undefined, base: URL): string | undefined {
  const match = /<([^>]*)>\s*;[^,]*\brel\s*=\s*"?next"?/i.exec(header ?? '');
  return match?.[1] === undefined ? undefined : remoteUrl(match[1], base).href;
}
