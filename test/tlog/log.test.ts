import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FixedClock } from '#base/clock';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { leafHash, rootFromInclusion, verifyConsistency } from '#formats/merkle';
import { memoryCheckpointLock, memoryLogStore } from '#platform/store-memory';
import { BATCH_ENTRIES_MAX, CLOCK_STEP_BACK_MS_MAX, EXTRA_BYTES_MAX } from '#tlog';
import { naivePath, naiveProof, naiveRoot } from '../formats/naive-tree.ts';
import { checkLog, entry, fill, ORIGIN, open, START_MS, signer } from './fixture.ts';

const code =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === expected;

const plain = (hashes: readonly Uint8Array[]): Uint8Array[] => hashes.map((hash) => new Uint8Array(hash));

test('an appended entry comes back with a proof against the signed checkpoint', async () => {
  const log = await open(memoryLogStore());
  for (let i = 0; i < 5; i++) {
    const { logged, duplicate } = await log.append(entry(i));
    assert.equal(duplicate, false);
    assert.equal(logged.index, i);
    assert.equal(logged.time, START_MS);
    const head = signer.open(logged.proof.checkpoint);
    const root = rootFromInclusion(i, logged.proof.size, leafHash(entry(i)), logged.proof.hashes);
    assert.deepEqual(root.ok && new Uint8Array(root.value), head.ok && new Uint8Array(head.value.root));
    assert.match(logged.proof.checkpoint, new RegExp(`^${ORIGIN}\n${i + 1}\n`));
  }
  await log.close();
});

test('entries submitted together share one batch and one checkpoint', async () => {
  const store = memoryLogStore();
  const log = await open(store);
  const results = await Promise.all(Array.from({ length: 200 }, (_, i) => log.append(entry(i))));
  assert.deepEqual(new Set(results.map((r) => r.logged.proof.size)), new Set([200]));
  assert.deepEqual(
    results.map((r) => r.logged.index),
    Array.from({ length: 200 }, (_, i) => i),
  );
  await checkLog(log);
});

test('entries that keep coming share the batch of those they follow; one alone waits for nobody', async () => {
  const log = await open(memoryLogStore());
  for (let i = 0; i < 3; i++) {
    let isAnswered = false;
    const answer = log.append(entry(i)).then(() => {
      isAnswered = true;
    });
    for (let turn = 0; turn < 10 && !isAnswered; turn++) await nextTurn();
    assert.equal(isAnswered, true);
    await answer;
  }
  const coming = [log.append(entry(3)), log.append(entry(4))];
  for (let i = 5; i < 15; i++) {
    await nextTurn();
    coming.push(log.append(entry(i)));
  }
  const sizes = (await Promise.all(coming)).map(({ logged }) => logged.proof.size);
  assert.deepEqual(new Set(sizes), new Set([15]));
  await log.close();
});

test('proofs of every entry and between sizes equal the naive twin across tile borders', async () => {
  const store = memoryLogStore();
  const log = await open(store);
  await fill(log, 0, 700);
  const entries = await checkLog(log);
  for (const index of [0, 1, 254, 255, 256, 511, 512, 600, 699]) {
    assert.deepEqual(plain((await log.entry(index)).proof.hashes), naivePath(index, entries));
    assert.deepEqual(plain(await log.inclusionAt(index, 700)), naivePath(index, entries));
  }
  assert.deepEqual(plain(await log.inclusionAt(3, 300)), naivePath(3, entries.slice(0, 300)));
  for (const [first, second] of [
    [1, 700],
    [256, 512],
    [257, 699],
    [300, 300],
    [0, 700],
  ] as const) {
    const hashes = await log.consistency(first, second);
    if (first > 0) assert.deepEqual(plain(hashes), naiveProof(first, entries.slice(0, second)));
    const firstRoot = naiveRoot(entries.slice(0, first));
    const secondRoot = naiveRoot(entries.slice(0, second));
    assert.equal(verifyConsistency({ first, second, firstRoot, secondRoot, hashes }).ok, true);
  }
});

