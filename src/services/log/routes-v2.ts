/** Wire: Rekor v2 (rekor-tiles), with the tiles served by the log itself. */
import { limits } from '#base/limits';
import { tlogEntryJson } from '#formats/tlog-entry';
import { bodyBytes, type HttpApp, type HttpReply } from '#platform/http-server';
import { acceptV2 } from './entry-v2.ts';
import type { LogService } from './log.ts';
import { sendCheckpoint, sendTile } from './tiles.ts';
import { accepting, errorV2, sendError } from './wire.ts';

const prefix = '/api/v2/';

export function routesV2(app: HttpApp, service: LogService): void {
  const options = { bodyLimit: limits.logRequestBytes };
  app.post(`${prefix}log/entries`, options, (request, reply) => create(service, bodyBytes(request), reply));
  app.get(`${prefix}checkpoint`, async (_request, reply) => sendCheckpoint(service, reply));
  app.get(`${prefix}tile/*`, (request, reply) => sendTile(service, prefix, request.raw.url ?? '', reply));
  app.get('/healthz', async (_request, reply) => {
    const { stopped } = service.log;
    if (stopped !== undefined) return sendError(reply, 503, stopped.actual, errorV2);
    return reply.type('application/json').send(JSON.stringify({ status: 'SERVING' }));
  });
}

async function create(service: LogService, body: Uint8Array, reply: HttpReply): Promise<HttpReply> {
  const { entry, duplicate } = await service.submit(
    await accepting('invalid hashedrekord request', () => acceptV2(body)),
  );
  if (duplicate) {
    const index = String(entry.logIndex);
    const message = `an equivalent entry already exists in the transparency log with index ${index}`;
    return sendError(reply.header('x-log-index', index), 409, message, errorV2);
  }
  // The gateway writes an absent promise as null, and some clients read it.
  const json = { ...tlogEntryJson(entry), inclusionPromise: null };
  return reply.code(201).type('application/json').send(JSON.stringify(json));
}
