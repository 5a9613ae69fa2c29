/** Gives entries their index and time and computes the tree that holds them. Writes nothing. */
import { fail } from '#base/reason';
import { leafHash } from '#formats/merkle';
import { TILE_WIDTH } from '#formats/tiles';
import { type CompleteTile, TreeEdge } from './edge.ts';
import { R } from './reasons.ts';
import { CLOCK_STEP_BACK_MS_MAX, type LogRecord, type Personality, type TreeState } from './types.ts';

/** A tree that is not signed yet. */
export interface NextTree {
  readonly size: number;
  readonly root: Uint8Array;
  readonly edge: TreeEdge;
  readonly time: number;
  readonly records: readonly LogRecord[];
  readonly leafHashes: readonly Uint8Array[];
  readonly completed: readonly CompleteTile[];
}

/**
 * The time of the next batch: the clock, but never before the newest record. A step back of at most
 * `CLOCK_STEP_BACK_MS_MAX` is waited out by repeating the newest time; more is WB-407.
 */
export function batchTime(now: number, newest: number): number {
  if (now >= newest) return now;
  if (newest - now > CLOCK_STEP_BACK_MS_MAX) {
    const expected = `a clock at or after ${new Date(newest).toISOString()}`;
    throw fail(R.clock, { expected, actual: new Date(now).toISOString() });
  }
  return newest;
}

/** The tree after `records`. `state` stays as it is. `hashed`: their leaf hashes, where they are known. */
export function extend(
  state: TreeState,
  records: readonly LogRecord[],
  personality: Personality,
  hashed?: readonly Uint8Array[],
): NextTree {
  const edge = state.edge.clone();
  const completed: CompleteTile[] = [];
  const leafHashes = hashed ?? records.map(({ entry }) => leafHash(personality.leaf(entry)));
  for (const hash of leafHashes) completed.push(...edge.append(hash));
  const time = records.at(-1)?.time ?? state.time;
  return { size: edge.size, root: edge.root(), edge, time, records, leafHashes, completed };
}

/** The state after `next` has been signed as `checkpoint`. */
export function stateAfter(state: TreeState, next: NextTree, checkpoint: string): TreeState {
  const known = [...state.tail, ...next.records];
  const tail = known.slice(known.length - (next.size % TILE_WIDTH));
  const { size, root, edge, time } = next;
  return { size, root, edge, locked: checkpoint, checkpoint, isFrozen: false, time, tail };
}

/** The state of a log of size 0. */
export function emptyState(checkpoint: string): TreeState {
  const edge = new TreeEdge();
  const root = edge.root();
  return { size: 0, root, edge, locked: checkpoint, checkpoint, isFrozen: false, time: 0, tail: [] };
}
