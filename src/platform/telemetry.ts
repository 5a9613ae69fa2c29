/** Structured logs (JSON lines on standard error) with secrets redacted. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Header and field names whose values never reach a log line, at the top and up to two levels below it. */
const secretNames = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'token',
  'identityToken',
  'password',
  'passphrase',
];
const redacted = secretNames
  .map((name) => (/^\w+$/.test(name) ? name : `["${name}"]`))
  .flatMap((name) => {
    const below = name.startsWith('[') ? `*${name}` : `*.${name}`;
    return [name, below, `*.${below}`];
  });

export function createLogger(name: string, level: LogLevel = 'info', to?: DestinationStream): Logger {
  return pino(
    { name, level, redact: { paths: redacted, censor: '[secret]' }, base: { service: name } },
    to ?? pino.destination({ fd: 2, sync: true }),
  );
}
