/**
 * `LogStore`: where a log lives. The log engine (tlog) decides what is written and in which order; a driver
 * only keeps bytes. Its conformance suite is `test/platform/log-store-conformance.ts`; every driver runs it.
 */

/**
 * The one place that says which checkpoint is the log's. It is the guard against forks: keep it apart from
 * the rest of the data and never restore it from a backup.
 *
 * Contract:
 * - `swap` is atomic among all processes, durable when it resolves to true, and changes nothing when it
 *   resolves to false.
 * - When `swap` throws, the caller cannot know which checkpoint is stored and must `read` it.
 */
export interface CheckpointLock {
  /** The stored checkpoint; undefined before the first swap. */
  read(): Promise<string | undefined>;
  /** Stores `next` if and only if the stored value is exactly `previous`. */
  swap(previous: string | undefined, next: string): Promise<boolean>;
}

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
 *   when it does not. `index` alone may lose its last calls in a crash, newest first: it holds nothing that
 *   cannot be derived from the tiles.
 * - Writing the same thing twice is no error: recovery repeats what a crash interrupted.
 * - Two processes may hold one store: batches are kept apart by (to, root); tiles and names of one log are
 *   the same bytes whoever writes them.
 */
export interface LogStore {
  readonly lock: CheckpointLock;
  /** Keeps a batch until `unstage`. */
  stage(batch: StagedBatch): Promise<void>;
  /** The batch that ends at exactly this tree. */
  staged(to: number, root: Uint8Array): Promise<StagedBatch | undefined>;
  /** Forgets the batches with `to` ≤ `size`. */
  unstage(size: number): Promise<void>;
  /** Keeps an immutable file. `path` is relative, of `[a-z0-9.]` and `/`, made by the engine. */
  writeTile(path: string, bytes: Uint8Array): Promise<void>;
  readTile(path: string): Promise<Uint8Array | undefined>;
  /** Replaces the checkpoint readers see; never asked to go back. */
  publish(checkpoint: string): Promise<void>;
  published(): Promise<string | undefined>;
  /** Entries [0, n) have their names indexed. */
  indexed(): Promise<number>;
  /**
   * Names of the entries from `from` on, one list an entry; `from` ≤ `indexed()`. A name that is there keeps
   * its entry: the first holder wins.
   */
  index(from: number, names: readonly (readonly Uint8Array[])[]): Promise<void>;
  /** The entry that has this name. */
  find(name: Uint8Array): Promise<number | undefined>;
  close(): Promise<void>;
}
