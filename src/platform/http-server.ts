/**
 * The one way to serve HTTP(S): fastify with our limits, error table and clean shutdown. Services register
 * routes on the instance they are given and never listen themselves.
 */
import type { TLSSocket } from 'node:tls';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { fail, type Reason, type ReasonSpec, reason, reasonText, WaybillError } from '#base/reason';
import { connectionsFirst } from './connections-first.ts';
import { boundHeap } from './memory.ts';
import { R } from './reasons.ts';
import { secure, type TlsPair } from './server-tls.ts';
import type { Logger } from './telemetry.ts';

export type {
  FastifyInstance as HttpApp,
  FastifyReply as HttpReply,
  FastifyRequest as HttpRequestIn,
} from 'fastify';

export interface HttpServerOptions {
  readonly log: Logger;
  /** Largest parsed body in bytes. Routes that stream count for themselves. */
  readonly bodyBytesMax: number;
  /** PEM key and certificate chain: HTTPS when given. */
  readonly tls?: TlsPair;
  /** Where one client must not take longer than the defaults. */
  readonly times?: Partial<HttpTimes>;
  /** Connections at a time; default 4,096. */
  readonly connectionsMax?: number;
  /** Turns a refusal into the body this API's clients expect; default `{code, message}`. */
  readonly errorBody?: (why: Reason, status: number) => unknown;
}

/** How long a client may take, in milliseconds. */
export interface HttpTimes {
  /** From the first byte of a request to the last of its headers. */
  readonly headers: number;
  /** To the last byte of its body. */
  readonly request: number;
  /** A connection on which nothing moves. */
  readonly silence: number;
  /** A connection between two requests. */
  readonly keepAlive: number;
  /** How often the first two are looked at. */
  readonly look: number;
}

/** What every server holds its clients to. */
export const httpDefaults = {
  times: {
    headers: 10_000,
    request: 30_000,
    silence: 60_000,
    keepAlive: 65_000,
    look: 1_000,
  },
  headerBytes: 16 * 1024,
  /** Of one server; what comes beyond is closed at once. */
  connections: 4096,
} as const;

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const times = { ...httpDefaults.times, ...options.times };
  const base = {
    bodyLimit: options.bodyBytesMax,
    requestTimeout: times.request,
    connectionTimeout: times.silence,
    keepAliveTimeout: times.keepAlive,
    forceCloseConnections: true,
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: 4096, ignoreTrailingSlash: false },
    // A path that cannot be decoded reaches no hook.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      void answerError(error, request, reply.header('x-content-type-options', 'nosniff'), options);
    },
  } as const;
  // One strict reading of a request: a second one by a proxy in front would be another request.
  const http = {
    maxHeaderSize: httpDefaults.headerBytes,
    connectionsCheckingInterval: times.look,
    insecureHTTPParser: false,
    requireHostHeader: true,
  } as const;
  const { tls } = options;
  const app = (
    tls === undefined
      ? fastify({ ...base, http })
      : // Who never begins to speak TLS is no request yet: the time for headers counts from here.
        fastify({ ...base, https: { ...http, ...secure(tls), handshakeTimeout: times.headers } })
  ) as FastifyInstance;
  connectionsFirst(app.server);
  app.server.headersTimeout = times.headers;
  app.server.maxConnections = options.connectionsMax ?? httpDefaults.connections;
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    done();
  });
  // Only the bodies a route asks for are parsed; everything else arrives as bytes.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, options));
  app.setNotFoundHandler((request, reply) => {
    const why = reason(R.notFound, {
      expected: 'a path of this API',
      actual: `${request.method} ${request.url}`,
    });
    const form = absentForms.get(app);
    if (form === undefined) return sendReason(reply, why, options);
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = knownMethods.filter((method) => app.hasRoute({ url: path, method }));
    const { status, body } = form({ method: request.method, path, methods, why });
    const allow = methods.length === 0 ? {} : { allow: methods.join(',') };
    return reply.code(status).headers(allow).type('application/json').send(JSON.stringify(body));
  });
  return app;
}

const knownMethods = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'] as const;

export interface AbsentRequest {
  readonly method: string;
  readonly path: string;
  /** What the path can be asked with; none where there is no such path. */
  readonly methods: readonly string[];
  readonly why: Reason;
}

type AbsentForm = (request: AbsentRequest) => { readonly status: number; readonly body: object };
const absentForms = new WeakMap<FastifyInstance, AbsentForm>();

/** What the clients of an API are told about a path or method it does not have; otherwise status 404. */
export function answerAbsent(app: FastifyInstance, form: AbsentForm): void {
  absentForms.set(app, form);
}

