/** Where the advisory database of this machine is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where `db update` puts the database: `WAYBILL_CACHE`, else the user's cache directory. */
export function installedDatabase(env: Readonly<Record<string, string | undefined>>): string {
  const base =
    env['WAYBILL_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? '.', '.cache'), 'waybill');
  return join(base, 'advisories', 'advisories.db');
}

/** What a scan uses when it names no database: `WAYBILL_DB`, else the installed one, else nothing. */
export function defaultDatabase(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const installed = installedDatabase(env);
  return env['WAYBILL_DB'] ?? (existsSync(installed) ? installed : undefined);
}
