/** Wire: Rekor v2 (rekor-tiles), with the tiles served by the log itself. */
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { tlogEntryJson } from '#formats/tlog-entry';
import { bodyBytes, type HttpApp, type HttpReply } from '#platform/http-server';
import { acceptV2 } from './entry-v2.ts';
import type { LogService } from './log.ts';
import { R } from './reasons.ts';
import { errorV2, sendError } from './wire.ts';

const prefix = '/api/v2/';

export function routesV2(app: HttpApp, service: LogService): void {
  const options = { bodyLimit: limits.logRequestBytes };
  app.post(`${prefix}log/entries`, options, (request, reply) => create(service, bodyBytes(request), reply));
  app.get(`${prefix}checkpoint`, async (_request, reply) => {
    reply.header('cache-control', 'no-cache').type('text/plain; charset=utf-8');
    return reply.send(service.log.tree.checkpoint);
  });
  // The path as it was sent: decoded, `%2e%2e` would look like a folder.
  app.get(`${prefix}tile/*`, (request, reply) => tile(service, request.raw.url ?? '', reply));
  app.get('/healthz', async (_request, reply) => {
    const { stopped } = service.log;
    if (stopped !== undefined) return sendError(reply, 503, stopped.actual, errorV2);
    return reply.type('application/json').send(JSON.stringify({ status: 'SERVING' }));
  });
}

async function create(service: LogService, body: Uint8Array, reply: HttpReply): Promise<HttpReply> {
  const { entry, duplicate } = await service.submit(acceptV2(body));
  if (duplicate) {
    const index = String(entry.logIndex);
    const message = `an equivalent entry already exists in the transparency log with index ${index}`;
    return sendError(reply.header('x-log-index', index), 409, message, errorV2);
  }
  // The gateway writes an absent promise as null, and some clients read it.
  const json = { ...tlogEntryJson(entry), inclusionPromise: null };
  return reply.code(201).type('application/json').send(JSON.stringify(json));
}

async function tile(service: LogService, url: string, reply: HttpReply): Promise<HttpReply> {
  const path = url.slice(prefix.length).split('?')[0] ?? '';
  const bytes = unwrap(await service.log.tile(path));
  if (bytes === undefined) throw fail(R.notFound, { expected: 'a tile of the published tree', actual: path });
  // A tile never changes under its name, partial ones included: their width is part of it.
  reply.header('cache-control', 'public, max-age=31536000, immutable');
  return reply.type('application/octet-stream').send(Buffer.from(bytes));
}
