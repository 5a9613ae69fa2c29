/**
 * Merkle tree hashing and proofs of RFC 6962 §2.1 and RFC 9162 §2.1, SHA-256. Indexes and sizes are safe
 * integers; hashes are 32 bytes. Arithmetic is by division: sizes go beyond 32 bits.
 *
 * A node (level, index) is the hash of the leaves [index·2^level, (index+1)·2^level). Proofs are built from
 * such complete nodes alone, so that any store that can read complete nodes can prove any past size.
 */
import { equalBytes, latin1, toHex } from '#base/bytes';
import { sha256, sha256Latin1 } from '#base/crypto';
import { limits } from '#base/limits';
import { reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { R } from './log-reasons.ts';

export const HASH_BYTES = 32;
/** Leaves of up to so many bytes are hashed without a new array: entries of logs are shorter. */
const LEAF_INPUT_BYTES = 8 * 1024;

/** Root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1). */
export const emptyRoot = (): Uint8Array => sha256(new Uint8Array(0));

/** What is hashed is laid out here, then hashed to text: a quarter of the cost of new arrays for both. */
const leafInput = Buffer.alloc(1 + LEAF_INPUT_BYTES);
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

const hashedBytes = (input: Uint8Array): Uint8Array => Buffer.from(sha256Latin1(input), 'latin1');

/** SHA-256(0x00 || leaf). */
export function leafHash(leaf: Uint8Array): Uint8Array {
  const end = 1 + leaf.length;
  const input = end <= leafInput.length ? leafInput.subarray(0, end) : new Uint8Array(end);
  input.set(leaf, 1);
  return hashedBytes(input);
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  // What is no hash must not meet bytes of the one before.
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) nodeInput.fill(0, 1);
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return hashedBytes(nodeInput);
}

/** `nodeHash` of the two hashes that lie side by side in `row` from `at` on, written to it at `to`. */
export function hashPair(row: Buffer, at: number, to: number): void {
  row.copy(nodeInput, 1, at, at + 2 * HASH_BYTES);
  row.write(sha256Latin1(nodeInput), to, HASH_BYTES, 'latin1');
}

/** `nodeHash` along a path, in one buffer: proofs are on the way of every verification. */
class PathHash {
  readonly #node = Buffer.alloc(1 + 2 * HASH_BYTES, 1);
  #hash: string;

  constructor(leaf: Uint8Array) {
    this.#hash = latin1(leaf);
  }

  joinLeft(left: Uint8Array): void {
    this.#node.set(left, 1);
    this.#node.write(this.#hash, 1 + HASH_BYTES, 'latin1');
    this.#hash = sha256Latin1(this.#node);
  }

  joinRight(right: Uint8Array): void {
    this.#node.write(this.#hash, 1, 'latin1');
    this.#node.set(right, 1 + HASH_BYTES);
    this.#hash = sha256Latin1(this.#node);
  }

