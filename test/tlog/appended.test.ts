import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#base/bytes';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { memoryLogStore } from '#platform/store-memory';
import type { LoggedEntry } from '#tlog';
import { appendedTree } from '../../src/tlog/appended.ts';
import { TreeEdge } from '../../src/tlog/edge.ts';
import { naiveRoot } from '../formats/naive-tree.ts';
import { entry, open } from './fixture.ts';

/** Appends at once, so that all stand in one batch. */
async function batch(
  log: Awaited<ReturnType<typeof open>>,
  from: number,
  count: number,
): Promise<LoggedEntry[]> {
  const all = await Promise.all(Array.from({ length: count }, (_, i) => log.append(entry(from + i))));
  return all.map(({ logged }) => logged);
}

test('the proofs a batch answers with are those that are built one by one, at every place of a tile', async () => {
  const log = await open(memoryLogStore());
  let size = 0;
  for (const count of [1, 1, 2, 3, 5, 243, 1, 255, 256, 2, 254, 7, 249, 256, 13]) {
    const answers = await batch(log, size, count);
    size += count;
    assert.equal(log.tree.size, size);
    for (const { index, proof, leafHash: leaf } of answers) {
      assert.equal(proof.size, size);
      assert.deepEqual(leaf, leafHash(entry(index)));
      const alone = (await log.entry(index)).proof;
      assert.deepEqual(proof.hashes.map(toHex), alone.hashes.map(toHex));
      assert.deepEqual({ ...proof, hashes: [] }, { ...alone, hashes: [] });
      assert.equal(verifyInclusion({ ...proof, leaf }).ok, true);
    }
  }
  await log.close();
});

test('a leaf or an edge that is another leads to another root', () => {
  const edgeOf = (from: number, to: number, rotten?: number): TreeEdge => {
    const edge = new TreeEdge();
    for (const n of range(from, to)) edge.append(leafHash(entry(n === rotten ? 'rotten' : n)));
    return edge;
  };
  for (const [before, size] of [
    [0, 1],
    [0, 300],
    [255, 257],
    [256, 512],
    [298, 300],
  ] as const) {
    const root = naiveRoot(range(0, size).map(entry));
    const leaves = range(before, size).map((n) => leafHash(entry(n)));
    const whole = appendedTree(edgeOf(0, before), leaves);
    assert.equal(toHex(whole.root), toHex(root));
    const paths = whole.paths();
    assert.equal(paths.length, leaves.length);
    for (const [i, hashes] of paths.entries()) {
      const claim = { index: before + i, size, leaf: leaves[i] as Uint8Array, hashes, root };
      assert.equal(verifyInclusion(claim).ok, true);
    }
    const others = [appendedTree(edgeOf(0, before), leaves.with(-1, leafHash(entry('rotten'))))];
    for (const rotten of range(0, before).filter((n) => n % 37 === 0)) {
      others.push(appendedTree(edgeOf(0, before, rotten), leaves));
    }
    for (const other of others) assert.notEqual(toHex(other.root), toHex(root));
  }
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
