/** Letting pages of any origin read a public API (CORS of the Fetch standard). Nothing here carries credentials. */
import type { FastifyInstance } from 'fastify';

const READING = new Set(['GET', 'HEAD']);
/** Seconds a browser may keep the answer to its preflight. */
const KEPT_S = 86_400;

/**
 * Every GET of `scope`, and the POSTs of `questions`, may be read by pages of any origin; what writes may not. Call
 * before the routes are registered.
 */
export function allowReading(scope: FastifyInstance, questions: readonly string[] = []): void {
  const isReading = (method: string, url: string): boolean =>
    READING.has(method) || (method === 'POST' && questions.includes(url.split('?', 1)[0] ?? ''));
  scope.addHook('onRequest', (request, reply, done) => {
    if (isReading(request.method, request.url)) reply.header('access-control-allow-origin', '*');
    done();
  });
  scope.options('/*', (request, reply) => {
    const asked = request.headers['access-control-request-method'] ?? '';
    if (isReading(asked, request.url)) {
      reply.headers({
        'access-control-allow-origin': '*',
        'access-control-allow-methods': asked,
        'access-control-allow-headers': 'content-type',
        'access-control-max-age': String(KEPT_S),
      });
    }
    return reply.code(204).send();
  });
}
