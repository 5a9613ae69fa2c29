/**
 * The tree above the entries of a batch: hashed once from the leaves up, and walked once for all of their proofs, as
 * they share most of their paths.
 */
import { inclusionRanges, type LeafRange, nodeHash, splitPoint } from '#formats/merkle';
import type { TreeEdge } from './edge.ts';

/** A subtree; the parts of one that holds none of the entries are not looked at. */
interface Branch extends LeafRange {
  readonly hash: Uint8Array;
  readonly parts?: readonly [left: Branch, right: Branch];
}

/** A tree that ends with entries of which the hash of each is known. */
export interface AppendedTree {
  readonly root: Uint8Array;
  /** Hashes from each of those entries to the root, in their order. */
  paths(): (readonly Uint8Array[])[];
}

/** The tree of `before` and `leaves` (leaf hashes, at least one) after it. */
export function appendedTree(before: TreeEdge, leaves: readonly Uint8Array[]): AppendedTree {
  const first = before.size;
  const size = first + leaves.length;
  const subtrees = new Map(
    inclusionRanges(first, size)
      .filter(({ to }) => to <= first)
      .map((range) => [range.from, before.rangeHash(range)]),
  );
  const top = branch({ from: 0, to: size }, ({ from, to }) => {
    if (to <= first) return subtrees.get(from);
    return to - from === 1 ? leaves[from - first] : undefined;
  });
  return { root: top.hash, paths: () => pathsOf(top, first) };
}

function pathsOf(top: Branch, first: number): (readonly Uint8Array[])[] {
  const paths: (readonly Uint8Array[])[] = [];
  eachPath(top, [], (index, path) => {
    if (index >= first) paths.push(path);
  });
  return paths;
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
