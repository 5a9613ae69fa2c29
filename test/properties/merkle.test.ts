/** Proofs against a tree kept as RFC 6962 writes it down: each true claim is accepted, each other one refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8 } from '#base/bytes';
import { leafHash, verifyConsistency, verifyInclusion } from '#formats/merkle';
import { naivePath, naiveProof, naiveRoot } from '../formats/naive-tree.ts';

const leaves = Array.from({ length: 130 }, (_, i) => utf8(`leaf ${i}`));
const roots = leaves.map((_, i) => naiveRoot(leaves.slice(0, i + 1)));
const sizes = fc.integer({ min: 1, max: leaves.length });

test('a path is accepted for its own leaf, index, size and root, and for no other', () => {
  const claims = fc.tuple(sizes, fc.nat(), fc.nat(), fc.nat(), fc.nat());
  fc.assert(
    fc.property(claims, ([size, a, b, c, d]) => {
      const index = a % size;
      const hashes = naivePath(index, leaves.slice(0, size));
      const said = { index: b % (size + 1), size: 1 + (c % leaves.length), leaf: d % leaves.length };
      const claim = (one: { index: number; size: number; leaf: number }): boolean =>
        verifyInclusion({
          index: one.index,
          size: one.size,
          leaf: leafHash(leaves[one.leaf] as Uint8Array),
          hashes,
          root: roots[size - 1] as Uint8Array,
        }).ok;
      assert.ok(claim({ index, size, leaf: index }));
      if (said.leaf !== index) assert.ok(!claim({ ...said, size }), 'another leaf');
      // A path of the same length and turns proves the same leaf in a tree of another size only with its root.
      if (said.index !== index && said.index < size)
        assert.ok(!claim({ index: said.index, size, leaf: index }));
    }),
    { seed: 6962, numRuns: 1000 },
  );
});

test('a consistency proof is accepted for its own sizes and roots, and for no other', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), fc.nat(), (second, a, b, c) => {
      const first = 1 + (a % second);
      const hashes = first === second ? [] : naiveProof(first, leaves.slice(0, second));
      const root = (size: number): Uint8Array => roots[size - 1] as Uint8Array;
      const claim = (one: number, other: number, oneRoot: number, otherRoot: number): boolean =>
        verifyConsistency({
          first: one,
          second: other,
          firstRoot: root(oneRoot),
          secondRoot: root(otherRoot),
          hashes,
        }).ok;
      assert.ok(claim(first, second, first, second));
      const [x, y] = [1 + (b % leaves.length), 1 + (c % leaves.length)];
      if (x !== first) assert.ok(!claim(first, second, x, second), 'another old root');
      if (y !== second) assert.ok(!claim(first, second, first, y), 'another new root');
    }),
    { seed: 9162, numRuns: 800 },
  );
});
