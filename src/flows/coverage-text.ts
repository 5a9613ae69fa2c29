/** How much of a log was searched, in words. */

import { toHex } from '#base/bytes';
import { attempt, unwrap } from '#base/result';
import { parseCheckpoint, parseNote } from '#formats/note';

/** `checkpoint`: of the log, already verified. */
export function coverageText(covered: {
  readonly origin: string;
  readonly treeSize: number;
  readonly checkpoint: string;
}): string {
  const { origin, treeSize, checkpoint } = covered;
  if (treeSize === 0) return `${origin}, which is empty`;
  return `entries 0…${treeSize - 1} of ${origin}, root ${rootOf(checkpoint) ?? 'unknown'}`;
}

/** Hex of the root hash a checkpoint states. */
export function rootOf(checkpoint: string): string | undefined {
  const head = attempt(() => unwrap(parseCheckpoint(unwrap(parseNote(checkpoint)).text)));
  return head.ok ? toHex(head.value.rootHash) : undefined;
}
