/** Wire: a TUF mirror with consistent snapshots. Only `timestamp.json` changes under its name. */
import { fail } from '#base/reason';
import { allowReading } from '#platform/cross-origin';
import type { HttpApp, HttpReply } from '#platform/http-server';
import { R } from './reasons.ts';
import type { Tuf } from './repository.ts';

/** A file of a mirror; only `timestamp.json` changes under its name. Throws WB-1062 when there is none. */
export function sendFile(reply: HttpReply, path: string, bytes: Uint8Array | undefined): HttpReply {
  if (bytes === undefined) throw fail(R.notFound, { expected: 'a published file', actual: path });
  const isFixed = path !== 'timestamp.json';
  reply.header('cache-control', isFixed ? 'public, max-age=31536000, immutable' : 'no-cache');
  const isJson = path.endsWith('.json');
  return reply.type(isJson ? 'application/json' : 'application/octet-stream').send(Buffer.from(bytes));
}

export function registerTuf(app: HttpApp, tuf: Tuf): void {
  allowReading(app);
  const send = async (path: string, reply: HttpReply): Promise<HttpReply> =>
    sendFile(reply, path, await tuf.read(path));
  app.get('/healthz', async () => ({ status: 'ok' }));
  // The newest root under a plain name, for people: clients walk N.root.json.
  app.get('/root.json', async (_request, reply) => {
    reply.header('cache-control', 'no-cache');
    const bytes = await tuf.newestRoot();
    if (bytes === undefined) throw fail(R.notFound, { expected: 'a root', actual: 'nothing published' });
    return reply.type('application/json').send(Buffer.from(bytes));
  });
  app.get<{ Params: { file: string } }>('/:file', (request, reply) => send(request.params.file, reply));
  app.get<{ Params: { file: string } }>('/targets/:file', (request, reply) =>
    send(`targets/${request.params.file}`, reply),
  );
}
