/**
 * Run as a process: a v2 log server over the folder in argv[2], at the port in argv[4] or any; its address is the
 * first line it prints.
 */
import { readFileSync } from 'node:fs';
import { privateKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createLog, registerLog } from '#services/log';

const [, , dataDir = '', keyFile = '', port = '0'] = process.argv;
const log = createLogger('log', 'silent');
const key = unwrap(privateKeyFromPem(readFileSync(keyFile, 'utf8')));
const service = await createLog({
  api: 'v2',
  hostname: 'log.example',
  key,
  dataDir,
  create: true,
  clock: systemClock,
  log,
});
const app = createHttpServer({ log, bodyBytesMax: 1024 });
registerLog(app, service, log);
process.stdout.write(`${await listen(app, '127.0.0.1', Number(port))}\n`);
