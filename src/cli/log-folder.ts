/** The folder of a log that does not run, as `waybill log fsck` and `freeze` open it. */
import { join } from 'node:path';
import type { PublicKey } from '#base/crypto';
import { fail } from '#base/reason';
import type { LogStore } from '#platform/store';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

/**
 * Opening a store makes its files: a folder without a log must stay as it is. The lock is where it is said, else where
 * this user's logs have theirs, else in the folder.
 */
export async function existingStore(
  folder: string,
  asked: string | undefined,
  key: PublicKey,
  context: CliContext,
): Promise<LogStore> {
  await requireLog(folder);
  const [{ existsSync }, { openLogStore }, { defaultLockDir, lockFileOf }] = await Promise.all([
    import('node:fs'),
    import('#platform/store-embedded'),
    import('#platform/checkpoint-lock'),
  ]);
  const lockDir = defaultLockDir(context.env);
  const usual = lockDir === undefined ? undefined : lockFileOf(lockDir, key);
  return openLogStore(folder, asked ?? (usual !== undefined && existsSync(usual) ? usual : undefined));
}

/** Throws WB-1305. */
export async function requireLog(folder: string): Promise<void> {
  const { existsSync } = await import('node:fs');
  if (existsSync(join(folder, 'checkpoint'))) return;
  throw fail(R.optionValue, { expected: 'the folder of a log', actual: `no checkpoint in ${folder}` });
}
