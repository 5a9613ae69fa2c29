/** Those who read a log: proofs, tiles, and the engine that opens a log again. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concat, utf8 } from '#base/bytes';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  type NodeId,
  nodeHash,
  rootHash,
  verifyConsistency,
  verifyInclusion,
} from '#formats/merkle';
import { decodeEntryBundle, encodeEntryBundle, parseTilePath } from '#formats/tiles';
import { embeddedLogStore } from '#platform/store-embedded';
import { fill, open } from '../../tlog/fixture.ts';
import type { Answer } from '../doors.ts';
import { answerOfResult, outcome, type Room } from './room.ts';

const leaves = (count: number, word = 'leaf'): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => leafHash(utf8(`${word} ${i}`)));

const nodesOf = (list: readonly Uint8Array[]) => {
  const get = ({ level, index }: NodeId): Uint8Array => {
    if (level === 0) return list[index] as Uint8Array;
    const below = { level: level - 1, index: index * 2 };
    return nodeHash(get(below), get({ ...below, index: below.index + 1 }));
  };
  return get;
};
const rootOf = (list: readonly Uint8Array[], size = list.length): Uint8Array => rootHash(size, nodesOf(list));

const tree = leaves(13);
const [FIRST, SECOND] = [6, 13] as const;
const claim = {
  first: FIRST,
  second: SECOND,
  firstRoot: rootOf(tree, FIRST),
  secondRoot: rootOf(tree, SECOND),
  hashes: consistencyProof(FIRST, SECOND, nodesOf(tree)),
};
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));

const consistencies: Readonly<Record<string, Parameters<typeof verifyConsistency>[0]>> = {
  changed: { ...claim, hashes: claim.hashes.map((hash, i) => (i === 1 ? flipped(hash) : hash)) },
  empty: { ...claim, hashes: [] },
  extra: { ...claim, second: FIRST, secondRoot: claim.firstRoot, hashes: claim.hashes.slice(0, 1) },
  long: { ...claim, hashes: Array.from({ length: 64 }, () => claim.firstRoot) },
  forged: { ...claim, hashes: consistencyProof(FIRST, SECOND, nodesOf(leaves(13, 'other'))) },
};

/** A leaf that spells the two hashes of an inner node, claimed to be that node. */
function prefixConfusion(): Answer {
  const [a, b] = leaves(2) as [Uint8Array, Uint8Array];
  const spelled = leafHash(concat(Uint8Array.of(1), a, b));
  const root = nodeHash(a, b);
  return answerOfResult(verifyInclusion({ index: 0, size: 1, leaf: spelled, root, hashes: [] }));
}

const entries = [1, 2, 3].map((n) => utf8(`entry ${n}`));
const bundle = encodeEntryBundle(entries);

const tiles: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
  none: () => answerOfResult(decodeEntryBundle(bundle, 3)),
  shortBundle: () => answerOfResult(decodeEntryBundle(bundle.subarray(0, -1), 3)),
  longBundle: () => answerOfResult(decodeEntryBundle(bundle, 2)),
  wrongWidth: () => answerOfResult(parseTilePath('tile/0/000.p/256')),
  rewritten: () =>
    withLog(async (place) => {
      const log = await open(place.store());
      const path = join(place.data, 'tile/0/000');
      const bytes = readFileSync(path);
      bytes[77] = (bytes[77] as number) ^ 1;
      writeFileSync(path, bytes);
      await log.entry(9);
    }),
};

interface Place {
  readonly data: string;
  readonly root: string;
  readonly store: () => ReturnType<typeof embeddedLogStore>;
}

/** A log of 300 entries in a folder that is removed afterwards. */
async function withLog(body: (place: Place) => Promise<unknown>): Promise<Answer> {
  const root = mkdtempSync(join(tmpdir(), 'waybill-corpus-log-'));
  const data = join(root, 'data');
  const stores: ReturnType<typeof embeddedLogStore>[] = [];
  const store = () => {
    const made = embeddedLogStore({ directory: data, lockFile: join(root, 'lock.db') });
    stores.push(made);
    return made;
  };
  try {
    const log = await open(store());
    await fill(log, 0, 300);
    await log.close();
    return await outcome(() => body({ data, root, store }));
  } finally {
    for (const made of stores) await made.close().catch(() => {});
    rmSync(root, { recursive: true, force: true });
  }
}

/** The data of a log put back to an older copy behind its checkpoint. */
const rolledBack = (isRolledBack: boolean): Promise<Answer> =>
  withLog(async ({ data, root, store }) => {
    const copy = join(root, 'copy');
    cpSync(data, copy, { recursive: true });
    const log = await open(store());
    await fill(log, 300, 2);
    await log.close();
    if (isRolledBack) {
      rmSync(data, { recursive: true });
      cpSync(copy, data, { recursive: true });
    }
    await open(store());
  });

const run = async (make: (() => Answer | Promise<Answer>) | undefined): Promise<Answer> => {
  if (make === undefined) throw new Error('no such case of a reader');
  return make();
};

export const monitorRoom: Room = {
  restored: async () => ({ twin: await rolledBack(false), answer: await rolledBack(true) }),
  consistency: ([, name]) => {
    const changed = consistencies[String(name)];
    if (changed === undefined) throw new Error(`no consistency claim ${String(name)}`);
    return {
      twin: answerOfResult(verifyConsistency(claim)),
      answer: answerOfResult(verifyConsistency(changed)),
    };
  },
  prefixConfusion: () => {
    const hashes = inclusionProof(4, SECOND, nodesOf(tree));
    const good = { index: 4, size: SECOND, leaf: tree[4] as Uint8Array, root: rootOf(tree), hashes };
    return { twin: answerOfResult(verifyInclusion(good)), answer: prefixConfusion() };
  },
  tile: async ([, name]) => ({
    twin: await run(tiles['none']),
    answer: await run(tiles[String(name)]),
  }),
};
