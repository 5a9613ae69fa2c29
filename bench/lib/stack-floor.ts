/** What a stack cannot start without: its modules, keys of the kinds it makes, a server on a port of its own. */
import { generateKey } from '#base/crypto';
import { createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import { stations } from '#stack';

generateKey('rsa');
for (let i = 0; i < 10; i++) generateKey('p256');
for (const { name } of stations) {
  const app = createHttpServer({ log: createLogger(name, 'silent'), bodyBytesMax: 1024 });
  await listen(app, '127.0.0.1', 0);
}
process.exit(0);
