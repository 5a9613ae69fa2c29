/**
 * A stack's data directory copied whole, and brought back. A copy is verified file by file. A log that is brought
 * back does not go on: what it acknowledged after the copy was made would be contradicted under the same key, so
 * it is closed where the copy ends, and a new one follows.
 */
import { copyFile, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { equalBytes, toHex } from '#base/bytes';
import { hasher } from '#base/crypto';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { fileChunks, makeFolders, readFileIfThere, syncFolder, writeFileDurable } from '#platform/files';
import { lockFolder } from '#platform/folder-lock';
import { filesBelow, requireApart } from './backup-places.ts';
import { R } from './reasons.ts';
import { locksOf, refuseSigned, settleLocks } from './restored-locks.ts';
import { type KnownTrust, publishedSince } from './restored-trust.ts';
import { requireState } from './state.ts';

const SCHEMA = 'waybill.dev/stack-backup/v1';
const MANIFEST = 'backup.json';
const RESTORED_MARK = 'restored.json';

/** Of a data directory that came from a backup and has not been started since; undefined for any other. */
export async function readRestored(dataDir: string): Promise<{ readonly continueLogs: boolean } | undefined> {
  const bytes = await readFileIfThere(join(dataDir, RESTORED_MARK));
  if (bytes === undefined) return undefined;
  const mark = attempt(() => reader(unwrap(parseJson(bytes)), RESTORED_MARK).boolean('continueLogs'));
  return { continueLogs: mark.ok && mark.value };
}

export const settleRestored = (dataDir: string): Promise<void> => rm(join(dataDir, RESTORED_MARK));

interface KeptFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  /** Hex. */
  readonly sha256: string;
}

export interface BackupResult {
  readonly files: number;
  readonly bytes: number;
  /** Files that were there already, from an earlier backup into the same folder. */
  readonly unchanged: number;
}

export interface RestoreOptions {
  readonly continueLogs: boolean;
  readonly lockDir: string;
  /** Compared with what is brought back. */
  readonly known?: KnownTrust;
}

export interface RestoreResult extends BackupResult {
  /** Published after the backup, and not in it: what these signed is no longer believed. */
  readonly lost: readonly string[];
}

/**
 * Copies the data directory of a stopped stack into `target`, what lies behind links too; an earlier backup there is
 * brought up to date. The copy holds private keys. Throws WB-1202, WB-210 while the stack runs, WB-1210 for a folder of
 * something else, of another stack, or in the data directory.
 */
export async function backupStack(dataDir: string, target: string, now: number): Promise<BackupResult> {
  const { createdAt } = await requireState(dataDir);
  await requireApart(target, dataDir);
  const lock = lockFolder(dataDir);
  try {
    const before = await earlierBackup(target);
    if (before.size > 0) await requireSameStack(dataDir, target, createdAt);
    const paths = await filesBelow(dataDir);
    await makeFolders(target, 0o700);
    // Until the new list is written, nobody takes a half-changed copy for a whole one.
    await rm(join(target, MANIFEST), { force: true });
    const files: KeptFile[] = [];
    let unchanged = 0;
    for (const path of paths) {
      const file = await describe(dataDir, path);
      const known = before.get(path);
      if (known?.sha256 === file.sha256 && known.mode === file.mode) unchanged += 1;
      else await copyDurable(join(dataDir, path), join(target, path), file.mode);
      files.push(file);
    }
    const wanted = new Set(files.map(({ path }) => path));
    for (const path of before.keys()) if (!wanted.has(path)) await rm(join(target, path), { force: true });
    await writeFileDurable(
      join(target, MANIFEST),
      `${JSON.stringify({ schema: SCHEMA, madeAt: now, files }, undefined, 1)}\n`,
      { mode: 0o600 },
    );
    return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0), unchanged };
  } finally {
    lock.release();
  }
}

/**
 * Brings a backup back into an empty or absent folder. With `continueLogs` the logs go on as they are: only when
 * nothing was signed after the backup, which the locks in `lockDir` say where they are still there. Without it, a log
 * whose lock is where the backup is gets its last checkpoint and a successor; one whose lock went on signs nothing
 * more. Locks that are gone, as on another machine, are made again. Throws WB-1210 for a copy that is not whole, or
 * logs that cannot go on.
 */
