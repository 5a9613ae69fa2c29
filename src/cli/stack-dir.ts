/** Where a stack lies: `--stack`, WAYBILL_STACK, or below the user's data folder. */
import { join, resolve } from 'node:path';
import type { CliContext } from './context.ts';

export function stackDir(option: string | undefined, context: CliContext): string {
  return resolve(context.cwd, option ?? defaultDataDir(context));
}

export function defaultDataDir({ env }: CliContext): string {
  if (env['WAYBILL_STACK']) return env['WAYBILL_STACK'];
  const base = env['XDG_DATA_HOME'] ?? join(env['HOME'] ?? env['USERPROFILE'] ?? '.', '.local', 'share');
  return join(base, 'waybill', 'stack');
}
