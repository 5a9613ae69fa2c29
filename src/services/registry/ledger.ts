/** Who decides in which order writes happen. */
import { type Database, transaction } from '#platform/sqlite';
import { apply, type Change } from './changes.ts';

/**
 * Contract: between what `decide` reads and what it changes nothing else is written, by anybody; a `commit` that
 * resolved is durable and in what every later `fresh` of anyone shows. What `decide` throws refuses that write alone.
 * It may be asked several times, and one that changes nothing writes nothing.
 */
export interface Ledger {
  /** Resolves when reads show at least everything that was acknowledged anywhere before the call. */
  fresh(): Promise<void>;
  commit(decide: () => readonly Change[]): Promise<void>;
  close(): void;
}

/** A write that waits for its turn. */
export interface Waiting {
  readonly decide: () => readonly Change[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks each in turn and applies what it decides, inside the caller's transaction, so that the next one sees it. Who
 * refuses, or changes nothing, is told so; the others are given back.
 */
export function decideAll(
  db: Database,
  batch: readonly Waiting[],
): { readonly waiting: readonly Waiting[]; readonly changes: readonly Change[] } {
  const waiting: Waiting[] = [];
  const changes: Change[] = [];
  for (const one of batch) {
    db.exec('SAVEPOINT one');
    try {
      const own = one.decide();
      apply(db, own);
      db.exec('RELEASE one');
      changes.push(...own);
      if (own.length > 0) waiting.push(one);
      else one.resolve();
    } catch (error) {
      db.exec('ROLLBACK TO one; RELEASE one');
      one.reject(error);
    }
  }
  return { waiting, changes };
}

/** One process, one database: writes that come together are synced together. */
export function ownLedger(db: Database): Ledger {
  let queue: Waiting[] = [];
  const flush = (): void => {
    const batch = queue;
    queue = [];
    if (batch.length === 0) return;
    try {
      const { waiting } = transaction(db, () => decideAll(db, batch));
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  return {
    fresh: () => Promise.resolve(),
    commit: (decide) =>
      new Promise((resolve, reject) => {
        queue.push({ decide, resolve, reject });
        if (queue.length === 1) setImmediate(flush);
      }),
    close: flush,
  };
}
