/**
 * One process per data directory. The lock is SQLite's own on a file, so the kernel releases it however the
 * process ends: there is no stale lock to clean up.
 */
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail } from '#base/reason';
import { makeFoldersSync } from './files.ts';
import { R } from './reasons.ts';
import { asDamage } from './sqlite.ts';

const LOCK = 'process.lock';

export interface FolderLock {
  release(): void;
}

/** Takes the lock of a folder; throws WB-210 with the holder's process id when another process has it. */
export function lockFolder(folder: string): FolderLock {
  makeFoldersSync(folder, 0o700);
  const database = new DatabaseSync(join(folder, LOCK));
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    // Nothing is kept in it: what is no database is not somebody's lock.
    const damage = asDamage(join(folder, LOCK), error);
    if (damage !== undefined) throw damage;
    const holder = holderOf(folder);
    throw fail(R.locked, { expected: `${folder} to be free`, actual: `process ${holder} uses it` }, error);
  }
  writeFileSync(join(folder, 'process.pid'), `${process.pid}\n`);
  return { release: () => database.close() };
}

/** How far below a data directory the folder of one of its logs lies. */
const LEVELS = 2;

/**
 * Takes the lock of a folder, and those of the data directories it lies in, by its path or by where links lead: the
 * process that uses it may have locked these alone. Throws WB-210.
 */
export function lockDataOf(folder: string): FolderLock {
  const folders = new Set([folder]);
  for (const start of [folder, realpathSync(folder)]) {
    let at = start;
    for (let level = 0; level < LEVELS; level++) {
      at = dirname(at);
      if (existsSync(join(at, LOCK))) folders.add(realpathSync(at));
    }
  }
  const locks: FolderLock[] = [];
  const release = (): void => {
    for (const lock of locks) lock.release();
  };
  try {
    for (const one of folders) locks.push(lockFolder(one));
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

function holderOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'process.pid'), 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
