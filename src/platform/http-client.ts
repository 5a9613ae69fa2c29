/**
 * `Transport`: the only way out to the network. One request, one answer, bounded in bytes and time.
 *
 * Contract for every implementation: no redirect is followed unless the caller asks, an answer larger than
 * `maxBytes` is refused before it is kept, time covers headers and body, and failures are `WaybillError` with
 * WB-201…WB-204 naming the URL. A status is data, never an error.
 */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
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

/**
 * The transport over Node's own HTTP clients. They are loaded with the first request; `fetch` would compile a second
 * HTTP parser first, which costs a short command more than all it does.
 */
export function httpTransport(options: TransportOptions = {}): Transport {
  const agent: Agent = {
    name: options.userAgent ?? 'waybill',
    tls: tlsAgents(options),
  };
  return {
    request: (request) => requestOnce(request, agent),
    stream: (request) => openStream(request, agent, new AbortController()),
  };
}

export interface TransportOptions {
  readonly userAgent?: string;
  /**
   * PEM of authorities that are believed beside those of the system: SSL_CERT_FILE, --ca-file. A list is read with
   * the first https request, so what is added before counts.
   */
  readonly caFile?: string | readonly string[];
  /** The same as text. */
  readonly caPem?: string;
  /** PEM of the only authorities that are believed: neither those of the system nor `caFile` beside them. */
  readonly onlyCaFile?: string;
  /** Shown to servers that ask who connects (mutual TLS). A function is asked with the first https request. */
  readonly client?: ClientFiles | (() => ClientFiles | undefined);
  /** The name a server's certificate has to have, instead of the one in the URL. */
  readonly serverName?: string;
  /** Takes any certificate of a server: whoever is on the way can read and change everything. */
  readonly trustsAnyServerUnsafe?: boolean;
}

/** PEM files: a certificate with its issuers behind it, and its private key. */
export interface ClientFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

interface Agent {
  readonly name: string;
  /** For https, made with its first request; undefined: Node's own. */
  readonly tls: () => HttpsAgent | undefined;
}

/** Throws WB-217 for a file without certificates: going on without it would fail later and less clearly. */
function tlsAgents(options: TransportOptions): () => HttpsAgent | undefined {
  const { caFile = [], caPem, onlyCaFile, serverName, trustsAnyServerUnsafe } = options;
  let made: HttpsAgent | undefined;
  return () => {
    if (made !== undefined) return made;
    const client = typeof options.client === 'function' ? options.client() : options.client;
    const isUsual =
      (client ?? serverName ?? onlyCaFile ?? caPem) === undefined && trustsAnyServerUnsafe !== true;
    if (caFile.length === 0 && isUsual) return undefined;
    made = agentWith(typeof caFile === 'string' ? [caFile] : caFile, client, options);
    return made;
  };
}

function agentWith(
  caFiles: readonly string[],
  client: ClientFiles | undefined,
  { caPem, onlyCaFile, serverName, trustsAnyServerUnsafe }: TransportOptions,
): HttpsAgent {
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  const { Agent: TlsAgent } = process.getBuiltinModule('node:https');
  const own = [...caFiles.flatMap(certificatesIn), ...(caPem === undefined ? [] : [caPem])];
  return new TlsAgent({
    ca:
      onlyCaFile === undefined ? [...getCACertificates('default'), ...own] : [...certificatesIn(onlyCaFile)],
    keepAlive: true,
    ...(client === undefined ? {} : clientIdentity(client)),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(trustsAnyServerUnsafe === true ? { rejectUnauthorized: false } : {}),
  });
}

function clientIdentity({ certFile, keyFile }: ClientFiles) {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule('node:crypto');
  try {
    const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
    throw new Error('the key of another certificate');
  } catch (error) {
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(
      R.clientCertificate,
      { expected: `a certificate in ${certFile}, its key in ${keyFile}`, actual },
      error,
    );
  }
}

function certificatesIn(caFile: string): readonly string[] {
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  try {
    const text = process.getBuiltinModule('node:fs').readFileSync(caFile, 'utf8');
    const own = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    for (const pem of own) new X509Certificate(pem);
    if (own.length === 0) throw new Error('no certificate in it');
    return own;
  } catch (error) {
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(R.caFile, { expected: `PEM certificates in ${caFile}`, actual }, error);
  }
}

