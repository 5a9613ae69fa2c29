/**
 * One registry host on the wire: authorization, redirects, and retries with a budget. Every request of the
 * client goes through `send` or `open`.
 *
 * Redirects are followed here, not in the transport: credentials stay on the registry's own origin, plain
 * http and private addresses are no targets for a public registry.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { fail, WaybillError } from '#base/reason';
import { parseJson } from '#formats/json';
import {
  type HttpRequest,
  type HttpResponse,
  type HttpStream,
  safeUrl,
  type Transport,
} from '#platform/http-client';
import { R as Platform } from '#platform/reasons';
import { type HostAuth, hostAuth, type Scope } from './auth.ts';
import { anonymous, type CredentialSource } from './credentials.ts';
import { endpointHost, isLoopback, isReachableFrom, shownUrl } from './hosts.ts';
import { R } from './reasons.ts';

export interface RegistryOptions {
  readonly transport: Transport;
  /** Default: anonymous. */
  readonly credentials?: CredentialSource;
  /** Plain http for hosts that are not loopback and do not answer https. Loopback hosts always use http. */
  readonly allowHttp?: boolean;
  /** Loopback hosts that speak TLS, as `host:port`. */
  readonly tlsHosts?: readonly string[];
  /** Hosts of token servers that may get the registry's credentials. */
  readonly authHosts?: readonly string[];
  /** Milliseconds for one request, for a blob beside what its size needs. Default limits.httpTimeoutMs. */
  readonly timeoutMs?: number;
  /** How often a request that may be repeated is. Default limits.httpRetries. */
  readonly retries?: number;
  /** Waits between attempts; default the real clock. */
  readonly sleep?: (ms: number) => Promise<unknown>;
  /** Spreads retries; without it the waits are exact. */
  readonly random?: Random;
}

export interface WireRequest {
  /** Below the registry, beginning with `/v2/`, or an absolute URL the registry gave. */
  readonly path: string;
  readonly method?: HttpRequest['method'];
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once for each attempt. */
  readonly body?: () => Uint8Array | AsyncIterable<Uint8Array>;
  readonly bodyLength?: number;
  readonly scope: Scope;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const WAIT_BASE_MS = 250;
/** A registry that asks for more patience than this is unavailable for now. */
const WAIT_MAX_MS = 10_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const BUSY = new Set([429, 500, 502, 503, 504]);

/** Requests to one registry. */
export class Wire {
  readonly registry: string;
  readonly #options: RegistryOptions;
  readonly #auth: HostAuth;
  #origin: Promise<string> | undefined;
  #hasLearned = false;
  /** Settled when the first answer is there, or when the token it asked for is. */
  #acquainted: Promise<void> | undefined;

