import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex, utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import {
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHash,
  type NodeGetter,
  nodeHash,
  rootFromInclusion,
  rootHash,
  verifyConsistency,
  verifyInclusion,
} from '#formats/merkle';
import { naivePath, naiveProof, naiveRoot } from './naive-tree.ts';

const leavesOf = (size: number): Uint8Array[] => Array.from({ length: size }, (_, i) => utf8(`leaf ${i}`));

function getterOf(leaves: readonly Uint8Array[]): NodeGetter {
  return ({ level, index }) => {
    const width = 2 ** level;
    const part = leaves.slice(index * width, (index + 1) * width);
    assert.equal(part.length, width, 'a proof asked for an incomplete node');
    return naiveRoot(part);
  };
}

const codeOf = (result: { ok: boolean; error?: { code: string } }): string | undefined =>
  result.ok ? undefined : result.error?.code;

test('the empty tree and the one-leaf tree hash as RFC 6962 says', () => {
  assert.equal(toHex(emptyRoot()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(
    toHex(leafHash(new Uint8Array(0))),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  );
  const [a, b] = [leafHash(utf8('a')), leafHash(utf8('b'))];
  assert.deepEqual(new Uint8Array(nodeHash(a, b)), naiveRoot([utf8('a'), utf8('b')]));
});

test('every proof of every size up to 40 equals the naive twin and verifies', () => {
  for (let size = 1; size <= 40; size++) {
    const leaves = leavesOf(size);
    const get = getterOf(leaves);
    const root = naiveRoot(leaves);
    assert.deepEqual(new Uint8Array(rootHash(size, get)), root);
    for (let index = 0; index < size; index++) {
      const hashes = inclusionProof(index, size, get).map((h) => new Uint8Array(h));
      assert.deepEqual(hashes, naivePath(index, leaves));
      const leaf = leafHash(leaves[index] as Uint8Array);
      assert.equal(verifyInclusion({ index, size, leaf, hashes, root }).ok, true);
    }
    for (let first = 0; first <= size; first++) {
      const hashes = consistencyProof(first, size, get).map((h) => new Uint8Array(h));
      if (first > 0) assert.deepEqual(hashes, naiveProof(first, leaves));
      const firstRoot = naiveRoot(leaves.slice(0, first));
      const claim = { first, second: size, firstRoot, secondRoot: root, hashes };
      assert.equal(verifyConsistency(claim).ok, true, `${first} → ${size}`);
    }
  }
});

test('a changed, surplus or missing hash, another index or another size never verifies', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 300 }),
    fc.nat(),
    fc.constantFrom('flip', 'extra', 'missing', 'index', 'root'),
    (size, pick, kind) => {
      const leaves = leavesOf(size);
      const index = pick % size;
      const good = inclusionProof(index, size, getterOf(leaves));
      const leaf = leafHash(leaves[index] as Uint8Array);
      const root = naiveRoot(leaves);
      const claim = { index, size, leaf, hashes: [...good], root };
      if (kind === 'flip') {
        if (good.length === 0) return;
        claim.hashes = good.map((h, i) => (i === pick % good.length ? leafHash(h) : h));
        assert.equal(codeOf(verifyInclusion(claim)), 'WB-118');
      } else if (kind === 'extra') {
        claim.hashes = [...good, leaf];
        assert.equal(codeOf(verifyInclusion(claim)), 'WB-117');
      } else if (kind === 'missing') {
        if (good.length === 0) return;
        claim.hashes = good.slice(1);
        assert.notEqual(codeOf(verifyInclusion(claim)), undefined);
      } else if (kind === 'index') {
        if (size === 1) return;
        claim.index = (index + 1) % size;
        assert.notEqual(codeOf(verifyInclusion(claim)), undefined);
      } else {
        claim.root = leafHash(root);
        assert.equal(codeOf(verifyInclusion(claim)), 'WB-118');
      }
    },
  );
  fc.assert(property, { numRuns: 400, seed: 6962 });
});

