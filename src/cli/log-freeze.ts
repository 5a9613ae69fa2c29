/** `waybill log freeze`: the end of a log that does not run, in a folder, a database or a bucket. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { KeyHolder, Signer } from '#base/crypto';
import { fail } from '#base/reason';
import type { LogWriter, TreeView } from '#tlog';
import type { CliContext } from './context.ts';
import { existingStore, requireLog } from './log-folder.ts';
import { type LogKeyFlags, openLogKey } from './log-key.ts';
import { namesOf } from './log-outside.ts';
import { R } from './reasons.ts';
import { addSignerOptions, optional } from './serve-station-flags.ts';

interface FreezeFlags extends LogKeyFlags {
  readonly origin?: string;
  readonly keyName?: string;
  readonly lockFile?: string;
  readonly objects?: string;
  readonly hostname?: string;
  readonly data?: string;
}

export function addFreeze(log: Command, context: CliContext): void {
  const freeze = log
    .command('freeze')
    .description('Signs the last checkpoint of a log that does not run. Nothing can be written after it.')
    .argument('<where>', 'folder of the log, or its --store: postgres://… or s3://…')
    .option('--key <file>', 'private key of the log, PKCS#8 PEM')
    .option('--objects <url>', 'with postgres://: where its tiles are, as `serve` was told')
    .option(
      '--hostname <name>',
      'with postgres://: of a log of signatures, as `serve log` was told; without it a certificate log',
    )
    .option('--data <dir>', 'with s3://: data directory of its station, where the names of entries are')
    .option('--origin <text>', 'first line of its checkpoints; default: as the newest has it')
    .option('--key-name <name>', 'name in its signature line; default: the origin before ` - `')
    .option(
      '--lock-file <file>',
      'the checkpoint lock (default: below WAYBILL_STATE_DIR or the user state folder, else in the folder)',
    );
  addSignerOptions(freeze, 'log').action((where: string, flags: FreezeFlags) =>
    runFreeze(where, flags, context),
  );
}

async function runFreeze(where: string, flags: FreezeFlags, context: CliContext): Promise<void> {
  const isFolder = !/^[a-z0-9+]+:\/\//.test(where);
  refuseStray(isFolder, flags);
  const held = await openLogKey(flags, context);
  try {
    const tree = await (isFolder
      ? freezeFolder(resolve(context.cwd, where), held.key, flags, context)
      : freezeStore(where, held.key, flags, context));
    const { size, checkpoint } = tree;
    context.result('waybill.dev/log-freeze/v1', { size, checkpoint }, () => checkpoint);
  } finally {
    await held.close();
  }
}

/** What says nothing of this kind of place is not left unread. */
function refuseStray(isFolder: boolean, { objects, hostname, data, lockFile }: FreezeFlags): void {
  const stray = isFolder
    ? { '--objects': objects, '--hostname': hostname, '--data': data }
    : { '--lock-file': lockFile };
  const given = Object.entries(stray).find(([, value]) => value !== undefined)?.[0];
  if (given === undefined) return;
  const expected = isFolder ? `${given} with postgres:// or s3://` : `${given} with a folder`;
  throw fail(R.optionValue, { expected, actual: isFolder ? 'a folder' : 'a store' });
}

async function freezeStore(
  store: string,
  key: Signer | KeyHolder,
  flags: FreezeFlags,
  { cwd, env, clock, random }: CliContext,
): Promise<TreeView> {
  const { freezeStored } = await import('#stack');
  const { objects, hostname, data } = flags;
  const settings = {
    ...{ store, env, names: (published: string | undefined) => namesOf(published, flags) },
    ...optional('objects', objects),
    ...optional('hostname', hostname),
    ...optional('dataDir', data === undefined ? undefined : resolve(cwd, data)),
  };
  return freezeStored(settings, key, { clock, random });
}

async function freezeFolder(
  directory: string,
  key: Signer | KeyHolder,
  flags: FreezeFlags,
  context: CliContext,
): Promise<TreeView> {
  await requireLog(directory);
  const { lockDataOf } = await import('#platform/folder-lock');
  const lock = lockDataOf(directory);
  try {
    return await freezeIn(directory, key, flags, context);
  } finally {
    lock.release();
  }
}

async function freezeIn(
  directory: string,
  signer: Signer | KeyHolder,
  flags: FreezeFlags,
  context: CliContext,
): Promise<TreeView> {
  const [{ checkpointSigner, openLog }, { personalityOf }] = await Promise.all([
    import('#tlog'),
    import('#stack'),
  ]);
  const store = await existingStore(directory, flags.lockFile, signer.publicKey, context);
  let log: LogWriter | undefined;
  try {
    const names = namesOf(await store.published(), flags);
    log = await openLog({
      ...{ store, signer: checkpointSigner({ ...names, signer }), clock: context.clock },
      ...personalityOf(names.origin, signer),
    });
    await log.freeze();
    return log.tree;
  } finally {
    // A log closes its store.
    await (log ?? store).close();
  }
}
