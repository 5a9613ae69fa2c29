/**
 * Random histories: groups of appends, faults before and after any store call, restarts, second writers. The
 * model is trivial: what was acknowledged stands where it was acknowledged, what was refused never appears.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '#base/reason';
import { verifyConsistency } from '#formats/merkle';
import { memoryLogStore } from '#platform/store-memory';
import type { Log } from '#tlog';
import { checkLog, entry, FaultyStore, open } from './fixture.ts';

type Step =
  | { readonly do: 'append'; readonly names: readonly number[] }
  | { readonly do: 'fault'; readonly mode: 'before' | 'after'; readonly call: number }
  | { readonly do: 'restart' }
  | { readonly do: 'rival'; readonly names: readonly number[] };

// Few names: many submissions are duplicates of something logged, refused or unknown; enough for several tiles.
const names = fc.array(fc.integer({ min: 0, max: 1500 }), { minLength: 20, maxLength: 120, size: 'max' });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), names }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      mode: fc.constantFrom('before' as const, 'after' as const),
      call: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rival' as const), names }) },
);

class History {
  readonly inner = memoryLogStore();
  readonly indexes = new Map<string, number>();
  readonly open = new Set<string>();
  faulty = new FaultyStore(this.inner, 0, 'before');
  log: Log | undefined;

  async run(one: Step): Promise<void> {
    if (one.do === 'fault') return this.fault(one.mode, one.call);
    if (one.do === 'restart') {
      this.log = undefined;
      return;
    }
    if (one.do === 'rival') return this.append(await open(this.inner), one.names);
    if (this.log === undefined || this.log.stopped !== undefined) {
      this.log = await open(this.faulty.store).catch(() => undefined);
    }
    if (this.log !== undefined) await this.append(this.log, one.names);
  }

  /** A log keeps the store it was opened with, so a new kind of fault is a new start. */
  fault(mode: 'before' | 'after', call: number): void {
    this.faulty = new FaultyStore(this.inner, call, mode, ['find', 'readTile']);
    this.log = undefined;
  }

  async append(log: Log, list: readonly number[]): Promise<void> {
    await Promise.all(
      list.map(async (n) => {
        const name = `entry ${n}`;
        try {
          const { logged } = await log.append(entry(n));
          const before = this.indexes.get(name);
          assert.ok(before === undefined || before === logged.index, `${name} moved`);
          this.indexes.set(name, logged.index);
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          const isUnknown = error instanceof WaybillError && error.reason.code === 'WB-404';
          if (isUnknown) this.open.add(name);
        }
      }),
    );
  }

  async check(): Promise<void> {
    const log = await open(this.inner);
    const entries = (await checkLog(log)).map((bytes) => Buffer.from(bytes).toString());
    assert.equal(new Set(entries).size, entries.length, 'an entry stands twice');
    for (const [name, index] of this.indexes) assert.equal(entries[index], name);
    for (const name of entries) {
      assert.ok(this.indexes.has(name) || this.open.has(name), `${name} was never acknowledged`);
    }
  }
}

test('no history of faults, restarts and rivals loses, moves, doubles or invents an entry', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async (steps) => {
    const history = new History();
    for (const one of steps) await history.run(one);
    await history.check();
  });
  await fc.assert(property, { numRuns: 20, seed: 2026 });
});

test('published checkpoints form one chain over any history', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25 }), async (steps) => {
    const history = new History();
    const heads: { size: number; root: Uint8Array }[] = [];
    for (const one of steps) {
      await history.run(one);
      if (history.log !== undefined) heads.push(history.log.tree);
    }
    const log = await open(history.inner);
    for (const head of heads) {
      const hashes = await log.consistency(head.size, log.tree.size);
      const claim = {
        first: head.size,
        second: log.tree.size,
        firstRoot: head.root,
        secondRoot: log.tree.root,
        hashes,
      };
      assert.equal(verifyConsistency(claim).ok, true);
    }
  });
  await fc.assert(property, { numRuns: 8, seed: 2027 });
});
