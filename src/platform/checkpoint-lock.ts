/**
 * Where the checkpoint locks of logs lie: apart from the logs themselves, one file a key. A log's folder that is
 * copied, restored or doubled then meets the lock of what was signed meanwhile, and cannot sign something else.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { toHex, utf8, utf8Text } from '#base/bytes';
import { type PublicKey, sha256 } from '#base/crypto';
import type { Turns } from '#base/turns';
import { makeFolderDurable } from './files.ts';
import { type Database, openDatabase } from './sqlite.ts';
import type { CheckpointLock } from './store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder of locks: below WAYBILL_STATE_DIR, else below the user's state folder (XDG base directories: state is
 * what persists over restarts and is of this machine). Undefined where there is neither that nor a home.
 */
export function defaultLockDir(env: Environment): string | undefined {
  const own = env['WAYBILL_STATE_DIR'];
  if (own) return join(resolve(own), 'locks');
  const state = env['XDG_STATE_HOME'];
  if (state !== undefined && isAbsolute(state)) return join(state, 'waybill', 'locks');
  const home = env['HOME'] || env['USERPROFILE'];
  return home ? join(home, '.local', 'state', 'waybill', 'locks') : undefined;
}

/** The lock of the log with this key. */
export const lockFileOf = (lockDir: string, key: PublicKey): string =>
  lockFileNamed(lockDir, toHex(sha256(key.spki)));

/** The same, by the SHA-256 of the SubjectPublicKeyInfo, hex. */
export const lockFileNamed = (lockDir: string, keyHash: string): string => join(lockDir, `${keyHash}.db`);

/** As logs that keep it with their data have it. */
export const INNER_LOCK = 'lock.db';

/** The lock in a database. Swaps take turns with whoever else of this process writes to it. */
export function lockIn(database: Database, turns: Turns): CheckpointLock {
  const { read, swap } = cellIn(database);
  return {
    read: async () => read(),
    swap: (previous, next) => turns.run(async () => swap(previous, next)),
  };
}

function cellIn(database: Database) {
  database.exec('CREATE TABLE IF NOT EXISTS lock (id INTEGER PRIMARY KEY CHECK (id = 1), checkpoint BLOB)');
  const select = database.prepare('SELECT checkpoint FROM lock WHERE id = 1');
  const insert = database.prepare('INSERT OR IGNORE INTO lock (id, checkpoint) VALUES (1, ?)');
  const update = database.prepare('UPDATE lock SET checkpoint = ? WHERE id = 1 AND checkpoint = ?');
  return {
    read: (): string | undefined => {
      const row = select.get() as { checkpoint: Uint8Array } | undefined;
      return row === undefined ? undefined : utf8Text(row.checkpoint);
    },
    swap: (previous: string | undefined, next: string): boolean => {
      const done = previous === undefined ? insert.run(utf8(next)) : update.run(utf8(next), utf8(previous));
      return done.changes === 1;
    },
  };
}

function withLock<T>(file: string, use: (cell: ReturnType<typeof cellIn>) => T): T {
  // A lock whose folder is gone after a power failure is a log that never opens again.
  makeFolderDurable(dirname(file));
  const database = openDatabase(file, { mode: 'durable' });
  try {
    return use(cellIn(database));
  } finally {
    database.close();
  }
}

/** The checkpoint a lock names; undefined when it is not there: nothing is made. Throws WB-209, WB-215. */
export const readLock = (file: string): string | undefined =>
  existsSync(file) ? withLock(file, ({ read }) => read()) : undefined;

/** Makes a lock that is not there. False when there is one. Throws WB-209, WB-215. */
export const makeLock = (file: string, checkpoint: string): boolean =>
  withLock(file, ({ swap }) => swap(undefined, checkpoint));

/**
 * Takes the lock that an earlier version kept in a log's folder out of it, once. One that contradicts the lock that
 * is apart stays where it is: opening the log then says what is wrong.
 */
export function takeLockOut(directory: string, file: string): void {
  const inner = join(directory, INNER_LOCK);
  if (resolve(inner) === resolve(file) || !existsSync(inner)) return;
  const kept = readLock(inner);
  if (kept !== undefined && !makeLock(file, kept) && readLock(file) !== kept) return;
  for (const end of ['', '-wal', '-shm']) rmSync(inner + end, { force: true });
}

/** For a lock that is lost: makes it again from what is published in the log's folder. Says whether it did. */
export function adoptLock(directory: string, file: string): boolean {
  takeLockOut(directory, file);
  const published = readPublishedText(directory);
  return published !== undefined && makeLock(file, published);
}

/** The published checkpoint in a log's folder. */
export function readPublishedText(directory: string): string | undefined {
  const file = join(directory, 'checkpoint');
  return existsSync(file) ? utf8Text(readFileSync(file)) : undefined;
}