/** As the gateway of Sigstore's gRPC services says it: 404, or 501 for another method. */
export const absentInGateway: AbsentForm = ({ methods, why }) => {
  const [status, code, words] =
    methods.length === 0 ? [404, 5, 'Not Found'] : [501, 12, 'Method Not Allowed'];
  return { status, body: { code, message: `${words}: ${reasonText(why)}`, details: [] } };
};

/** As go-openapi's router says it: 404, or 405 for another method. */
export const absentInOpenApi: AbsentForm = ({ method, path, methods, why }) => {
  const isAbsent = methods.length === 0;
  const words = isAbsent
    ? `path ${path} was not found`
    : `method ${method} is not allowed, but [${methods.filter((one) => one !== 'HEAD').join(',')}] are`;
  const status = isAbsent ? 404 : 405;
  return { status, body: { code: status, message: `${words}: ${reasonText(why)}` } };
};

function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  options: HttpServerOptions,
): FastifyReply {
  if (error instanceof WaybillError) return sendReason(reply, error.reason, options);
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status === 413) {
    const expected = `at most ${options.bodyBytesMax} bytes`;
    return sendReason(reply, reason(R.requestBody, { expected, actual: 'a larger body' }), options);
  }
  if (status >= 400 && status < 500) {
    const message = error instanceof Error ? error.message : String(error);
    return sendReason(
      reply,
      { ...reason(R.notFound, { expected: 'a valid request', actual: message }), status },
      options,
    );
  }
  options.log.error({ err: error, method: request.method, path: request.url.split('?')[0] }, 'defect');
  return sendReason(reply, reason(R.defect, { expected: 'no defect', actual: 'an internal error' }), options);
}

function sendReason(reply: FastifyReply, why: Reason, options: HttpServerOptions): FastifyReply {
  const body = options.errorBody?.(why, why.status) ?? { code: why.code, message: reasonText(why) };
  return reply.code(why.status).type('application/json').send(JSON.stringify(body));
}

export interface RefusalOptions {
  readonly log: Logger;
  /** What a request that the server itself refuses is to this API. */
  readonly invalid: ReasonSpec;
  /** For the message of a refused body. */
  readonly bodyBytesMax: number;
}

/** A refusal with the words of the service it stands for in front, and that service's number where it is not the status. */
export class ToldError extends WaybillError {
  readonly words: string;
  readonly number: number | undefined;
  constructor(words: string, why: Reason, number?: number) {
    super(why);
    this.words = words;
    this.number = number;
  }
}

/** For APIs with an error form of their own: the reason of any error in a route, logged by whose fault it is. */
export function refusalOf(error: unknown, request: FastifyRequest, options: RefusalOptions): Reason {
  const why = routeReason(error, options);
  const fields = { code: why.code, check: why.check, expected: why.expected, actual: why.actual };
  const path = request.url.split('?')[0];
  if (why.status >= 500) options.log.error({ ...fields, path, err: error }, 'request failed');
  else options.log.warn({ ...fields, path }, 'request refused');
  return why;
}

function routeReason(error: unknown, { invalid, bodyBytesMax }: RefusalOptions): Reason {
  if (error instanceof WaybillError) return error.reason;
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  const spec = status < 500 ? invalid : R.defect;
  const expected = status === 413 ? `a body of at most ${bodyBytesMax} bytes` : 'a request of this API';
  const actual = status < 500 && error instanceof Error ? error.message : 'an internal error';
  return { ...reason(spec, { expected, actual }), status };
}

/** The body of a request as bytes; empty when there was none. */
export function bodyBytes(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
}

/** The certificate a client showed, DER; undefined without mutual TLS (`TlsPair.clientCa`). */
export function clientCertificateOf({ raw }: FastifyRequest): Uint8Array | undefined {
  const socket = raw.socket as Partial<TLSSocket>;
  // Only what the handshake verified: elsewhere a client may show anything.
  if (socket.authorized !== true) return undefined;
  const der = socket.getPeerX509Certificate?.()?.raw;
  return der === undefined ? undefined : new Uint8Array(der);
}

/** Listens; port 0 picks a free one. Returns the origin, for example `http://127.0.0.1:4000`. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  boundHeap();
  try {
    // While the event loop is busy, who connects waits in the kernel. What it has no place for is tried again by the
    // other side, a second later.
    await app.listen({ host, port, backlog: app.server.maxConnections });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw fail(
      R.listen,
      { expected: `${host}:${port} to be a free address of this machine`, actual: code },
      error,
    );
  }
  const address = app.server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  const scheme = isSecure(app) ? 'https' : 'http';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${actual}`;
}

const isSecure = (app: FastifyInstance): boolean => 'setSecureContext' in app.server;

/** New connections get the new certificate; open ones live on. */
export function useCertificate(app: FastifyInstance, pair: TlsPair): void {
  if (!isSecure(app)) throw new Error('a certificate for a server without TLS');
  (app.server as unknown as { setSecureContext(options: object): void }).setSecureContext(secure(pair));
}