test('a consistency proof between unrelated trees never verifies', () => {
  const property = fc.property(
    fc.integer({ min: 2, max: 200 }),
    fc.nat(),
    fc.constantFrom('old', 'new', 'extra', 'missing'),
    (second, pick, kind) => {
      const leaves = leavesOf(second);
      const first = 1 + (pick % (second - 1));
      const hashes = consistencyProof(first, second, getterOf(leaves));
      const claim = {
        first,
        second,
        firstRoot: naiveRoot(leaves.slice(0, first)),
        secondRoot: naiveRoot(leaves),
        hashes,
      };
      if (kind === 'old') claim.firstRoot = leafHash(claim.firstRoot);
      if (kind === 'new') claim.secondRoot = leafHash(claim.secondRoot);
      if (kind === 'extra') claim.hashes = [...hashes, claim.firstRoot];
      if (kind === 'missing') claim.hashes = hashes.slice(0, -1);
      assert.equal(verifyConsistency(claim).ok, false);
    },
  );
  fc.assert(property, { numRuns: 300, seed: 9162 });
});

test('indexes and sizes that cannot exist are refused as such', () => {
  const leaf = leafHash(utf8('x'));
  const cases: readonly (readonly [number, number])[] = [
    [1, 1],
    [0, 0],
    [-1, 4],
    [0.5, 4],
    [0, 2 ** 53],
    [Number.NaN, 4],
  ];
  for (const [index, size] of cases) {
    assert.equal(codeOf(rootFromInclusion(index, size, leaf, [])), 'WB-116', `${index} of ${size}`);
  }
  const roots = { firstRoot: leaf, secondRoot: leaf, hashes: [] };
  assert.equal(codeOf(verifyConsistency({ first: 2, second: 1, ...roots })), 'WB-116');
  assert.equal(codeOf(verifyConsistency({ first: -1, second: 1, ...roots })), 'WB-116');
});

test('consistency from size zero and between equal sizes takes no hashes', () => {
  const root = naiveRoot(leavesOf(5));
  const same = { first: 5, second: 5, firstRoot: root, secondRoot: root };
  assert.equal(verifyConsistency({ ...same, hashes: [] }).ok, true);
  assert.equal(codeOf(verifyConsistency({ ...same, hashes: [root] })), 'WB-117');
  assert.equal(codeOf(verifyConsistency({ ...same, firstRoot: leafHash(root), hashes: [] })), 'WB-118');
  const fromZero = { first: 0, second: 5, firstRoot: emptyRoot(), secondRoot: root };
  assert.equal(verifyConsistency({ ...fromZero, hashes: [] }).ok, true);
  assert.equal(codeOf(verifyConsistency({ ...fromZero, firstRoot: root, hashes: [] })), 'WB-118');
});

test('hashes of another length and proofs above the cap are refused', () => {
  const leaf = leafHash(utf8('x'));
  assert.equal(codeOf(rootFromInclusion(0, 2, leaf, [leaf.subarray(1)])), 'WB-117');
  assert.equal(codeOf(rootFromInclusion(0, 1, leaf.subarray(1), [])), 'WB-117');
  const many = Array.from({ length: limits.proofHashes + 1 }, () => leaf);
  const over = rootFromInclusion(0, 2 ** 52, leaf, many);
  assert.match(over.ok ? '' : over.error.expected, /at most 63 hashes/);
  const atLimit = rootFromInclusion(0, 2 ** 52, leaf, many.slice(1));
  assert.match(atLimit.ok ? '' : atLimit.error.expected, /exact number/);
  assert.equal(rootFromInclusion(0, 2 ** 52, leaf, many.slice(0, 52)).ok, true);
});

test('a leaf that spells an inner node does not collide with it', () => {
  const [a, b] = [leafHash(utf8('a')), leafHash(utf8('b'))];
  const forged = new Uint8Array([1, ...a, ...b]);
  assert.notDeepEqual(leafHash(forged), nodeHash(a, b));
  assert.notDeepEqual(leafHash(forged.subarray(1)), nodeHash(a, b));
});

test('proofs work above 32 bits', () => {
  const size = 2 ** 40 + 5;
  const get: NodeGetter = ({ level, index }) => leafHash(utf8(`${level}/${index}`));
  const root = rootHash(size, get);
  for (const index of [0, 2 ** 33 + 7, 2 ** 40, size - 1]) {
    // Level 0 nodes are the leaves; inner nodes are free inventions, so only right-edge leaves fold up.
    const hashes = inclusionProof(index, size, get);
    const leaf = get({ level: 0, index });
    const folded = rootFromInclusion(index, size, leaf, hashes);
    assert.equal(folded.ok, true);
    if (folded.ok && index === size - 1) assert.deepEqual(folded.value, root);
  }
});
