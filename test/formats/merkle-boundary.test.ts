/** Proofs over small trees, whole: every size, index and pair of sizes against the naive twin, good and spoilt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import type { Result } from '#base/result';
import {
  consistencyProof,
  consistencyRanges,
  emptyRoot,
  type InclusionClaim,
  inclusionProof,
  inclusionRanges,
  leafHash,
  type NodeGetter,
  nodeHash,
  rangeNodes,
  rootFromInclusion,
  rootHash,
  verifyConsistency,
  verifyInclusion,
} from '#formats/merkle';
import { naivePath, naiveProof, naiveRoot } from './naive-tree.ts';

const SIZES = 9;
const leaves = Array.from({ length: SIZES }, (_, i) => utf8(`leaf ${i}`));
const roots = Array.from({ length: SIZES + 1 }, (_, size) => naiveRoot(leaves.slice(0, size)));
const rootOf = (size: number): Uint8Array => roots[size] as Uint8Array;
const strange = leafHash(utf8('strange'));
const get: NodeGetter = ({ level, index }) => {
  const width = 2 ** level;
  const part = leaves.slice(index * width, (index + 1) * width);
  assert.equal(part.length, width, 'a proof asked for an incomplete node');
  return naiveRoot(part);
};
const plain = (hashes: readonly Uint8Array[]): Uint8Array[] => hashes.map((hash) => new Uint8Array(hash));
const codeOf = <T>(result: Result<T>): string => (result.ok ? 'ok' : result.error.code);

/** Each way to spoil a list of hashes by one. */
function spoilt(hashes: readonly Uint8Array[]): Uint8Array[][] {
  return [
    [...hashes, strange],
    [strange, ...hashes],
    ...hashes.map((_, i) => hashes.filter((_, at) => at !== i)),
    ...hashes.map((hash, i) => hashes.map((one, at) => (at === i ? leafHash(hash) : one))),
  ];
}

for (let size = 1; size <= SIZES; size++) {
  test(`inclusion in a tree of ${size}: the twin's proofs, accepted for their own leaf and index alone`, () => {
    assert.deepEqual(new Uint8Array(rootHash(size, get)), rootOf(size));
    for (let index = 0; index < size; index++) {
      const hashes = plain(inclusionProof(index, size, get));
      assert.deepEqual(hashes, naivePath(index, leaves.slice(0, size)));
      const leaf = leafHash(leaves[index] as Uint8Array);
      const claim: InclusionClaim = { index, size, leaf, hashes, root: rootOf(size) };
      assert.equal(codeOf(verifyInclusion(claim)), 'ok', `${index} of ${size}`);
      for (const others of spoilt(hashes)) {
        const said = codeOf(verifyInclusion({ ...claim, hashes: others }));
        const wanted = others.length === hashes.length ? 'WB-118' : 'WB-117';
        assert.equal(said, wanted, `${index} of ${size}`);
      }
      for (let other = 0; other <= size; other++) {
        if (other === index) continue;
        assert.notEqual(codeOf(verifyInclusion({ ...claim, index: other })), 'ok', `${other} for ${index}`);
      }
      assert.equal(codeOf(verifyInclusion({ ...claim, root: strange })), 'WB-118');
      assert.equal(codeOf(verifyInclusion({ ...claim, leaf: strange })), 'WB-118');
    }
  });

  test(`consistency up to ${size}: the twin's proofs, accepted for their own sizes and roots alone`, () => {
    for (let first = 0; first <= size; first++) {
      const hashes = plain(consistencyProof(first, size, get));
      if (first > 0) assert.deepEqual(hashes, naiveProof(first, leaves.slice(0, size)));
      else assert.deepEqual(hashes, []);
      const claim = { first, second: size, firstRoot: rootOf(first), secondRoot: rootOf(size), hashes };
      const where = `${first} to ${size}`;
      assert.equal(codeOf(verifyConsistency(claim)), 'ok', where);
      assert.equal(codeOf(verifyConsistency({ ...claim, firstRoot: strange })), 'WB-118', where);
      if (first > 0) {
        assert.equal(codeOf(verifyConsistency({ ...claim, secondRoot: strange })), 'WB-118', where);
      }
      for (const others of spoilt(hashes)) {
        const said = codeOf(verifyConsistency({ ...claim, hashes: others }));
        assert.equal(said, others.length === hashes.length ? 'WB-118' : 'WB-117', where);
      }
    }
  });
}

