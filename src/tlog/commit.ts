/**
 * The commit path. Its order is the log's promise:
 *
 *   1. stage      the batch is durable; a crash now leaves bytes nobody refers to
 *   2. read back  what the disk returns is what was staged, and hashes to the root we are about to sign
 *   3. sign       nothing is signed that is not durable
 *   4. swap       the lock names the new checkpoint: from here the entries are in the log
 *   5. apply      tiles and names
 *   6. publish    witnesses cosign what the lock names, then readers see it
 *   7. answer     (the caller) only now
 *
 * Before 4 a failure refuses the batch and nothing of it is in the log. From 4 on a failure stops the log:
 * opening it again finishes the batch.
 */
import { equalBytes } from '#base/bytes';
import type { Reason } from '#base/reason';
import { fail, reason, type WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { leafHash } from '#formats/merkle';
import { type AppendedTree, appendedTree } from './appended.ts';
import { apply } from './apply.ts';
import { decodeBatchEntries, encodeBatch } from './batch.ts';
import type { TileReader } from './proof.ts';
import { R } from './reasons.ts';
import { batchTime, extend, type NextTree, stateAfter } from './sequence.ts';
import type { LogOptions, LogRecord, PendingEntry, Personality, TreeState } from './types.ts';

/** The log must stop: what is stored can no longer be told from here. */
export class StopLog extends Error {
  readonly why: Reason;
  /** Answer for the entries of this batch; the entries behind it get WB-405. */
  readonly answer: WaybillError;

  constructor(why: Reason, answer: WaybillError, cause: unknown) {
    super(why.actual, { cause });
    this.why = why;
    this.answer = answer;
  }
}

type CommitOptions = Pick<LogOptions, 'store' | 'signer' | 'clock'>;

export interface Committed {
  /** The state the batch leads to. */
  readonly state: TreeState;
  readonly next: NextTree;
  /** Of the batch, as it was read back. */
  readonly tree: AppendedTree;
}

/** Commits one batch. Throws `WaybillError` (refused) or `StopLog`. */
export async function commit(
  options: CommitOptions,
  personality: Personality,
  state: TreeState,
  batch: readonly PendingEntry[],
): Promise<Committed> {
  const { store } = options;
  const time = batchTime(options.clock.now(), state.time);
  const records: LogRecord[] = batch.map(({ entry, extra }, i) => {
    return { entry: personality.placed?.(entry, state.size + i) ?? entry, extra, time };
  });
  // A leaf that says its index is another one now. What the disk returns is hashed again in any case.
  const hashed = personality.placed === undefined ? batch.map((pending) => pending.leafHash) : undefined;
  const next = extend(state, records, personality, hashed);
  const { checkpoint, tree } = await stageAndSign(options, personality, state, next);
  await swap(options, state.locked, checkpoint);
  try {
    await apply(store, state, next, personality);
  } catch (error) {
    throw unknownOutcome('the batch is committed but could not be published', error);
  }
  return { state: stateAfter(state, next, checkpoint), next, tree };
}

/**
 * Step 6: shows readers the tree the lock names. `before`: what this process saw published last. Returns the state
 * with the checkpoint that was cosigned.
 */
export async function publish(
  options: Pick<LogOptions, 'store' | 'signer' | 'cosign'>,
  { state, before }: { readonly state: TreeState; readonly before: string | undefined },
  tiles: TileReader,
  signal: AbortSignal,
): Promise<TreeState> {
  const { cosign } = options;
  const { locked, size } = state;
  const consistency = (from: number) => tiles.consistency(state, from, size);
  try {
    const checkpoint =
      cosign === undefined || size === 0
        ? locked
        : await cosign({ checkpoint: locked, size, consistency, signal });
    await publishForward(options, { ...state, checkpoint }, before);
    return { ...state, checkpoint };
  } catch (error) {
    throw unknownOutcome('the batch is committed but could not be published', error);
  }
}

/**
 * Never back: a successor that opened the log between this process's commit and now has published more, and what it
 * published holds this batch, since it began from the lock.
 */
async function publishForward(
  { store, signer }: Pick<LogOptions, 'store' | 'signer'>,
  { size, isFrozen, checkpoint }: TreeState,
  before: string | undefined,
): Promise<void> {
  for (let current = before; ; current = await store.published()) {
    if (current === checkpoint) return;
    const seen = current === undefined ? undefined : unwrap(signer.open(current));
    if (seen !== undefined && (seen.size > size || (seen.isFrozen === true && !isFrozen))) return;
    if (await store.publish(current, checkpoint)) return;
  }
}

/** Moves the lock to `locked`, which says of the same tree that it is the last one. Errors: `StopLog`. */
export async function freezeLog(
  options: CommitOptions,
  state: TreeState,
  locked: string,
): Promise<TreeState> {
  await swap(options, state.locked, locked);
  return { ...state, locked, checkpoint: locked, isFrozen: true };
}

async function stageAndSign(
  options: CommitOptions,
  personality: Personality,
  state: TreeState,
  next: NextTree,
): Promise<{ readonly checkpoint: string; readonly tree: AppendedTree }> {
  const payload = encodeBatch(next.records);
  const batch = { from: state.size, fromRoot: state.root, to: next.size, root: next.root, payload };
  try {
    await options.store.stage(batch);
    const stored = await options.store.staged(next.size, next.root);
    const tree =
      stored !== undefined && equalBytes(stored.payload, payload)
        ? rereadTree(state, stored.payload, personality)
        : undefined;
    // One flipped bit between hashing and disk would make a log nobody can verify (Yeti 2022).
    if (tree === undefined || !equalBytes(tree.root, next.root)) {
      throw fail(R.corrupt, { expected: 'the staged batch as it was written', actual: 'other bytes' });
    }
    return { checkpoint: await options.signer.sign({ size: next.size, root: next.root }), tree };
  } catch (error) {
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(R.notLogged, { expected: 'a durable batch and a signed checkpoint', actual }, error);
  }
}

/** Hashed once more, from the bytes of the disk and by another walk than the one that made the root. */
function rereadTree(state: TreeState, payload: Uint8Array, personality: Personality): AppendedTree {
  const entries = decodeBatchEntries(payload);
  return appendedTree(
    state.edge,
    entries.map((entry) => leafHash(personality.leaf(entry))),
  );
}

async function swap(options: CommitOptions, previous: string, next: string): Promise<void> {
  const { lock } = options.store;
  try {
    if (await lock.swap(previous, next)) return;
  } catch (error) {
    // The swap may have happened all the same. Only the stored value can tell, and only if it is the new one:
    // a write that is still on its way may arrive after the old value was read.
    const stored = await lock.read().catch(() => undefined);
    if (stored === next) return;
    throw unknownOutcome('the checkpoint lock did not answer', error);
  }
  const detail = { expected: 'the checkpoint this process wrote last', actual: 'another one in the lock' };
  throw new StopLog(reason(R.otherWriter, detail), fail(R.otherWriter, detail), undefined);
}

export function unknownOutcome(actual: string, cause: unknown): StopLog {
  const shown = cause instanceof Error ? `${actual}: ${cause.message}` : actual;
  const detail = { expected: 'a committed and published batch', actual: shown };
  return new StopLog(reason(R.outcomeUnknown, detail), fail(R.outcomeUnknown, detail, cause), cause);
}
