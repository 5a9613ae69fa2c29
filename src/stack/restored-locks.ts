/** What becomes of the checkpoint locks of a stack's logs when a backup of the stack is brought back. */
import { join, resolve } from 'node:path';
import { equalBytes } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { type Checkpoint, parseCheckpoint, parseNote } from '#formats/note';
import { adoptLock, INNER_LOCK, lockFileNamed, readLock, readPublishedText } from '#platform/checkpoint-lock';
import { fileKeyStore } from '#platform/key-store';
import { folderOf, mapGenerations, readGenerations, writeGenerations } from './generations.ts';
import { R } from './reasons.ts';
import { fingerprint } from './serve/record.ts';
import { requireState, writeState } from './state.ts';

const logs = ['ct', 'log', 'log2'] as const;

export interface FoundLock {
  readonly station: (typeof logs)[number];
  readonly generation: number;
  readonly file: string;
  /** What is in the copy. */
  readonly copied: Checkpoint;
  /** What the lock of this machine names; undefined where there is none. */
  readonly locked: Checkpoint | undefined;
}

const checkpointIn = (text: string): Checkpoint => unwrap(parseCheckpoint(unwrap(parseNote(text)).text));

const isSame = (a: Checkpoint, b: Checkpoint): boolean =>
  a.size === b.size && equalBytes(a.rootHash, b.rootHash) && a.extensions.join() === b.extensions.join();

/** The logs of a folder, each with its lock. Throws WB-1202, WB-219. */
export async function locksOf(folder: string, lockDir: string): Promise<readonly FoundLock[]> {
  const { createdAt } = await requireState(folder);
  const { stations } = await readGenerations(folder, createdAt);
  const found: FoundLock[] = [];
  for (const station of logs) {
    for (const { number, keys } of stations[station]) {
      const place = join(folder, folderOf(station, number));
      const tree = join(place, 'tree');
      // A key that may be encrypted need not be opened for this; an earlier version wrote no hash, and encrypted none.
      const hash = keys?.['log'] ?? (await hashOfKey(place));
      const published = readPublishedText(tree);
      if (hash === undefined || published === undefined) continue;
      const file = lockFileNamed(lockDir, hash);
      const lock = readLock(file);
      found.push({
        ...{ station, generation: number, file },
        // A copy by an earlier version brought the lock along: what it names was decided, published or not.
        copied: checkpointIn(readLock(join(tree, INNER_LOCK)) ?? published),
        locked: lock === undefined ? undefined : checkpointIn(lock),
      });
    }
  }
  return found;
}

async function hashOfKey(place: string): Promise<string | undefined> {
  const key = await fileKeyStore(join(place, 'keys')).findKey('log');
  return key === undefined ? undefined : fingerprint(key.publicKey);
}

const hasGoneOn = ({ copied, locked }: FoundLock): boolean => locked !== undefined && !isSame(copied, locked);

/** Throws WB-1210 when a log signed something that is not in the copy. */
export function refuseSigned(locks: readonly FoundLock[]): void {
  const ahead = locks.find(hasGoneOn);
  if (ahead === undefined) return;
  const { station, copied, locked } = ahead;
  throw fail(R.backup, {
    expected: `a backup of ${station} as its lock has it, at ${locked?.size} entries`,
    actual: `one at ${copied.size} entries, with other checkpoints signed since`,
    hint: 'restore without --continue-logs: its logs then get successors, and what they signed stays valid',
  });
}

/** Makes the locks that are gone, and closes the logs in `dataDir` whose lock is elsewhere than their data. */
export async function settleLocks(
  dataDir: string,
  lockDir: string,
  locks: readonly FoundLock[],
): Promise<void> {
  const state = await requireState(dataDir);
  await writeState(dataDir, { ...state, lockDir: resolve(lockDir) });
  const all = await readGenerations(dataDir, state.createdAt);
  const closed = locks.filter(hasGoneOn);
  const next = mapGenerations(all, (station, one) =>
    closed.some((lock) => lock.station === station && lock.generation === one.number)
      ? { ...one, isClosed: true }
      : one,
  );
  if (closed.length > 0) await writeGenerations(dataDir, next);
  for (const { station, generation, file, locked } of locks) {
    if (locked === undefined) adoptLock(join(dataDir, folderOf(station, generation), 'tree'), file);
  }
}