  root(): Uint8Array {
    return Buffer.from(this.#hash, 'latin1');
  }
}

/** A complete subtree. */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Reads the hash of a complete node; throws when the store does not hold it. */
export type NodeGetter = (node: NodeId) => Uint8Array;

/** The leaves [from, to): what one hash of a proof stands for. */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

/** Largest power of two strictly below `size` (size ≥ 2): the leaves of the left part of a tree. */
export function splitPoint(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/**
 * Complete nodes that make up a range, left to right, largest first. The range must be one a proof names:
 * `from` is a multiple of the largest power of two that fits.
 */
export function rangeNodes(range: LeafRange): NodeId[] {
  const nodes: NodeId[] = [];
  let { from } = range;
  let rest = range.to - range.from;
  while (rest > 0) {
    let level = 0;
    let width = 1;
    while (width * 2 <= rest) {
      width *= 2;
      level++;
    }
    nodes.push({ level, index: from / width });
    from += width;
    rest -= width;
  }
  return nodes;
}

/** The hash of a range from its nodes' hashes, in the order of `rangeNodes`. At least one hash. */
export function foldNodes(hashes: readonly Uint8Array[]): Uint8Array {
  let folded = hashes[hashes.length - 1] as Uint8Array;
  for (let i = hashes.length - 2; i >= 0; i--) folded = nodeHash(hashes[i] as Uint8Array, folded);
  return folded;
}

function rangeHash(range: LeafRange, get: NodeGetter): Uint8Array {
  return foldNodes(rangeNodes(range).map(get));
}

/** The root of the first `size` leaves. */
export function rootHash(size: number, get: NodeGetter): Uint8Array {
  return size === 0 ? emptyRoot() : rangeHash({ from: 0, to: size }, get);
}

/** What the hashes of PATH(index, D[size]) stand for, leaf to root (RFC 6962 §2.1.1). `index` < `size`. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.reverse();
}

/** What the hashes of PROOF(first, D[second]) stand for (RFC 6962 §2.1.2). 0 ≤ first ≤ second. */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (first === 0 || first === second) return [];
  const ranges: LeafRange[] = [];
  let from = 0;
  let to = second;
  while (to !== first) {
    const middle = from + splitPoint(to - from);
    if (first <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  // The old tree itself is known to the verifier; a part of it is not.
  if (from !== 0) ranges.push({ from, to });
  return ranges.reverse();
}

/** Builds an inclusion proof. The caller has checked 0 ≤ index < size. */
export function inclusionProof(index: number, size: number, get: NodeGetter): Uint8Array[] {
  return inclusionRanges(index, size).map((range) => rangeHash(range, get));
}

/** Builds a consistency proof. The caller has checked 0 ≤ first ≤ second. */
export function consistencyProof(first: number, second: number, get: NodeGetter): Uint8Array[] {
  return consistencyRanges(first, second).map((range) => rangeHash(range, get));
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function checkHashes(hashes: readonly Uint8Array[], ...more: readonly Uint8Array[]): Result<void> {
  const bad = [...more, ...hashes].find((hash) => hash.length !== HASH_BYTES);
  if (hashes.length <= limits.proofHashes && bad === undefined) return ok(undefined);
  const expected = `at most ${limits.proofHashes} hashes of ${HASH_BYTES} bytes`;
  const actual = bad === undefined ? `${hashes.length} hashes` : `a hash of ${bad.length} bytes`;
  return err(reason(R.proofHashes, { expected, actual }));
}

function wrongCount(actual: number, what: string): Result<never> {
  return err(
    reason(R.proofHashes, { expected: `the exact number of hashes for ${what}`, actual: `${actual} hashes` }),
  );
}

/**
 * The root an inclusion proof leads to (RFC 9162 §2.1.3.2). `leaf` is the leaf *hash*. Errors: WB-116 for an
 * index outside the tree, WB-117 for a wrong number or form of hashes.
 */
export function rootFromInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  hashes: readonly Uint8Array[],
): Result<Uint8Array> {
  if (!isCount(index) || !isCount(size) || index >= size) {
    const actual = `index ${index} in a tree of size ${size}`;
    return err(reason(R.proofRange, { expected: '0 ≤ index < tree size', actual }));
  }
  const form = checkHashes(hashes, leaf);
  if (!form.ok) return form;
  const what = `index ${index} of size ${size}`;
  let at = index;
  let last = size - 1;
  const path = new PathHash(leaf);
  for (const hash of hashes) {
    if (last === 0) return wrongCount(hashes.length, what);
    if (at % 2 === 1 || at === last) {
      path.joinLeft(hash);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      path.joinRight(hash);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? ok(path.root()) : wrongCount(hashes.length, what);
}

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  /** Leaf hash. */
  readonly leaf: Uint8Array;
  readonly hashes: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Checks an inclusion proof against a root. Errors: those of `rootFromInclusion` and WB-118. */
export function verifyInclusion(claim: InclusionClaim): Result<void> {
  const root = rootFromInclusion(claim.index, claim.size, claim.leaf, claim.hashes);
  return root.ok ? sameRoot(claim.root, root.value) : root;
}

export interface ConsistencyClaim {
  readonly first: number;
  readonly second: number;
  readonly firstRoot: Uint8Array;
  readonly secondRoot: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/**
 * Checks that the tree of size `second` only appends to the tree of size `first` (RFC 9162 §2.1.4.2). From
 * size 0 and between equal sizes the proof must be empty. Errors: WB-116, WB-117, WB-118.
 */
export function verifyConsistency(claim: ConsistencyClaim): Result<void> {
  const { first, second, hashes } = claim;
  if (!isCount(first) || !isCount(second) || first > second) {
    const actual = `${first} and ${second}`;
    return err(reason(R.proofRange, { expected: 'sizes 0 ≤ first ≤ second', actual }));
  }
  const form = checkHashes(hashes);
  if (!form.ok) return form;
  const what = `sizes ${first} and ${second}`;
  if (first === 0 || first === second) {
    if (hashes.length !== 0) return wrongCount(hashes.length, what);
    return sameRoot(claim.firstRoot, first === 0 ? emptyRoot() : claim.secondRoot);
  }
  const roots = rootsFromConsistency(claim);
  if (roots === undefined) return wrongCount(hashes.length, what);
  const old = sameRoot(claim.firstRoot, roots.first);
  return old.ok ? sameRoot(claim.secondRoot, roots.second) : old;
}

/** Both roots a consistency proof leads to; undefined for a wrong number of hashes. 0 < first < second. */
function rootsFromConsistency(
  claim: ConsistencyClaim,
): { readonly first: Uint8Array; readonly second: Uint8Array } | undefined {
  let at = claim.first - 1;
  let last = claim.second - 1;
  while (at % 2 === 1) {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  const rest = [...claim.hashes];
  // A complete old tree is its own first hash.
  const seed = at === 0 ? claim.firstRoot : rest.shift();
  if (seed === undefined) return undefined;
  let first = seed;
  let second = seed;
  for (const hash of rest) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      first = nodeHash(hash, first);
      second = nodeHash(hash, second);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      second = nodeHash(second, hash);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? { first, second } : undefined;
}

function sameRoot(expected: Uint8Array, actual: Uint8Array): Result<void> {
  if (equalBytes(expected, actual)) return ok(undefined);
  return err(reason(R.proofRoot, { expected: `root ${toHex(expected)}`, actual: toHex(actual) }));
}
