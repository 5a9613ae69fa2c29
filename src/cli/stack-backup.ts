/** `waybill stack backup` and `restore`: a stack's folder copied whole, and brought back. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { BackupResult } from '#stack';
import type { CliContext } from './context.ts';
import { lockDirFrom } from './lock-dir.ts';

export function registerBackup(
  stack: Command,
  context: CliContext,
  stackDir: (option: string | undefined) => string,
): void {
  stack
    .command('backup')
    .description(
      'copy a stopped stack into a folder, which holds its private keys; an earlier copy there is brought up to date',
    )
    .argument('<dir>', 'folder of the copy')
    .option('--stack <dir>', 'data directory of the stack (default: WAYBILL_STACK)')
    .action(async (dir: string, flags: { readonly stack?: string }) => {
      const { backupStack } = await import('#stack');
      const target = resolve(context.cwd, dir);
      const made = await backupStack(stackDir(flags.stack), target, context.clock.now());
      show(context, target, made, `${made.files} files, ${made.bytes} bytes, ${made.unchanged} unchanged`);
    });
  stack
    .command('restore')
    .description('bring a backup back into an empty folder; its logs are closed and followed by new ones')
    .argument('<backup>', 'folder that backup wrote')
    .argument('<dir>', 'data directory to make')
    .option('--lock-dir <dir>', 'where the checkpoint locks of its logs are (default: the user state folder)')
    .option('--continue-logs', 'go on with the same logs: only when nothing was signed after the backup')
    .action(async (backup: string, dir: string, flags: RestoreFlags) => {
      const [{ restoreStack }, { defaultCacheDir }] = await Promise.all([import('#stack'), import('#trust')]);
      const target = resolve(context.cwd, dir);
      const continueLogs = flags.continueLogs === true;
      const lockDir = lockDirFrom(flags.lockDir, undefined, context);
      const known = { cacheDir: defaultCacheDir(context.env), transport: context.transport };
      const options = { continueLogs, lockDir, known };
      const made = await restoreStack(resolve(context.cwd, backup), target, options);
      const next = continueLogs ? 'its logs go on' : 'its logs get successors at the next start';
      const lost = made.lost.map((one) => `\nnot in the backup, and no longer believed: ${one}`);
      show(context, target, made, `${made.files} files, ${made.bytes} bytes; ${next}${lost.join('')}`);
    });
}

interface RestoreFlags {
  readonly continueLogs?: boolean;
  readonly lockDir?: string;
}

function show(context: CliContext, folder: string, made: BackupResult, text: string): void {
  context.result('waybill.dev/stack-backup/v1', { ok: true, folder, ...made }, () => `${folder}: ${text}`);
}