  constructor(registry: string, options: RegistryOptions) {
    this.registry = registry;
    this.#options = options;
    this.#auth = hostAuth(registry, {
      transport: options.transport,
      credentials: options.credentials ?? anonymous,
      authHosts: options.authHosts ?? [],
    });
  }

  /** Whether the registry ever asked for credentials. */
  get hasLearned(): boolean {
    return this.#hasLearned;
  }

  sleep(ms: number): Promise<unknown> {
    return (this.#options.sleep ?? delay)(ms);
  }

  /** Milliseconds between attempt `n` and the next, exponential, spread over [half, whole]. */
  backoff(n: number): number {
    const whole = Math.min(WAIT_BASE_MS * 2 ** n, WAIT_MAX_MS);
    const byte = this.#options.random?.bytes(1)[0] ?? 255;
    return Math.round(whole / 2 + (whole / 2) * (byte / 255));
  }

  get #retries(): number {
    return this.#options.retries ?? limits.httpRetries;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs ?? limits.httpTimeoutMs;
  }

  /** `https://host` or, where allowed, `http://host`. */
  origin(): Promise<string> {
    this.#origin ??= this.#findOrigin();
    return this.#origin;
  }

  /** The whole answer in memory, of any status but 401 and the busy ones. */
  send(request: WireRequest): Promise<HttpResponse> {
    return this.#exchange(request, (http) => this.#options.transport.request(http));
  }

  /** The answer as a stream; the same statuses. */
  open(request: WireRequest): Promise<HttpStream> {
    return this.#exchange(request, (http) => this.#options.transport.stream(http));
  }

  async #findOrigin(): Promise<string> {
    const host = endpointHost(this.registry);
    const isTls = this.#options.tlsHosts?.includes(this.registry) === true;
    if (isLoopback(host) && !isTls) return `http://${host}`;
    if (this.#options.allowHttp !== true) return `https://${host}`;
    try {
      await this.#options.transport.request({ url: `https://${host}/v2/`, timeoutMs: this.timeoutMs });
      return `https://${host}`;
    } catch {
      return `http://${host}`;
    }
  }

  /**
   * Nearly every registry refuses the first request and says where a token is had. So the others wait for that
   * one: they would all be refused and all be sent twice. A loopback registry is asked at once.
   */
  async #exchange<T extends HttpResponse | HttpStream>(
    request: WireRequest,
    once: (http: HttpRequest) => Promise<T>,
  ): Promise<T> {
    if (isLoopback(endpointHost(this.registry))) return this.#persist(request, once, () => {});
    if (this.#acquainted !== undefined) {
      await this.#acquainted;
      return this.#persist(request, once, () => {});
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#acquainted = promise;
    try {
      return await this.#persist(request, once, resolve);
    } finally {
      resolve();
    }
  }

  /** `acquainted` is called when the registry has told what it wants. */
  async #persist<T extends HttpResponse | HttpStream>(
    request: WireRequest,
    once: (http: HttpRequest) => Promise<T>,
    acquainted: () => void,
  ): Promise<T> {
    let learned = false;
    for (let attempt = 0; ; attempt++) {
      const response = await this.#attempt(request, once, attempt);
      if (response === undefined) continue;
      if (response.status === 401 && !learned) {
        await discard(response);
        learned = true;
        this.#hasLearned = true;
        if (await this.#auth.learn(response.headers.get('www-authenticate'), request.scope)) {
          acquainted();
          continue;
        }
      }
      if (response.status === 401 || response.status === 403) {
        throw await this.#authError(request, response);
      }
      if (!BUSY.has(response.status)) return response;
      await this.#waitOrGiveUp(request, response, attempt);
    }
  }

  /** One attempt with its redirects; undefined when the connection broke and trying again is allowed. */
  async #attempt<T extends HttpResponse | HttpStream>(
    request: WireRequest,
    once: (http: HttpRequest) => Promise<T>,
    attempt: number,
  ): Promise<T | undefined> {
    try {
      return await this.#follow(request, once);
    } catch (error) {
      if (!(error instanceof WaybillError) || error.reason.code !== Platform.network.code) throw error;
      // A POST or PATCH may have been done; repeating it is the caller's business.
      const isRepeatable = request.method !== 'POST' && request.method !== 'PATCH';
      if (isRepeatable && attempt < this.#retries && !isRefused(error)) {
        await this.sleep(this.backoff(attempt));
        return undefined;
      }
      throw await this.#explainNetworkError(error);
    }
  }

  async #follow<T extends HttpResponse | HttpStream>(
    request: WireRequest,
    once: (http: HttpRequest) => Promise<T>,
  ): Promise<T> {
    const origin = await this.origin();
    let url = new URL(request.path, origin);
    let method = request.method ?? 'GET';
    this.#checkTarget(url);
    for (let hop = 0; ; hop++) {
      const response = await once(await this.#httpRequest(request, url, method, url.origin === origin));
      const location = response.headers.get('location');
      if (!REDIRECTS.has(response.status) || location === undefined) return response;
      await discard(response);
      if (hop >= limits.httpRedirects) {
        throw fail(R.redirect, {
          expected: `at most ${limits.httpRedirects} redirects from ${this.registry}`,
          actual: 'another one',
        });
      }
      url = remoteUrl(location, url);
      this.#checkTarget(url);
      if (response.status === 303 && method !== 'HEAD') method = 'GET';
    }
  }

  async #httpRequest(
    request: WireRequest,
    url: URL,
    method: NonNullable<HttpRequest['method']>,
    isHome: boolean,
  ): Promise<HttpRequest> {
    const authorization = isHome ? await this.#auth.header(request.scope) : undefined;
    const body = method === 'GET' || method === 'HEAD' ? undefined : request.body?.();
    return {
      url: url.href,
      method,
      headers: {
        // Compressed answers would hide their true size from the caps.
        'accept-encoding': 'identity',
        ...request.headers,
        ...(authorization === undefined ? {} : { authorization: authorization.reveal() }),
      },
      timeoutMs: request.timeoutMs ?? this.timeoutMs,
      ...(body === undefined ? {} : { body }),
      ...(body === undefined || request.bodyLength === undefined ? {} : { bodyLength: request.bodyLength }),
      ...(request.maxBytes === undefined ? {} : { maxBytes: request.maxBytes }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    };
  }

  /** Applies to redirects and to upload locations alike. */
  #checkTarget(url: URL): void {
    const isSameHost = url.host === new URL(`http://${endpointHost(this.registry)}`).host;
    const home = endpointHost(this.registry);
    const isHttpAllowed = isLoopback(home) || this.#options.allowHttp === true;
    const isAllowed =
      (url.protocol === 'https:' || (url.protocol === 'http:' && isHttpAllowed)) &&
      url.username === '' &&
      (isSameHost || isReachableFrom(this.registry, url.host));
    if (isAllowed) return;
    throw fail(R.redirect, {
      expected: `an https address that ${this.registry} may send us to`,
      actual: shownUrl(url),
    });
  }

  async #waitOrGiveUp(
    request: WireRequest,
    response: HttpResponse | HttpStream,
    attempt: number,
  ): Promise<void> {
    const asked = retryAfterMs(response.headers.get('retry-after'));
    const wait = Math.max(asked ?? 0, this.backoff(attempt));
    if (attempt < this.#retries && wait <= WAIT_MAX_MS) {
      await discard(response);
      await this.sleep(wait);
      return;
    }
    const patience = asked === undefined ? '' : `, retry after ${Math.round(asked / 1000)} s`;
    throw fail(R.busy, {
      expected: `${request.method ?? 'GET'} ${safeUrl(response.url)} to succeed`,
      actual: `status ${response.status}${await messageOf(response)}${patience}`,
    });
  }

  async #authError(request: WireRequest, response: HttpResponse | HttpStream): Promise<WaybillError> {
    return fail(R.auth, {
      expected: `the right to ${request.scope.actions} ${this.registry}/${request.scope.repository}`,
      actual: `status ${response.status}${await messageOf(response)}`,
    });
  }

  async #explainNetworkError(error: WaybillError): Promise<WaybillError> {
    // A TLS client that meets a plain server sees a broken record.
    const speaksHttp = /EPROTO|WRONG_VERSION|packet length|SSL/i.test(error.reason.actual);
    if (!speaksHttp || (await this.origin()).startsWith('http:')) return error;
    return fail(
      R.plainHttp,
      { expected: `${this.registry} to speak TLS`, actual: error.reason.actual },
      error,
    );
  }
}

