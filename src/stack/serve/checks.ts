/** What a station is refused for before it serves: no place for its lock, writes by whoever comes. */
import { join } from 'node:path';
import type { PublicKey } from '#base/crypto';
import { fail } from '#base/reason';
import { adoptLock, lockFileOf } from '#platform/checkpoint-lock';
import type { Logger } from '#platform/telemetry';
import { isLoopback } from '#services/oidc';
import { isInside } from '../kept.ts';
import { R } from './reasons.ts';

/** The folder of a log below its data directory. */
export const TREE = 'tree';

interface LockSettings {
  readonly dataDir: string;
  readonly lockDir?: string;
  readonly hasLostLock?: boolean;
}

interface WriteSettings {
  readonly listen: { readonly host: string };
  readonly tenantsFile?: string;
  readonly hasPublicWrites?: boolean;
  readonly tls?: { readonly clientCaFile?: string };
}

/** Where the lock of a log is: the place the operator names, else the one before, else the folder of locks. Throws WB-1212. */
export function lockPlace(
  { dataDir, lockDir, hasLostLock }: LockSettings,
  before: string | undefined,
  { key, asked, log }: { readonly key: PublicKey; readonly asked: string | undefined; readonly log: Logger },
): string {
  const file = asked ?? before ?? (lockDir === undefined ? undefined : lockFileOf(lockDir, key));
  if (file === undefined) {
    const expected = 'a place for the checkpoint lock: --lock-file FILE, or WAYBILL_STATE_DIR';
    throw fail(R.settings, { expected, actual: 'no home of this user to keep it in' });
  }
  if (isInside(dataDir, file)) {
    log.warn(
      { file },
      'the checkpoint lock lies with the data: whoever copies it takes it along and can fork the log',
    );
  }
  if (hasLostLock === true) adoptLock(join(dataDir, TREE), file);
  return file;
}

/** Metrics say much of a station and want no key: they leave this machine only when that is said. Throws WB-1212. */
export function requireAdmin({
  admin,
  isAdminPublic,
}: {
  readonly admin?: { readonly host: string };
  readonly isAdminPublic?: boolean;
}): void {
  if (admin === undefined || isAdminPublic === true || isLoopback(admin.host)) return;
  const expected = '--admin on a loopback address, or --public-admin, which opens it to whoever reaches it';
  throw fail(R.settings, { expected, actual: admin.host });
}

/** Beyond this machine, whom writes are taken from is said. Throws WB-1212. */
export function requireWriters(
  { listen: { host }, tenantsFile, hasPublicWrites, tls }: WriteSettings,
  { isOpenToWrites }: { readonly isOpenToWrites?: boolean },
  isInit: boolean,
): void {
  if (isOpenToWrites !== true || isInit || isLoopback(host)) return;
  if ((tenantsFile ?? tls?.clientCaFile) !== undefined || hasPublicWrites === true) return;
  const expected =
    '--tenants FILE (a registry: or --tokens FILE), --client-ca FILE, or --public-writes, beyond this machine';
  throw fail(R.settings, { expected, actual: `writes by whoever reaches ${host}` });
}
