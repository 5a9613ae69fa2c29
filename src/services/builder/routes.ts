/** The HTTP API of the builder. Every path needs the caller token when one is set. */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseJson } from '#formats/json';
import { bodyBytes, type HttpApp, type HttpRequestIn } from '#platform/http-server';
import type { Builder } from './builder.ts';
import { R } from './reasons.ts';

/** POST /api/v1/builds · GET /api/v1/builds/:id · GET /api/v1/builds/:id/log · GET /api/v1/capabilities */
export function registerBuilder(app: HttpApp, builder: Builder): void {
  const checked = (request: HttpRequestIn): void => {
    if (builder.mayCall(request.headers.authorization)) return;
    const actual = request.headers.authorization === undefined ? 'no token' : 'another token';
    throw fail(R.caller, { expected: 'the caller token of this builder', actual });
  };
  app.post('/api/v1/builds', { bodyLimit: limits.builderRequestBytes }, async (request, reply) => {
    checked(request);
    const body = unwrap(parseJson(bodyBytes(request), { maxBytes: limits.builderRequestBytes }));
    const status = await builder.submit(body);
    return reply
      .code(202)
      .header('location', `/api/v1/builds/${status.id}`)
      .type('application/json')
      .send(JSON.stringify(status));
  });
  app.get<{ Params: { id: string } }>('/api/v1/builds/:id', async (request, reply) => {
    checked(request);
    const status = await builder.status(request.params.id);
    return reply.type('application/json').send(JSON.stringify(status));
  });
  app.get<{ Params: { id: string } }>('/api/v1/builds/:id/log', async (request, reply) => {
    checked(request);
    const log = await builder.log(request.params.id);
    // The content is a stranger's: it is never shown as anything but text.
    return reply
      .type('text/plain; charset=utf-8')
      .header('x-content-type-options', 'nosniff')
      .send(Buffer.from(log));
  });
  app.get('/api/v1/capabilities', async (request, reply) => {
    checked(request);
    const body = { schema: 'waybill.dev/builder-capabilities/v1', ...builder.report };
    return reply.type('application/json').send(JSON.stringify(body));
  });
}
