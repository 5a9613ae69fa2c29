/** The checkpoint readers see, a file: replaced under the lock of a database, without holding the event loop. */
import { closeSync, openSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { Turns } from '#base/turns';
import { synchronised } from './files.ts';
import type { Database } from './sqlite.ts';
import type { TileStore } from './store.ts';

/** Turns at the lock databases of this process, by path. */
const turnsByPath = new Map<string, Turns>();

/**
 * Who may write to this lock database next. SQLite keeps other processes out; a second connection of this process
 * would wait on the very thread that has to end the first one's transaction. The file must be there.
 */
export function lockTurns(path: string): Turns {
  const key = realpathSync(path);
  const turns = turnsByPath.get(key) ?? new Turns();
  turnsByPath.set(key, turns);
  return turns;
}

/** `lock` is open between the look and the write, so that no other process publishes there meanwhile. */
export function checkpointFile(
  path: string,
  lock: Database,
  turns: Turns,
): Pick<TileStore, 'publish' | 'published'> {
  const replace = async (previous: string | undefined, next: string): Promise<boolean> => {
    lock.exec('BEGIN IMMEDIATE');
    try {
      if (readText(path) !== previous) return false;
      await replaceFile(path, next);
      return true;
    } finally {
      // Nothing was written in it.
      lock.exec('ROLLBACK');
    }
  };
  return {
    publish: (previous, next) => turns.run(() => replace(previous, next)),
    published: async () => readText(path),
  };
}

function readText(path: string): string | undefined {
  try {
    // As bytes: when the text is asked for, Node 24 aborts the process at a file that cannot be closed.
    return utf8Text(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** As `writeFileDurable`; one name for what is not finished, so that ended processes leave one file. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  const file = openSync(temporary, 'w');
  try {
    writeFileSync(file, text);
    await synchronised(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    await synchronised(folder);
  } finally {
    closeSync(folder);
  }
}
