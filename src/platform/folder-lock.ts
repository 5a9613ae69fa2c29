/**
 * One process per data directory. The lock is SQLite's own on a file, so the kernel releases it however the
 * process ends: there is no stale lock to clean up.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface FolderLock {
  release(): void;
}

/** Takes the lock of a folder; throws WB-210 with the holder's process id when another process has it. */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(folder, 'process.lock'));
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    const holder = holderOf(folder);
    throw fail(R.locked, { expected: `${folder} to be free`, actual: `process ${holder} uses it` }, error);
  }
  writeFileSync(join(folder, 'process.pid'), `${process.pid}\n`);
  return { release: () => database.close() };
}

function holderOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'process.pid'), 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
