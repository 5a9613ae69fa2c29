/** Wire: the log as tlog-tiles below the prefix of either API. */
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { HttpReply } from '#platform/http-server';
import type { LogService } from './log.ts';
import { R } from './reasons.ts';

export function sendCheckpoint(service: LogService, reply: HttpReply): HttpReply {
  reply.header('cache-control', 'no-cache').type('text/plain; charset=utf-8');
  return reply.send(service.log.tree.checkpoint);
}

/** `url`: the path as it was sent; decoded, `%2e%2e` would look like a folder. */
export async function sendTile(
  service: LogService,
  prefix: string,
  url: string,
  reply: HttpReply,
): Promise<HttpReply> {
  const path = url.slice(prefix.length).split('?')[0] ?? '';
  const bytes = unwrap(await service.log.tile(path));
  if (bytes === undefined) throw fail(R.notFound, { expected: 'a tile of the published tree', actual: path });
  // A tile never changes under its name, partial ones included: their width is part of it.
  reply.header('cache-control', 'public, max-age=31536000, immutable');
  return reply.type('application/octet-stream').send(Buffer.from(bytes));
}
