import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { memoryLogStore } from '#platform/store-memory';
import type { LoggedEntry } from '#tlog';
import { appendedProofs } from '../../src/tlog/appended.ts';
import { emptyState } from '../../src/tlog/sequence.ts';
import { naiveRoot } from '../formats/naive-tree.ts';
import { entry, fill, open } from './fixture.ts';

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

test('a subtree or a leaf that does not lead to the root becomes no proof (WB-410)', async () => {
  const log = await open(memoryLogStore());
  await fill(log, 0, 300);
  const { size, root, checkpoint } = log.tree;
  const state = { ...emptyState(checkpoint), size, root };
  const leaves = [298, 299].map((index) => leafHash(entry(index)));
  const before = [256, 288, 296].map((to, i) => ({ from: [0, 256, 288][i] as number, to }));
  const subtrees = before.map(({ from, to }) => naiveRoot(range(from, to).map(entry)));
  const tiles = (hashes: Uint8Array[]) => ({ rangeHashes: async () => hashes });
  // The tree of 300 ends with subtrees of 256, 32, 8 and 4 leaves; entries 296 and 297 are a subtree before these two.
  const pair = naiveRoot(range(296, 298).map(entry));
  const good = [pair, subtrees[2], subtrees[1], subtrees[0]] as Uint8Array[];
  const [first, second] = await appendedProofs(tiles(good), state, leaves);
  assert.deepEqual([first?.index, second?.index], [298, 299]);
  const refused = { reason: { code: 'WB-410' } };
  for (let i = 0; i < good.length; i++) {
    const rotten = good.map((hash, at) => (at === i ? hash.map((byte) => byte ^ 1) : hash));
    await assert.rejects(appendedProofs(tiles(rotten), state, leaves), matches(refused));
  }
  await assert.rejects(appendedProofs(tiles(good), state, leaves.toReversed()), matches(refused));
  await log.close();
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const matches =
  ({ reason }: { reason: { code: string } }) =>
  (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === reason.code;
