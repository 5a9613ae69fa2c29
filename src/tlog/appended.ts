/**
 * Proofs of the entries that end a tree, all at once: what a batch answers with. The entries share most of their
 * paths, so the tree above them is hashed once and not once an entry; and as it is hashed from the leaves up to the
 * root, it is checked on the way.
 */
import { equalBytes } from '#base/bytes';
import { fail } from '#base/reason';
import { inclusionRanges, type LeafRange, nodeHash, splitPoint } from '#formats/merkle';
import type { TileReader } from './proof.ts';
import { R } from './reasons.ts';
import type { Proof, TreeState } from './types.ts';

/** A subtree; the parts of one that holds none of the entries are not looked at. */
interface Branch extends LeafRange {
  readonly hash: Uint8Array;
  readonly parts?: readonly [left: Branch, right: Branch];
}

/**
 * Proofs that `leaves` (leaf hashes) are the last entries of `state`, in their order. Throws WB-410 where they and the
 * subtrees before them do not lead to the root: no fault of memory or tiles may become a wrong proof.
 */
export async function appendedProofs(
  tiles: Pick<TileReader, 'rangeHashes'>,
  state: TreeState,
  leaves: readonly Uint8Array[],
): Promise<Proof[]> {
  const { size, root, checkpoint } = state;
  const first = size - leaves.length;
  const before = inclusionRanges(first, size).filter(({ to }) => to <= first);
  const hashes = await tiles.rangeHashes(state, before);
  const subtrees = new Map(before.map(({ from }, i) => [from, hashes[i]]));
  const top = branch({ from: 0, to: size }, ({ from, to }) => {
    if (to <= first) return subtrees.get(from);
    return to - from === 1 ? leaves[from - first] : undefined;
  });
  if (!equalBytes(top.hash, root)) {
    throw fail(R.corrupt, { expected: 'tiles that lead to the root', actual: 'another root' });
  }
  const proofs: Proof[] = [];
  eachPath(top, [], (index, path) => {
    if (index >= first) proofs.push({ index, size, root, hashes: path, checkpoint });
  });
  return proofs;
}

/** `known`: the hash of a leaf of the entries, and of a subtree before them; undefined for what is above both. */
function branch(range: LeafRange, known: (range: LeafRange) => Uint8Array | undefined): Branch {
  const { from, to } = range;
  const hash = known(range);
  if (hash !== undefined) return { from, to, hash };
  const middle = from + splitPoint(to - from);
  const left = branch({ from, to: middle }, known);
  const right = branch({ from: middle, to }, known);
  return { from, to, hash: nodeHash(left.hash, right.hash), parts: [left, right] };
}

/** Tells of every branch without parts, from left to right: where it begins, and the hashes from there to the root. */
function eachPath(
  { from, parts }: Branch,
  above: readonly Uint8Array[],
  tell: (index: number, path: readonly Uint8Array[]) => void,
): void {
  if (parts === undefined) {
    tell(from, above);
    return;
  }
  const [left, right] = parts;
  eachPath(left, [right.hash, ...above], tell);
  eachPath(right, [left.hash, ...above], tell);
}