test('tiles of every published width are served and follow tlog-tiles', async () => {
  const store = memoryLogStore();
  const log = await open(store);
  await fill(log, 0, 520);
  const bytes = async (path: string) => {
    const tile = await log.tile(path);
    return tile.ok ? tile.value : tile.error.code;
  };
  const leaves = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => [...leafHash(entry(from + i))]).flat();
  assert.deepEqual([...((await bytes('tile/0/000')) as Uint8Array)], leaves(0, 256));
  assert.deepEqual([...((await bytes('tile/0/002.p/8')) as Uint8Array)], leaves(512, 520));
  assert.deepEqual([...((await bytes('tile/0/002.p/3')) as Uint8Array)], leaves(512, 515));
  assert.deepEqual([...((await bytes('tile/0/001.p/7')) as Uint8Array)], leaves(256, 263));
  assert.equal(((await bytes('tile/1/000.p/2')) as Uint8Array).length, 64);
  assert.equal(await bytes('tile/0/002.p/9'), undefined);
  assert.equal(await bytes('tile/0/002'), undefined);
  assert.equal(await bytes('tile/1/000.p/3'), undefined);
  assert.equal(await bytes('tile/9/000'), undefined);
  assert.equal(await bytes('tile/0/../../lock.db'), 'WB-119');
  const bundle = (await bytes('tile/entries/002.p/2')) as Uint8Array;
  assert.equal(Buffer.from(bundle).toString('latin1'), '\0\x09entry 512\0\x09entry 513');
});

test('the same entry is logged once, however and whenever it is submitted', async () => {
  const store = memoryLogStore();
  const log = await open(store);
  const together = await Promise.all(Array.from({ length: 100 }, () => log.append(entry('same'))));
  assert.equal(together.filter((r) => !r.duplicate).length, 1);
  assert.deepEqual(new Set(together.map((r) => r.logged.index)), new Set([0]));
  await fill(log, 0, 300);
  const later = await log.append(entry('same'));
  assert.deepEqual([later.duplicate, later.logged.index], [true, 0]);
  await log.close();
  const reopened = await open(store);
  assert.equal((await reopened.append(entry('same'))).duplicate, true);
  assert.equal(reopened.tree.size, 301);
});

test('a personality decides what the leaf is and which entries are the same', async () => {
  const personality = {
    leaf: (bytes: Uint8Array) => bytes.subarray(1),
    identity: (bytes: Uint8Array) => new Uint8Array(sha256(bytes.subarray(2))),
  };
  const store = memoryLogStore();
  const log = await open(store, { personality });
  const { logged } = await log.append(Uint8Array.of(1, 2, 3));
  assert.deepEqual(logged.leafHash, leafHash(Uint8Array.of(2, 3)));
  assert.equal((await log.append(Uint8Array.of(9, 9, 3))).duplicate, true);
  assert.equal(await log.find(leafHash(Uint8Array.of(2, 3))), 0);
  assert.equal(await log.find(leafHash(Uint8Array.of(9, 3))), undefined);
});

test('an entry and the bytes beside it may be as large as a bundle takes, and not larger', async () => {
  const log = await open(memoryLogStore());
  const most = new Uint8Array(limits.logEntryBytes);
  assert.equal((await log.append(most, new Uint8Array(EXTRA_BYTES_MAX))).logged.index, 0);
  await assert.rejects(log.append(new Uint8Array(limits.logEntryBytes + 1)), code('WB-401'));
  await assert.rejects(log.append(entry(1), new Uint8Array(EXTRA_BYTES_MAX + 1)), code('WB-401'));
  assert.equal(log.tree.size, 1);
});

test('a full pool refuses at once and keeps what waits', async () => {
  const log = await open(memoryLogStore(), { poolEntriesMax: 3 });
  const results = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => log.append(entry(i))));
  assert.deepEqual(
    results.map((r) => (r.status === 'fulfilled' ? 'logged' : (r.reason as WaybillError).reason.code)),
    ['logged', 'logged', 'logged', 'WB-402', 'WB-402'],
  );
});

test('who builds a log may make larger batches than one that serves', async () => {
  const count = BATCH_ENTRIES_MAX + 44;
  for (const [batchEntriesMax, sizes] of [
    [undefined, [BATCH_ENTRIES_MAX, count]],
    [count - 1, [count - 1, count]],
    [4096, [count]],
  ] as const) {
    const log = await open(memoryLogStore(), batchEntriesMax === undefined ? {} : { batchEntriesMax });
    const results = await Promise.all(Array.from({ length: count }, (_, i) => log.append(entry(i))));
    assert.deepEqual([...new Set(results.map(({ logged }) => logged.proof.size))], sizes);
    await checkLog(log);
  }
});