async function requestOnce(request: HttpRequest, agent: Agent): Promise<HttpResponse> {
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
    // Copied, because a chunk is a window into a larger buffer of the socket.
    const body = new Uint8Array(Buffer.concat(chunks, length));
    return { status: stream.status, headers: stream.headers, body, url: stream.url };
  } finally {
    clearTimeout(timer);
  }
}

async function openStream(request: HttpRequest, agent: Agent, control: AbortController): Promise<HttpStream> {
  const timeoutMs = request.timeoutMs ?? limits.httpTimeoutMs;
  const timer = setTimeout(() => control.abort(timeoutError(request.url, timeoutMs)), timeoutMs);
  const onAbort = (): void => control.abort(request.signal?.reason);
  request.signal?.addEventListener('abort', onAbort, { once: true });
  // One that was given up before sends no event any more.
  if (request.signal?.aborted === true) onAbort();
  try {
    const { answer, url } = await follow(request, agent, control.signal);
    const headers = new Map<string, string>();
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
    return { status: statusOf(answer), headers, body: chunksOf(answer, request.url, control.signal), url };
  } finally {
    clearTimeout(timer);
  }
}

interface Answered {
  readonly answer: IncomingMessage;
  readonly url: string;
}

const statusOf = (answer: IncomingMessage): number => answer.statusCode ?? 0;

async function follow(request: HttpRequest, agent: Agent, signal: AbortSignal): Promise<Answered> {
  const budget = Math.min(request.redirects ?? 0, limits.httpRedirects);
  let url = request.url;
  let headers: Record<string, string> = { 'user-agent': agent.name, ...request.headers };
  for (let hop = 0; ; hop++) {
    const answer = await send(url, request, { headers, agent }, signal);
    const { location } = answer.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(statusOf(answer)) && location !== undefined;
    if (!isRedirect || budget === 0) return { answer, url };
    answer.destroy();
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
  { headers, agent }: { readonly headers: Record<string, string>; readonly agent: Agent },
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const target = URL.parse(url);
  if (
    target === null ||
    !/^https?:$/.test(target.protocol) ||
    target.username !== '' ||
    target.password !== ''
  ) {
    const actual = target === null ? JSON.stringify(url) : safeUrl(url);
    throw fail(R.url, { expected: 'an absolute http or https URL without credentials', actual });
  }
  // Not import(): it would touch every lazy export of the module, undici among them.
  const isTls = target.protocol === 'https:';
  const client = process.getBuiltinModule(isTls ? 'node:https' : 'node:http');
  const tlsAgent = isTls ? agent.tls() : undefined;
  const by = tlsAgent === undefined ? {} : { agent: tlsAgent };
  const { body, bodyLength, method = 'GET' } = request;
  const length = body instanceof Uint8Array ? body.length : bodyLength;
  const sent =
    body === undefined || length === undefined ? headers : { ...headers, 'content-length': `${length}` };
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted) throw networkError(url, signal.reason);
    const outgoing = client.request(target, { method, headers: sent, signal, ...by });
    try {
      return await exchange(outgoing, body);
    } catch (error) {
      // A server may close an idle connection just as it is used again: that request was never answered.
      const isStale = outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      const isSentWhole = body === undefined || body instanceof Uint8Array;
      if (isStale && isSentWhole && attempt === 1 && !signal.aborted) continue;
      throw networkError(url, signal.aborted ? signal.reason : error);
    }
  }
}

function exchange(outgoing: ClientRequest, body: HttpRequest['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
    else pipe(body, outgoing).catch((error: unknown) => outgoing.destroy(error as Error));
  });
}

async function pipe(body: AsyncIterable<Uint8Array>, outgoing: ClientRequest): Promise<void> {
  for await (const chunk of body) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk)) await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
  }
  outgoing.end();
}

async function* chunksOf(
  answer: IncomingMessage,
  url: string,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    }
  } catch (error) {
    throw networkError(url, signal.aborted ? signal.reason : error);
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
  EPIPE: 'the connection was broken off',
  // It comes after the handshake of TLS 1.3, with the first request.
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the server asks for a certificate of the client',
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
