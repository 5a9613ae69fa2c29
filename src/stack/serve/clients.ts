/** Who is at the other end of a connection by its certificate, where a station takes clients with one alone. */
import { toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { type Certificate, parseCertificate } from '#formats/x509';
import { clientCertificateOf, type HttpApp, type HttpRequestIn } from '#platform/http-server';
import type { Logger } from '#platform/telemetry';

export interface TlsClient {
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
  /** Undefined for one whose form is not read strictly here: TLS took it, so it is in, and nobody in particular. */
  readonly certificate: Certificate | undefined;
}

/** One reading for all requests of a connection. */
const known = new WeakMap<object, TlsClient>();

/** Whose certificate TLS took; undefined without mutual TLS. */
export function tlsClientOf(request: HttpRequestIn): TlsClient | undefined {
  const { socket } = request.raw;
  const before = known.get(socket);
  if (before !== undefined) return before;
  const der = clientCertificateOf(request);
  if (der === undefined) return undefined;
  const parsed = parseCertificate(der);
  const client = {
    fingerprint: toHex(sha256(der)),
    certificate: parsed.ok ? parsed.value : undefined,
  };
  known.set(socket, client);
  return client;
}

/** A line for every request with who asked, and one for every connection that was refused. */
export function watchClients(app: HttpApp, log: Logger): void {
  // Asked while the connection is open: later it may be gone.
  app.addHook('onRequest', async (request) => void tlsClientOf(request));
  app.addHook('onResponse', async (request, reply) => {
    const client = tlsClientOf(request);
    log.info(
      {
        client: client?.certificate?.subjectText,
        sans: client?.certificate?.sans.map(({ type, value }) => `${type}:${value}`),
        certificateSha256: client?.fingerprint,
        method: request.method,
        // Never the path: it may carry what belongs to somebody.
        route: request.routeOptions.url,
        status: reply.statusCode,
      },
      'request',
    );
  });
  app.server.on(
    'tlsClientError',
    (error: NodeJS.ErrnoException, socket: { authorizationError?: unknown }) => {
      const why = String(socket.authorizationError ?? error.code ?? error.message);
      // A client that left by itself, such as a probe of the port, was refused nothing.
      if (why !== 'ECONNRESET') log.warn({ why }, 'connection refused');
    },
  );
}
