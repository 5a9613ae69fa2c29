/** The contract of `LogStore`, as tests every driver runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import type { LogStore } from '#platform/store';

const hash = (text: string): Uint8Array => new Uint8Array(sha256(utf8(text)));

export interface StoreFixture {
  /** Opens the store; opening again sees what was written before. */
  open(): LogStore | Promise<LogStore>;
  cleanUp(): void;
}

type Check = (store: LogStore, fixture: StoreFixture) => Promise<void>;

const checks: Readonly<Record<string, Check>> = {
  'the lock starts empty and moves only from what it holds': async ({ lock }) => {
    assert.equal(await lock.read(), undefined);
    assert.equal(await lock.swap('a', 'b'), false);
    assert.equal(await lock.swap(undefined, 'a'), true);
    assert.equal(await lock.swap(undefined, 'b'), false);
    assert.equal(await lock.swap('b', 'c'), false);
    assert.equal(await lock.swap('a', 'b — ü\n'), true);
    assert.equal(await lock.read(), 'b — ü\n');
  },
  'of many swaps from one value exactly one succeeds': async ({ lock }) => {
    await lock.swap(undefined, 'start');
    const won = await Promise.all(Array.from({ length: 20 }, (_, i) => lock.swap('start', `next ${i}`)));
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal(await lock.read(), `next ${won.indexOf(true)}`);
  },
  'a batch is found by its exact end and forgotten up to a size': async (store) => {
    const batch = (from: number, to: number, name: string) =>
      ({ from, fromRoot: hash(`${from}`), to, root: hash(name), payload: utf8(name) }) as const;
    await store.stage(batch(0, 3, 'a'));
    await store.stage(batch(0, 3, 'b'));
    await store.stage(batch(3, 7, 'c'));
    await store.stage(batch(3, 7, 'c'));
    const found = await store.staged(3, hash('b'));
    assert.deepEqual(
      { ...found, payload: [...(found?.payload ?? [])] },
      {
        ...batch(0, 3, 'b'),
        payload: [...utf8('b')],
      },
    );
    assert.equal(await store.staged(4, hash('b')), undefined);
    await store.unstage(6);
    assert.equal(await store.staged(3, hash('a')), undefined);
    assert.equal(await store.staged(3, hash('b')), undefined);
    assert.notEqual(await store.staged(7, hash('c')), undefined);
  },
  'tiles come back as written and may be written twice': async (store) => {
    assert.equal(await store.readTile('tile/0/000'), undefined);
    await store.writeTile('tile/0/x001/000', utf8('one'));
    await store.writeTile('tile/0/x001/000', utf8('one'));
    assert.deepEqual([...((await store.readTile('tile/0/x001/000')) ?? [])], [...utf8('one')]);
  },
  'the published checkpoint is the last one': async (store) => {
    assert.equal(await store.published(), undefined);
    assert.equal(await store.publish(undefined, 'one\n'), true);
    assert.equal(await store.publish('one\n', 'two — ü\n'), true);
    assert.equal(await store.publish('one\n', 'three\n'), false);
    assert.equal(await store.publish(undefined, 'four\n'), false);
    assert.equal(await store.published(), 'two — ü\n');
  },
  'a name keeps its first entry, and the extent grows only': async (store) => {
    assert.equal(await store.indexed(), 0);
    await store.index(0, [[hash('a'), hash('A')], [hash('b')]]);
    await store.index(1, [[hash('b')], [hash('a')]]);
    await store.index(0, [[hash('a')]]);
    assert.equal(await store.indexed(), 3);
    const found = await store.find(['b', 'c', 'a', 'A', 'a'].map(hash));
    assert.deepEqual(found, [1, undefined, 0, 0, 0]);
    assert.deepEqual(await store.find([]), []);
  },
};

const durableChecks: Readonly<Record<string, Check>> = {
  'everything is there after reopening': async (store, fixture) => {
    await store.lock.swap(undefined, 'lock');
    const root = hash('r');
    await store.stage({ from: 0, fromRoot: hash('0'), to: 1, root, payload: utf8('p') });
    await store.writeTile('tile/0/000', utf8('t'));
    await store.publish(undefined, 'published\n');
    await store.index(0, [[hash('n')]]);
    await store.close();
    const again = await fixture.open();
    assert.equal(await again.lock.read(), 'lock');
    assert.deepEqual([...((await again.staged(1, root))?.payload ?? [])], [...utf8('p')]);
    assert.deepEqual([...((await again.readTile('tile/0/000')) ?? [])], [...utf8('t')]);
    assert.equal(await again.published(), 'published\n');
    assert.deepEqual([await again.indexed(), await again.find([hash('n')])], [1, [0]]);
    await again.close();
  },
  'two open stores share one lock': async (store, fixture) => {
    const other = await fixture.open();
    assert.equal(await store.lock.swap(undefined, 'a'), true);
    assert.equal(await other.lock.swap(undefined, 'b'), false);
    assert.equal(await other.lock.swap('a', 'c'), true);
    assert.equal(await store.lock.swap('a', 'd'), false);
    await other.close();
  },
};

/** Registers the suite for one driver. `isDurable`: its data outlives the object. */
export function logStoreConformance(driver: string, isDurable: boolean, fixture: () => StoreFixture): void {
  const all = { ...checks, ...(isDurable ? durableChecks : {}) };
  for (const [claim, check] of Object.entries(all)) {
    test(`${driver}: ${claim}`, async () => {
      const made = fixture();
      try {
        await check(await made.open(), made);
      } finally {
        made.cleanUp();
      }
    });
  }
}
