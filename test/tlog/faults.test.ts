/** Every call of the commit path fails once, in both forms: not done, and done but not reported. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaybillError } from '#base/reason';
import { memoryLogStore } from '#platform/store-memory';
import { checkLog, entry, type FaultMode, FaultyStore, fill, open } from './fixture.ts';

const nameOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

interface Outcome {
  readonly acknowledged: Set<string>;
  readonly refused: Set<string>;
  readonly unknown: Set<string>;
}

const WRITES_UNKNOWN = new Set(['WB-404']);

async function submit(log: Awaited<ReturnType<typeof open>>, names: readonly string[], out: Outcome) {
  await Promise.all(
    names.map(async (name) => {
      try {
        await log.append(entry(name));
        out.acknowledged.add(`entry ${name}`);
      } catch (error) {
        assert.ok(error instanceof WaybillError || /injected/.test(String(error)), String(error));
        const code = error instanceof WaybillError ? error.reason.code : 'injected';
        (WRITES_UNKNOWN.has(code) ? out.unknown : out.refused).add(`entry ${name}`);
      }
    }),
  );
}

/** One run with the n-th call failing. Returns what fired; undefined when n is beyond the last call. */
async function run(before: number, n: number, mode: FaultMode): Promise<string | undefined> {
  const inner = memoryLogStore();
  const faulty = new FaultyStore(inner, 0, mode);
  const log = await open(faulty.store);
  await fill(log, 0, before);
  faulty.arm(n);
  const out: Outcome = { acknowledged: new Set(), refused: new Set(), unknown: new Set() };
  await submit(log, ['a', 'b', 'c', 'd'], out);
  const { fired } = faulty;
  // The lock itself says that the swap happened: no reason to leave anybody in doubt.
  if (fired === 'swap' && mode === 'after') assert.equal(out.acknowledged.size, 4);
  faulty.arm(0);
  // The same log, if it goes on, takes what it refused; the published tree stays readable.
  if (log.stopped === undefined) await submit(log, ['e', ...[...out.refused].map((s) => s.slice(6))], out);
  else assert.equal((await log.record(0)).entry.length > 0, true);
  const reopened = await open(inner);
  const names = (await checkLog(reopened)).map(nameOf);
  assert.equal(new Set(names).size, names.length, 'an entry stands twice');
  for (const name of out.acknowledged)
    assert.ok(names.includes(name), `${name} was lost after ${fired} ${mode}`);
  for (const name of out.refused) {
    if (!out.acknowledged.has(name))
      assert.ok(!names.includes(name), `${name} was refused but is in the log`);
  }
  const again = await reopened.append(entry('after'));
  assert.equal(again.logged.index, names.length);
  for (const name of out.unknown) {
    const answer = await reopened.append(entry(name.slice(6)));
    assert.equal(answer.duplicate, names.includes(name), 'an unknown outcome is settled by submitting again');
  }
  await checkLog(reopened);
  return fired;
}

for (const mode of ['before', 'after'] as const) {
  // 254 + 4 crosses a tile border: full tiles are written and staging is cleared.
  for (const before of [2, 254]) {
    test(`no fault ${mode} a store call loses or invents an entry (${before} entries before)`, async () => {
      const fired: string[] = [];
      for (let n = 1; ; n++) {
        const name = await run(before, n, mode);
        if (name === undefined) break;
        fired.push(name);
        assert.ok(n < 100, 'the loop does not end');
      }
      const expected =
        before === 2
          ? ['find', 'stage', 'staged', 'swap', 'index', 'publish']
          : [
              ...['find', 'stage', 'staged', 'swap'],
              ...['writeTile', 'writeTile', 'writeTile', 'index', 'unstage', 'publish'],
            ];
      assert.deepEqual(fired, expected);
    });
  }
}

test('a failed batch answers nobody who submits the same entry again', async () => {
  const faulty = new FaultyStore(memoryLogStore(), 0, 'before');
  const log = await open(faulty.store);
  faulty.arm(2);
  const first = log.append(entry('x'));
  await assert.rejects(first, (error) => error instanceof WaybillError && error.reason.code === 'WB-403');
  const second = await log.append(entry('x'));
  assert.deepEqual([second.duplicate, second.logged.index], [false, 0]);
});

test('recovery itself may fail at any call and be repeated', async () => {
  for (let n = 1; ; n++) {
    const inner = memoryLogStore();
    const broken = new FaultyStore(inner, 0, 'before');
    const log = await open(broken.store);
    await fill(log, 0, 250);
    // Stop right after the swap of a batch that crosses a tile border.
    broken.arm(5);
    await Promise.allSettled(Array.from({ length: 20 }, (_, i) => log.append(entry(`x${i}`))));
    assert.equal(log.stopped?.code, 'WB-404', broken.fired);
    const second = new FaultyStore(inner, n, 'after');
    const opened = await open(second.store).catch((error: unknown) => error);
    if (second.fired !== undefined) assert.ok(opened instanceof Error);
    const last = await open(inner);
    assert.equal(last.tree.size, 270);
    await checkLog(last);
    if (second.fired === undefined) break;
  }
});

test('a staged batch that reads back with a flipped bit is never signed', async () => {
  const inner = memoryLogStore();
  const store = {
    ...inner,
    staged: async (to: number, root: Uint8Array) => {
      const batch = await inner.staged(to, root);
      if (batch === undefined) return undefined;
      const payload = batch.payload.slice();
      payload[payload.length - 12]! ^= 1;
      return { ...batch, payload };
    },
  };
  const log = await open(store);
  for (const _ of [1, 2]) {
    await assert.rejects(
      log.append(entry('x')),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-403',
    );
  }
  assert.equal(log.tree.size, 0);
  assert.equal((await open(inner)).tree.size, 0);
});
