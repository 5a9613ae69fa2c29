/**
 * `LogStore`: where a log lives. The log engine (tlog) decides what is written and in which order; a driver
 * only keeps bytes. Its conformance suite is `test/platform/log-store-conformance.ts`; every driver runs it.
 */

/**
 * One text that moves by compare-and-swap.
 *
 * Contract:
 * - `swap` is atomic among all processes, durable when it resolves to true, and changes nothing when it
 *   resolves to false.
 * - When `swap` throws, the caller cannot know which text is stored and must `read` it.
 */
export interface Cell {
  /** The stored text; undefined before the first swap. */
  read(): Promise<string | undefined>;
  /** Stores `next` if and only if the stored text is exactly `previous`. */
  swap(previous: string | undefined, next: string): Promise<boolean>;
}

/**
 * The one place that says which checkpoint is the log's. It is the guard against forks: keep it apart from
 * the rest of the data and never restore it from a backup.
 */
export type CheckpointLock = Cell;

/** Entries that take a tree from one size to the next, as opaque bytes of the engine. */
export interface StagedBatch {
  readonly from: number;
  readonly fromRoot: Uint8Array;
  readonly to: number;
  readonly root: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * Contract:
 * - Every write is durable when its promise resolves and leaves the old or the new state, never a part,
 *   when it does not. `index` and `unstage` alone may lose their last calls in a crash: names can be derived
 *   from the tiles and what is staged, and a batch that is still staged is applied once more.
 * - Writing the same thing twice is no error: recovery repeats what a crash interrupted.
 * - Two processes may hold one store: batches are kept apart by (to, root); tiles and names of one log are
 *   the same bytes whoever writes them.
 */
export interface LogStore extends Staging, TileStore, NameIndex {
  readonly lock: CheckpointLock;
  /** Where the lock is, for words: a path. */
  readonly lockPlace?: string;
  /** Where its data is, for words: a folder. */
  readonly place?: string;
  close(): Promise<void>;
}

/** Batches between being durable and being in full tiles. */
export interface Staging {
  /** Keeps a batch until `unstage`. */
  stage(batch: StagedBatch): Promise<void>;
  /** The batch that ends at exactly this tree. */
  staged(to: number, root: Uint8Array): Promise<StagedBatch | undefined>;
  /** Forgets the batches with `to` ≤ `size`. */
  unstage(size: number): Promise<void>;
}

/** The public side: immutable files and the checkpoint readers see. */
export interface TileStore {
  /** Keeps an immutable file. `path` is relative, of `[a-z0-9.]` and `/`, made by the engine. */
  writeTile(path: string, bytes: Uint8Array): Promise<void>;
  readTile(path: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the checkpoint readers see if and only if it is exactly `previous`, as a cell does: a writer that was
   * overtaken between its commit and this must not bring an older one back.
   */
  publish(previous: string | undefined, next: string): Promise<boolean>;
  published(): Promise<string | undefined>;
}

/** What entries are found by. */
export interface NameIndex {
  /** Entries [0, n) have their names indexed. */
  indexed(): Promise<number>;
  /**
   * Names of the entries from `from` on, one list an entry; `from` ≤ `indexed()`. A name that is there keeps
   * its entry: the first holder wins.
   */
  index(from: number, names: readonly (readonly Uint8Array[])[]): Promise<void>;
  /** The entries that have these names, in their order: one look for all. */
  find(names: readonly Uint8Array[]): Promise<readonly (number | undefined)[]>;
}

/** An entry a front end left for whoever sequences. */
export interface QueuedEntry {
  /** Chosen by the front end, unique. */
  readonly id: string;
  readonly entry: Uint8Array;
  readonly extra: Uint8Array;
}

/** What became of a queued entry. A refusal is a reason of the engine: its code and its words. */
export type QueueAnswer =
  | { readonly id: string; readonly index: number; readonly duplicate: boolean }
  | { readonly id: string; readonly refused: QueueRefusal };

export interface QueueRefusal {
  readonly code: string;
  readonly expected: string;
  readonly actual: string;
}

/**
 * Carries entries from front ends to the sequencer and outcomes back.
 *
 * Contract: `put` and `answer` are durable when they resolve. An entry is taken again and again, by whoever takes,
 * until it is answered; an answer is kept until its front end read it, or for some minutes. `changed` settles when
 * something may be there, at the latest after `waitMs`, and may settle without cause.
 */
export interface EntryQueue {
  put(entries: readonly QueuedEntry[]): Promise<void>;
  /** Oldest first, at most `max`; those in `except` are left out. */
  take(max: number, except: ReadonlySet<string>): Promise<readonly QueuedEntry[]>;
  /** Ids of everything that waits: at the start of a term, what an earlier sequencer may have logged. */
  waiting(): Promise<ReadonlySet<string>>;
  answer(answers: readonly QueueAnswer[]): Promise<void>;
  /** The answers to any of `ids`, which are then forgotten. */
  answers(ids: readonly string[]): Promise<readonly QueueAnswer[]>;
  changed(what: QueueSide, waitMs: number): Promise<void>;
  close(): Promise<void>;
}

export type QueueSide = 'entries' | 'answers';
