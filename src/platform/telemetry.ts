/** Structured logs (JSON lines on standard error) with secrets redacted. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Header and field names whose values never reach a log line. */
const redacted = ['authorization', 'cookie', '*.authorization', '*.cookie', 'token', '*.token', '*.password'];

export function createLogger(name: string, level: LogLevel = 'info', to?: DestinationStream): Logger {
  return pino(
    { name, level, redact: { paths: redacted, censor: '[secret]' }, base: { service: name } },
    to ?? pino.destination({ fd: 2, sync: true }),
  );
}