test('indexes and sizes outside the log are refused', async () => {
  const log = await open(memoryLogStore());
  await fill(log, 0, 3);
  for (const index of [3, -1, 0.5, Number.NaN]) await assert.rejects(log.entry(index), code('WB-412'));
  await assert.rejects(log.consistency(1, 4), code('WB-412'));
  await assert.rejects(log.consistency(3, 2), code('WB-412'));
  await assert.rejects(log.inclusionAt(2, 2), code('WB-412'));
});

test('time never goes back: a small step is waited out, a large one refuses the batch', async () => {
  const clock = new FixedClock(START_MS);
  const log = await open(memoryLogStore(), { clock });
  await log.append(entry(0));
  clock.advance(-CLOCK_STEP_BACK_MS_MAX);
  assert.equal((await log.append(entry(1))).logged.time, START_MS);
  clock.advance(-1);
  await assert.rejects(log.append(entry(2)), code('WB-407'));
  clock.advance(CLOCK_STEP_BACK_MS_MAX + 1 + 5);
  assert.equal((await log.append(entry(2))).logged.time, START_MS + 5);
});

test('the newest time survives reopening, so a clock set back is noticed', async () => {
  for (const count of [3, 256]) {
    const store = memoryLogStore();
    const log = await open(store);
    await fill(log, 0, count);
    await log.close();
    const clock = new FixedClock(START_MS - CLOCK_STEP_BACK_MS_MAX - 1);
    const late = await open(store, { clock });
    await assert.rejects(late.append(entry('x')), code('WB-407'), `${count} entries`);
  }
});

test('two writers on one store: one goes on, the other stops without having signed a fork', async () => {
  const store = memoryLogStore();
  const [a, b] = [await open(store), await open(store)];
  await a.append(entry('a'));
  await assert.rejects(b.append(entry('b')), code('WB-406'));
  await assert.rejects(b.append(entry('c')), code('WB-405'));
  assert.equal(b.stopped?.code, 'WB-406');
  await a.append(entry('d'));
  const entries = await checkLog(await open(store));
  assert.deepEqual(
    entries.map((bytes) => Buffer.from(bytes).toString()),
    ['entry a', 'entry d'],
  );
});

test('racing writers never lose an acknowledged entry', async () => {
  const store = memoryLogStore();
  const acknowledged = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const logs = await Promise.all([open(store), open(store), open(store)]);
    await Promise.allSettled(
      logs.flatMap((log, who) =>
        Array.from({ length: 30 }, async (_, i) => {
          const name = `${round}-${who}-${i}`;
          await log.append(entry(name));
          acknowledged.add(`entry ${name}`);
        }),
      ),
    );
  }
  const log = await open(store);
  const entries = new Set((await checkLog(log)).map((bytes) => Buffer.from(bytes).toString()));
  assert.equal(acknowledged.size >= 20 * 30, true);
  assert.deepEqual(entries, acknowledged);
});

test('a store without a log is refused unless it is to be created', async () => {
  await assert.rejects(open(memoryLogStore(), { create: false }), code('WB-411'));
});

test('data without its lock is refused', async () => {
  const store = memoryLogStore();
  await fill(await open(store), 0, 3);
  await assert.rejects(open({ ...store, lock: memoryCheckpointLock() }), code('WB-409'));
});

test('a log that is closed answers about an entry it has before its store closes', async () => {
  const inner = memoryLogStore();
  const before = await open(inner);
  await fill(before, 0, 300);
  const reading = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let isClosed = false;
  let isSlow = false;
  const store = {
    ...inner,
    // The first entry is in a full tile, which is read from the store.
    readTile: async (path: string) => {
      if (!isSlow) return inner.readTile(path);
      reading.resolve();
      await released.promise;
      assert.equal(isClosed, false, 'read from a closed store');
      return inner.readTile(path);
    },
    close: async () => {
      isClosed = true;
    },
  };
  const log = await open(store);
  isSlow = true;
  const answer = log.append(entry(0));
  await reading.promise;
  const closed = log.close();
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.equal(isClosed, false);
  released.resolve();
  const { logged, duplicate } = await answer;
  assert.deepEqual([logged.index, duplicate], [0, true]);
  await closed;
  assert.equal(isClosed, true);
});
