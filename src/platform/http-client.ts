/**
 * `Transport`: the only way out to the network. One request, one answer, bounded in bytes and time.
 *
 * Contract for every implementation: no redirect is followed unless the caller asks, an answer larger than
 * `maxBytes` is refused before it is kept, time covers headers and body, and failures are `WaybillError` with
 * WB-201…WB-204 naming the URL. A status is data, never an error.
 */
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { R } from './reasons.ts';

export interface HttpRequest {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** For a streamed body: its length in bytes when known. */
  readonly bodyLength?: number;
  /** Milliseconds for the whole exchange; default `limits.httpTimeoutMs`. For a stream: until headers. */
  readonly timeoutMs?: number;
  /** Largest answer body kept, in bytes; default 16 MiB. */
  readonly maxBytes?: number;
  /** Redirects followed, never from https to http; default 0. Authorization and cookies never cross hosts. */
  readonly redirects?: number;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** The URL that answered, after redirects. */
  readonly url: string;
}

export interface HttpStream {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Body as it arrives; not limited in bytes: the consumer counts. Leaving the loop early closes it. */
  readonly body: AsyncIterable<Uint8Array>;
  readonly url: string;
}

export interface Transport {
  request(request: HttpRequest): Promise<HttpResponse>;
  stream(request: HttpRequest): Promise<HttpStream>;
}

const MAX_BYTES_DEFAULT = 16 * 1024 * 1024;

/** The transport over Node's fetch. */
export function httpTransport(options: { readonly userAgent?: string } = {}): Transport {
  const agent = options.userAgent ?? 'waybill';
  return {
    request: (request) => requestOnce(request, agent),
    stream: (request) => openStream(request, agent, new AbortController()),
  };
}

async function requestOnce(request: HttpRequest, agent: string): Promise<HttpResponse> {
  const timeoutMs = request.timeoutMs ?? limits.httpTimeoutMs;
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(timeoutError(request.url, timeoutMs)), timeoutMs);
  try {
    const stream = await openStream(request, agent, control);
    const max = request.maxBytes ?? MAX_BYTES_DEFAULT;
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of stream.body) {
      length += chunk.length;
      if (length > max) {
        throw fail(R.bodyTooLarge, {
          expected: `at most ${max} bytes from ${safeUrl(request.url)}`,
          actual: `more than ${max} bytes`,
        });
      }
      chunks.push(chunk);
    }
    return { status: stream.status, headers: stream.headers, body: joined(chunks, length), url: stream.url };
  } finally {
    clearTimeout(timer);
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return only;
  return new Uint8Array(Buffer.concat(chunks, length));
}

async function openStream(
  request: HttpRequest,
  agent: string,
  control: AbortController,
): Promise<HttpStream> {
  const timeoutMs = request.timeoutMs ?? limits.httpTimeoutMs;
  const timer = setTimeout(() => control.abort(timeoutError(request.url, timeoutMs)), timeoutMs);
  const onAbort = (): void => control.abort(request.signal?.reason);
  request.signal?.addEventListener('abort', onAbort, { once: true });
  // One that was given up before sends no event any more.
  if (request.signal?.aborted === true) onAbort();
  try {
    const response = await follow(request, agent, control.signal);
    const headers = new Map<string, string>();
    for (const [name, value] of response.headers) headers.set(name.toLowerCase(), value);
    return { status: response.status, headers, body: chunksOf(response, request.url), url: response.url };
  } finally {
    clearTimeout(timer);
  }
}

async function follow(request: HttpRequest, agent: string, signal: AbortSignal): Promise<Response> {
  const budget = Math.min(request.redirects ?? 0, limits.httpRedirects);
  let url = request.url;
  let headers: Record<string, string> = { 'user-agent': agent, ...request.headers };
  for (let hop = 0; ; hop++) {
    const response = await send(url, request, headers, signal);
    const location = response.headers.get('location');
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
    if (!isRedirect || budget === 0) return response;
    await response.body?.cancel();
    const next = URL.parse(location, url);
    if (next === null) {
      throw fail(R.redirect, { expected: 'a redirect to a URL', actual: JSON.stringify(location) });
    }
    if (hop >= budget || (next.protocol !== 'https:' && new URL(url).protocol === 'https:')) {
      throw fail(R.redirect, {
        expected: `at most ${budget} redirects, none to plain http`,
        actual: `redirect ${hop + 1} to ${next.origin}`,
      });
    }
    // Credentials belong to the host they were meant for (reference: bearer never crosses hosts).
    if (next.host !== new URL(url).host) headers = withoutCredentials(headers);
    url = next.href;
  }
}

function withoutCredentials(headers: Record<string, string>): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !/^(authorization|cookie)$/i.test(name));
  return Object.fromEntries(kept);
}

async function send(
  url: string,
  request: HttpRequest,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  if (!URL.canParse(url)) throw fail(R.url, { expected: 'an absolute URL', actual: JSON.stringify(url) });
  const init: RequestInit = { method: request.method ?? 'GET', headers, redirect: 'manual', signal };
  if (request.body instanceof Uint8Array) init.body = request.body as Uint8Array<ArrayBuffer>;
  else if (request.body !== undefined) {
    init.body = ReadableStream.from(request.body) as ReadableStream<Uint8Array>;
    (init as { duplex?: string }).duplex = 'half';
    if (request.bodyLength !== undefined) headers['content-length'] = String(request.bodyLength);
  }
  try {
    return await fetch(url, init);
  } catch (error) {
    throw networkError(url, error);
  }
}

async function* chunksOf(response: Response, url: string): AsyncIterable<Uint8Array> {
  if (response.body === null) return;
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw networkError(url, error);
  }
}

function timeoutError(url: string, timeoutMs: number): WaybillError {
  return fail(R.timeout, {
    expected: `an answer from ${safeUrl(url)} within ${timeoutMs} ms`,
    actual: 'none',
  });
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was broken off',
  ENOTFOUND: 'no such host',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_SOCKET: 'the connection was broken off',
};

function networkError(url: string, error: unknown): WaybillError {
  if (error instanceof WaybillError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const given: unknown = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  // A DOMException, such as that of a time limit, has a number there.
  const code = typeof given === 'string' ? given : undefined;
  const word = code === undefined ? undefined : words[code];
  const text = code ?? (cause instanceof Error ? cause.message : String(cause));
  const actual = word === undefined ? text : `${word} (${text})`;
  return fail(R.network, { expected: `an answer from ${safeUrl(url)}`, actual }, error);
}

/** A URL without user info or query: fit for messages. */
export function safeUrl(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.origin}${parsed.pathname}`;
  } catch {
    return 'an invalid URL';
  }
}
