/** Serves a folder that holds a TUF repository, as `trust mirror` writes it. */
import { join } from 'node:path';
import { readFileIfThere } from '#platform/files';
import type { HttpApp } from '#platform/http-server';
import { sendFile } from './routes.ts';

export function registerTufFolder(app: HttpApp, folder: string): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get<{ Params: { '*': string } }>('/*', async (request, reply) => {
    const path = request.params['*'];
    const bytes = isPlain(path) ? await readFileIfThere(join(folder, path)) : undefined;
    return sendFile(reply, path, bytes);
  });
}

/** `V.role.json` at the top, `<hash>.name` below `targets/`; nothing hidden, no folder, no way out. */
function isPlain(path: string): boolean {
  const segments = path.split('/');
  if (!segments.every((one) => /^[A-Za-z0-9_-][^\\\0]{0,254}$/.test(one))) return false;
  if (segments.length === 1) return path.endsWith('.json');
  return segments[0] === 'targets' && /^[0-9a-f]{64,128}\.[^.]/.test(segments.at(-1) as string);
}
