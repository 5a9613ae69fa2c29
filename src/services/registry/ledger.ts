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

/**
 * One process, one database. A commit is done when the call returns, not at some later turn: the sweep relies on it.
 */
export function ownLedger(db: Database): Ledger {
  return {
    fresh: () => Promise.resolve(),
    commit: async (decide) => {
      transaction(db, () => apply(db, decide()));
    },
    close: () => {},
  };
}
