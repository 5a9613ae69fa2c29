/**
 * Every crash point of a run of three batches, and of the recovery after it: the process ends before or after any
 * one call of its store or its signer took effect, is opened again, ends again, and is opened once more.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogStore } from '#platform/store';
import { memoryCheckpointLock, memoryLogStore } from '#platform/store-memory';
import type { CheckpointSigner } from '#tlog';
import { checkLog, entry, fill, open, signer } from './fixture.ts';

type When = 'before' | 'after';

/** A process that ends at its n-th call: nothing it does afterwards happens, and nothing answers. */
class Ending {
  calls = 0;
  isOver = false;
  readonly store: LogStore;
  readonly signer: CheckpointSigner;
  readonly over = Promise.withResolvers<void>();
  readonly #at: number;
  readonly #when: When;

  constructor(inner: LogStore, at: number, when: When) {
    this.#at = at;
    this.#when = when;
    const wrap =
      <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
      (...args: A): Promise<T> =>
        this.#call(() => call(...args));
    this.store = {
      lock: { read: wrap(inner.lock.read), swap: wrap(inner.lock.swap) },
      ...{ stage: wrap(inner.stage), staged: wrap(inner.staged), unstage: wrap(inner.unstage) },
      ...{ writeTile: wrap(inner.writeTile), readTile: wrap(inner.readTile) },
      ...{ publish: wrap(inner.publish), published: wrap(inner.published) },
      ...{ indexed: wrap(inner.indexed), index: wrap(inner.index), find: wrap(inner.find) },
      close: async () => {},
    };
    this.signer = { ...signer, sign: wrap(async (head) => signer.sign(head)) };
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    if (this.isOver) return new Promise(() => {});
    this.calls++;
    if (this.calls !== this.#at) return call();
    this.isOver = true;
    if (this.#when === 'after') await call();
    this.over.resolve();
    return new Promise(() => {});
  }
}

/** Copies a store as it stands, so that each crash starts from the same bytes. */
async function filledStore(count: number): Promise<() => Promise<LogStore>> {
  return async () => {
    const store = memoryLogStore(memoryCheckpointLock());
    await fill(await open(store), 0, count);
    return store;
  };
}

interface Witnessed {
  /** Roots the lock ever held, by size. */
  readonly heads: Map<number, string>;
  readonly acknowledged: Map<string, number>;
}

/** Notes what the lock holds whenever it moves: two roots of one size would be a fork. */
function watched(store: LogStore, { heads }: Witnessed): LogStore {
  const swap = async (previous: string | undefined, next: string): Promise<boolean> => {
    const done = await store.lock.swap(previous, next);
    const head = signer.open(next);
    assert.ok(head.ok);
    const root = Buffer.from(head.value.root).toString('hex');
    if (done) assert.equal(heads.get(head.value.size) ?? root, root, 'two trees of one size');
    if (done) heads.set(head.value.size, root);
    return done;
  };
  return { ...store, lock: { read: store.lock.read, swap } };
}

const BATCHES = [3, 4, 1] as const;

/** One life: open, three batches. Ends at the crash or with the last batch. */
async function live(life: number, seen: Witnessed, process: Ending): Promise<void> {
  const work = async (): Promise<void> => {
    const log = await open(process.store, { create: false, signer: process.signer });
    for (const [batch, size] of BATCHES.entries()) {
      const names = Array.from({ length: size }, (_, i) => `${life}-${batch}-${i}`);
      await Promise.all(
        names.map(async (name) => {
          const { logged } = await log.append(entry(name));
          seen.acknowledged.set(`entry ${name}`, logged.index);
        }),
      );
    }
  };
  await Promise.race([work(), process.over.promise]);
}

async function checkAfter(inner: LogStore, seen: Witnessed, where: string): Promise<void> {
  const log = await open(watched(inner, seen), { create: false });
  const names = (await checkLog(log)).map((bytes) => Buffer.from(bytes).toString());
  for (const [name, index] of seen.acknowledged) assert.equal(names[index], name, where);
  assert.equal(new Set(names).size, names.length, `an entry stands twice after ${where}`);
  assert.equal((await log.append(entry('after'))).logged.index, names.length);
}

/** Runs one life that ends at call `first`, and one that ends at call `second` of its recovery or its batches. */
async function run(make: () => Promise<LogStore>, first: [number, When], second: [number, When]) {
  const inner = await make();
  const seen: Witnessed = { heads: new Map(), acknowledged: new Map() };
  const crashed: boolean[] = [];
  for (const [life, [at, when]] of [first, second].entries()) {
    const process = new Ending(watched(inner, seen), at, when);
    await live(life, seen, process);
    crashed.push(process.isOver);
  }
  await checkAfter(inner, seen, `call ${first.join(' ')}, then call ${second.join(' ')}`);
  return crashed as [boolean, boolean];
}

const never: [number, When] = [0, 'before'];

for (const before of [250, 2]) {
  test(`a crash at any call of three batches loses and forks nothing (${before} entries before)`, async (t) => {
    const make = await filledStore(before);
    let points = 0;
    for (const when of ['before', 'after'] as const) {
      for (let at = 1; (await run(make, [at, when], never))[0]; at++) points++;
    }
    t.diagnostic(`${points} crash points`);
    assert.ok(points > 40, `only ${points} points`);
  });
}

test('a second crash, at any call after any first one near the border of a tile, loses and forks nothing', async (t) => {
  const make = await filledStore(250);
  let points = 0;
  // Some points of the first life, with every other one of the second: all pairs are thousands of runs.
  for (let first = 5; (await run(make, [first, 'after'], never))[0]; first += 7) {
    for (let second = 1; ; second += 2) {
      const [, crashed] = await run(make, [first, 'after'], [second, second % 4 === 1 ? 'before' : 'after']);
      if (!crashed) break;
      points++;
    }
  }
  t.diagnostic(`${points} pairs of crash points`);
  assert.ok(points > 50, `only ${points} pairs`);
});