const isRefused = (error: WaybillError): boolean => /ECONNREFUSED|ENOTFOUND/.test(error.reason.actual);

/** Seconds only: dates would need a clock, and registries send seconds. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : undefined;
}

/** Lets a connection go without reading the rest. */
export async function discard(response: HttpResponse | HttpStream): Promise<void> {
  if (response.body instanceof Uint8Array) return;
  for await (const _ of response.body) break;
}

/** What the registry says, as `: CODE message`; at most `limits.httpErrorBodyBytes` are looked at. */
export async function messageOf(response: HttpResponse | HttpStream): Promise<string> {
  const bytes = await firstBytes(response.body);
  const parsed = parseJson(bytes);
  const errors = parsed.ok ? (parsed.value as { errors?: unknown } | null)?.errors : undefined;
  const first = (Array.isArray(errors) ? errors[0] : undefined) as Record<string, unknown> | undefined;
  if (typeof first !== 'object' || first === null) return '';
  const words = [first['code'], first['message']].filter((word) => typeof word === 'string');
  return words.length === 0 ? '' : `: ${words.join(' ')}`;
}

async function firstBytes(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body.subarray(0, limits.httpErrorBodyBytes);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= limits.httpErrorBodyBytes) break;
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** A URL a registry named. Throws WB-505 when it is none. */
export function remoteUrl(text: string, base: URL | string): URL {
  const url = URL.parse(text, String(base));
  if (url !== null) return url;
  throw fail(R.redirect, { expected: 'a URL from the registry', actual: JSON.stringify(text) });
}
