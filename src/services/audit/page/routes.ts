/**
 * The page: GET / · /search?q=… · /image/DIGEST[?in=REPOSITORY] · /page.css · /icon.svg. Server-rendered, read-only,
 * without script. Refusals are pages too.
 */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { fail, type Reason, WaybillError } from '#base/reason';
import { isRepositoryName } from '#formats/reference';
import type { HttpApp, HttpReply } from '#platform/http-server';
import { homePage } from './home-page.ts';
import { documentOf, type Html, html, ICON } from './html.ts';
import { imagePage, imageUrl, nameOf } from './image-page.ts';
import { reasonHtml } from './reason-words.ts';
import { R } from './reasons.ts';
import { reportOn } from './report.ts';
import { STYLE } from './style.ts';
import type { PageDeps } from './view.ts';
import { shortDigest } from './words.ts';

/** Everything from here, nothing run, nowhere framed. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const headers = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** The page of a stack: its routes are there before the stack is, what they show comes later. */
export class Page {
  #deps: PageDeps | undefined;

  open(deps: PageDeps): void {
    this.#deps = deps;
  }

  /** Throws WB-1182 before `open`. */
  get deps(): PageDeps {
    if (this.#deps !== undefined) return this.#deps;
    throw fail(R.pageStarting, { expected: 'a stack that is up', actual: 'one that is starting' });
  }
}

export function registerPage(app: HttpApp, page: Page): void {
  void app.register((scope, _options, done) => {
    scope.setErrorHandler((error, request, reply) => {
      // Defects go where all defects go; only refusals are for readers.
      if (!(error instanceof WaybillError)) throw error;
      return answerRefusal(reply, error.reason, (request.query as Record<string, unknown>)['q']);
    });
    scope.get('/', async (_request, reply) => {
      const now = page.deps;
      const [overview, images] = await Promise.all([now.view.overview(), now.view.images()]);
      const body = homePage(overview, images, now.clock);
      return send(reply, { title: 'This stack', body, ...bannerOf(now) });
    });
    scope.get('/search', async (request, reply) => {
      const query = (request.query as Record<string, unknown>)['q'];
      return reply.headers(headers).redirect(await find(query, page.deps), 303);
    });
    scope.get('/image/*', async (request, reply) => {
      const { digest, repository } = imageIn(request.params, request.query);
      const now = page.deps;
      const report = await reportOn(digest, repository, now);
      const isKnown = report.places.length > 0 || report.log.length > 0 || report.troubles.length > 0;
      if (!isKnown) throw unknownImage(digest, report.coverage);
      return send(reply, {
        ...bannerOf(now),
        title: `${nameOf(report)} ${shortDigest(digest)}`,
        body: imagePage(report),
        query: digest,
      });
    });
    scope.get('/page.css', (_request, reply) =>
      reply.headers(headers).header('cache-control', 'no-cache').type('text/css; charset=utf-8').send(STYLE),
    );
    scope.get('/icon.svg', (_request, reply) =>
      reply.headers(headers).header('cache-control', 'max-age=86400').type('image/svg+xml').send(ICON),
    );
    done();
  });
}

interface Answer {
  readonly title: string;
  readonly body: Html;
  readonly query?: string;
  readonly banner?: string;
}

function send(reply: HttpReply, answer: Answer): HttpReply {
  return reply
    .headers(headers)
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(documentOf(answer));
}

const bannerOf = ({ view }: PageDeps): Pick<Answer, 'banner'> =>
  view.banner === undefined ? {} : { banner: view.banner };

/** Where the search box leads: a digest as it is, a reference by what it names now. */
async function find(query: unknown, { view }: PageDeps): Promise<string> {
  const text = typeof query === 'string' ? query.trim() : '';
  if (text === '' || text.length > QUERY_CHARS_MAX) {
    throw fail(R.pageQuery, {
      expected: 'a digest or a reference',
      actual: text === '' ? 'nothing' : `${text.length} characters`,
    });
  }
  const digest = parseDigest(/^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text);
  if (digest.ok) return `/image/${digest.value}`;
  return imageUrl(await view.resolve(text));
}

const QUERY_CHARS_MAX = 500;

function imageIn(params: unknown, query: unknown): { readonly digest: Digest; readonly repository?: string } {
  const given = (params as Record<string, string>)['*'] ?? '';
  const digest = parseDigest(given);
  if (!digest.ok)
    throw fail(R.pageImage, { expected: 'sha256:<64 hex digits>', actual: given === '' ? 'nothing' : given });
  const repository = (query as Record<string, unknown>)['in'];
  if (repository === undefined) return { digest: digest.value };
  if (typeof repository !== 'string' || !isRepositoryName(repository)) {
    throw fail(R.pageImage, { expected: 'the name of a repository', actual: String(repository) });
  }
  return { digest: digest.value, repository };
}

function unknownImage(
  digest: Digest,
  coverage: readonly { readonly origin: string; readonly treeSize: number }[],
): WaybillError {
  const searched = coverage.map(({ origin, treeSize }) => `${treeSize} entries of ${origin}`).join(', ');
  return fail(R.pageImage, {
    expected: `an image of this stack, or a log entry about ${digest}`,
    actual: `neither; searched the registry and ${searched || 'no log'}`,
  });
}

function answerRefusal(reply: HttpReply, why: Reason, query: unknown): HttpReply {
  const title = refusalTitle(why.status);
  const body = html`<h1>${title}</h1><section class="problem"><p>${reasonHtml(why)}</p>
<p>Give a digest (<code>sha256:</code> and 64 hex digits), a name such as <code>acme/api:v1.4.2</code>, or go <a href="/">back to the stack</a>.</p></section>`;
  return send(reply.code(why.status), {
    title,
    body,
    ...(typeof query === 'string' ? { query: query.slice(0, QUERY_CHARS_MAX) } : {}),
  });
}

function refusalTitle(status: number): string {
  if (status === 404) return 'Nothing here knows this image';
  return status >= 500 ? 'Not available now' : 'That cannot be searched for';
}