export async function restoreStack(
  source: string,
  dataDir: string,
  { continueLogs, lockDir, known }: RestoreOptions,
): Promise<RestoreResult> {
  const { files, madeAt } = await readManifest(source);
  await requireApart(source, dataDir);
  const there = await readdir(dataDir).catch(() => []);
  if (there.length > 0) {
    throw fail(R.backup, {
      expected: `${dataDir} to be empty or absent`,
      actual: `${there.length} files in it`,
    });
  }
  for (const { path, sha256 } of files) {
    const found = await describe(source, path).catch(() => undefined);
    if (found?.sha256 === sha256) continue;
    const actual = found === undefined ? 'it cannot be read' : 'other content';
    throw fail(R.backup, { expected: `${path} as it was copied`, actual });
  }
  const lost = known === undefined ? [] : await publishedSince(source, known);
  const locks = await locksOf(source, lockDir);
  if (continueLogs) refuseSigned(locks);
  await makeFolders(dataDir, 0o700);
  for (const { path, mode } of files) await copyDurable(join(source, path), join(dataDir, path), mode);
  await settleLocks(dataDir, lockDir, locks);
  const mark = { schema: SCHEMA, madeAt, continueLogs };
  await writeFileDurable(join(dataDir, RESTORED_MARK), `${JSON.stringify(mark)}\n`);
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0), unchanged: 0, lost };
}

async function earlierBackup(target: string): Promise<ReadonlyMap<string, KeptFile>> {
  const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return new Map();
  const { files } = await readManifest(target);
  return new Map(files.map((file) => [file.path, file]));
}

/** What clients pinned tells two stacks apart; one that never published, when it was made. */
async function requireSameStack(dataDir: string, target: string, createdAt: number): Promise<void> {
  const firstRoot = (folder: string): Promise<Uint8Array | undefined> =>
    readFileIfThere(join(folder, 'tuf', 'metadata', '1.root.json'));
  const [ours, kept] = [await firstRoot(dataDir), await firstRoot(target)];
  const isSame =
    ours !== undefined && kept !== undefined
      ? equalBytes(ours, kept)
      : (await requireState(target)).createdAt === createdAt;
  if (isSame) return;
  const actual = 'the backup of another stack, with another first root';
  throw fail(R.backup, { expected: `an earlier backup of ${dataDir} in ${target}`, actual });
}

async function readManifest(folder: string): Promise<{ files: readonly KeptFile[]; madeAt: number }> {
  const path = join(folder, MANIFEST);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) {
    const actual = `no ${MANIFEST}: something else, or a backup that was broken off`;
    throw fail(R.backup, { expected: `a backup of a stack in ${folder}`, actual });
  }
  const read = attempt(() => {
    const json = reader(unwrap(parseJson(bytes)), path, { as: R.backup });
    if (json.string('schema') !== SCHEMA) throw json.wrong('schema', SCHEMA, json.string('schema'));
    const files = json.children('files').map((one): KeptFile => {
      const name = one.string('path');
      const isPlain = name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
      if (!isPlain) throw one.wrong('path', 'a path below the folder', name);
      const [size, mode] = [one.integer('size'), one.integer('mode')];
      return { path: name, size, mode, sha256: one.string('sha256') };
    });
    return { files, madeAt: json.integer('madeAt') };
  });
  if (read.ok) return read.value;
  throw fail(R.backup, { expected: `${path} of this version`, actual: read.error.check });
}

async function describe(folder: string, path: string): Promise<KeptFile> {
  const file = join(folder, path);
  const { mode } = await stat(file);
  const hash = hasher();
  let size = 0;
  for await (const chunk of fileChunks(file)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { path, size, mode: mode & 0o777, sha256: toHex(hash.finish()) };
}

async function copyDurable(from: string, to: string, mode: number): Promise<void> {
  await makeFolders(dirname(to), 0o700);
  await rm(to, { force: true });
  await copyFile(from, to);
  const handle = await open(to, 'r+');
  try {
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(dirname(to));
}