test('the first leaf and the last are proven by what lies beside them', () => {
  const range = (from: number, to: number) => ({ from, to });
  assert.deepEqual(inclusionRanges(0, 1), []);
  assert.deepEqual(inclusionRanges(3, 7), [range(2, 3), range(0, 2), range(4, 7)]);
  assert.deepEqual(inclusionRanges(4, 5), [range(0, 4)]);
  assert.deepEqual(inclusionRanges(2, 4), [range(3, 4), range(0, 2)]);
  assert.deepEqual(consistencyRanges(0, 5), []);
  assert.deepEqual(consistencyRanges(5, 5), []);
  assert.deepEqual(consistencyRanges(4, 7), [range(4, 7)]);
  assert.deepEqual(consistencyRanges(6, 7), [range(4, 6), range(6, 7), range(0, 4)]);
  assert.deepEqual(rangeNodes(range(4, 7)), [
    { level: 1, index: 2 },
    { level: 0, index: 6 },
  ]);
});

test('the tree without leaves has the root of nothing', () => {
  assert.deepEqual(rootHash(0, get), emptyRoot());
  assert.deepEqual(new Uint8Array(emptyRoot()), rootOf(0));
});

test('an index outside the tree, or sizes in the wrong order, are refused (WB-116)', () => {
  for (const [index, size] of [
    [0, 0],
    [1, 1],
    [-1, 1],
    [0.5, 1],
    [0, 1.5],
    [Number.NaN, 1],
    [0, -1],
    [0, 2 ** 53],
    [2 ** 53, 2 ** 54],
  ] as const) {
    assert.equal(codeOf(rootFromInclusion(index, size, strange, [])), 'WB-116', `${index} of ${size}`);
  }
  const claim = { firstRoot: strange, secondRoot: strange, hashes: [] };
  for (const [first, second] of [
    [2, 1],
    [-1, 1],
    [-2, -1],
    [0.5, 1],
    [1, 1.5],
    [1, 2 ** 53],
  ] as const) {
    assert.equal(codeOf(verifyConsistency({ ...claim, first, second })), 'WB-116', `${first} to ${second}`);
  }
  assert.equal(codeOf(verifyConsistency({ ...claim, first: 1, second: 1 })), 'ok');
});

test('hashes have 32 bytes, leaf and path alike, and are not too many (WB-117)', () => {
  const short = strange.subarray(1);
  const long = Buffer.concat([strange, Uint8Array.of(0)]);
  const many = Array.from({ length: limits.proofHashes + 1 }, () => strange);
  for (const odd of [short, long]) {
    assert.equal(codeOf(rootFromInclusion(0, 1, odd, [])), 'WB-117');
    assert.equal(codeOf(rootFromInclusion(0, 2, strange, [odd])), 'WB-117');
    const claim = { first: 1, second: 2, firstRoot: strange, secondRoot: strange };
    assert.equal(codeOf(verifyConsistency({ ...claim, hashes: [odd] })), 'WB-117');
  }
  const refused = rootFromInclusion(0, 2 ** 52, strange, many);
  assert.ok(!refused.ok);
  assert.equal(refused.error.actual, `${many.length} hashes`);
  const claim = { first: 2 ** 40 + 1, second: 2 ** 52, firstRoot: strange, secondRoot: strange };
  const consistency = verifyConsistency({ ...claim, hashes: many });
  assert.ok(!consistency.ok);
  assert.equal(consistency.error.actual, `${many.length} hashes`);
  assert.match(consistency.error.expected, /^at most /);
});

test('as many hashes as are allowed are read, in trees beyond 32 bits', () => {
  const size = 2 ** 52;
  const hashes = Array.from({ length: 52 }, () => strange);
  let root = strange;
  for (const hash of hashes) root = nodeHash(root, hash);
  assert.equal(codeOf(verifyInclusion({ index: 0, size, leaf: strange, hashes, root })), 'ok');
  let last = strange;
  for (const hash of hashes) last = nodeHash(hash, last);
  assert.equal(codeOf(verifyInclusion({ index: size - 1, size, leaf: strange, hashes, root: last })), 'ok');
  const most = Array.from({ length: limits.proofHashes }, () => strange);
  const said = rootFromInclusion(0, 2, strange, most);
  assert.ok(!said.ok && /^the exact number/.test(said.error.expected));
});

test('a proof of consistency without its first hash is short, whatever the roots say (WB-117)', () => {
  const claim = { first: 3, second: 5, firstRoot: rootOf(3), secondRoot: rootOf(5), hashes: [] };
  assert.equal(codeOf(verifyConsistency(claim)), 'WB-117');
  assert.equal(codeOf(verifyConsistency({ ...claim, first: 0, hashes: [strange] })), 'WB-117');
  assert.equal(codeOf(verifyConsistency({ ...claim, first: 5, hashes: [strange] })), 'WB-117');
});
