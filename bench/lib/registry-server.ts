/**
 * Run as a process: our registry (`registry DIR`), or the server it cannot beat (`floor DIR`): bare node:http that
 * keeps what is PUT in one file, hashed as it comes and synced before the answer, and gives files back as streams.
 * It knows no names, no rights and no rules, and syncs no folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createRegistry } from '#services/registry';

const [what, dir = ''] = process.argv.slice(2);

async function keep(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = await open(join(dir, fileOf(request)), 'w');
  const hash = createHash('sha256');
  let at = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    await file.write(chunk, 0, chunk.length, at);
    at += chunk.length;
  }
  await file.sync();
  await file.close();
  response.writeHead(201, { etag: hash.digest('hex') }).end();
}

async function give(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(dir, fileOf(request));
  const { size } = await stat(path);
  response.writeHead(200, { 'content-length': size });
  createReadStream(path).pipe(response);
}

const fileOf = ({ url = '/' }: IncomingMessage): string => url.slice(1).replaceAll('/', '_') || randomUUID();

if (what === 'registry') {
  process.stdout.write(`${(await createRegistry({ dataDir: dir })).origin}\n`);
} else {
  await mkdir(dir, { recursive: true });
  const server = createServer((request, response) => {
    (request.method === 'PUT' ? keep : give)(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
}
