/** Front ends, a sequencer and its successors over one store: nothing acknowledged is lost, nothing forks. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { toHex } from '#base/bytes';
import type { Clock } from '#base/clock';
import { WaybillError } from '#base/reason';
import { verifyConsistency, verifyInclusion } from '#formats/merkle';
import type { Cell, EntryQueue, LogStore, QueuedEntry } from '#platform/store';
import { memoryCheckpointLock, memoryLogStore } from '#platform/store-memory';
import { memoryQueue } from '#platform/store-memory-queue';
import { openPostgres, postgresCell, postgresLogStore } from '#platform/store-postgres';
import { postgresQueue } from '#platform/store-postgres-queue';
import { systemClock, systemRandom } from '#platform/system';
import { campaign, type LoggedEntry, type LogWriter, openFront, openLog, runSequencer } from '#tlog';
import { hasPostgres, startPostgres } from '../double/postgres.ts';
import { ProcessClock } from '../double/process-clock.ts';
import { checkLog, entry, ORIGIN, open, optionsFor, signer } from './fixture.ts';

const LEASE_MS = 200;
const leaseClock = new ProcessClock();
after(() => leaseClock.stop());

interface Place {
  store(): LogStore;
  queue(): Promise<EntryQueue>;
  readonly lease: Cell;
}

function memoryPlace(): Place {
  const store = memoryLogStore();
  const queue = memoryQueue();
  return {
    store: () => ({ ...store, close: async () => {} }),
    queue: async () => queue,
    lease: memoryCheckpointLock(),
  };
}

/** Every checkpoint that was signed into the lock, in order, seen from outside. */
function watched(store: LogStore, signed: string[]): LogStore {
  const swap = async (previous: string | undefined, next: string): Promise<boolean> => {
    const done = await store.lock.swap(previous, next);
    if (done) signed.push(next);
    return done;
  };
  return { ...store, lock: { read: store.lock.read, swap } };
}

interface Candidate {
  readonly name: string;
  readonly done: Promise<void>;
  readonly terms: string[];
  end(): Promise<void>;
  /** As a process that hangs: it neither renews nor works, then wakes up. */
  log: LogWriter | undefined;
}

async function candidate(
  place: Place,
  name: string,
  signed: string[],
  clock: Clock = leaseClock,
): Promise<Candidate> {
  const end = new AbortController();
  const queue = await place.queue();
  const terms: string[] = [];
  const self: { log: LogWriter | undefined } = { log: undefined };
  const run = runSequencer(
    {
      election: { cell: place.lease, holder: name, leaseMs: LEASE_MS, clock },
      queue,
      open: async () => {
        self.log = await openLog(optionsFor(watched(place.store(), signed), { clock: systemClock }));
        return self.log;
      },
      onTerm: (event) => terms.push(event.kind === 'began' ? `began ${event.term}` : `ended ${event.term}`),
    },
    end.signal,
  );
  const done = run.then(() => queue.close());
  return {
    name,
    done,
    terms,
    get log() {
      return self.log;
    },
    end: async () => {
      end.abort();
      await done;
    },
  };
}

async function fronts(place: Place, count: number) {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const queue = await place.queue();
      const log = await openFront({ store: place.store(), queue, signer, random: systemRandom });
      const close = async (): Promise<void> => {
        await log.close();
        await queue.close();
      };
      return { log, close };
    }),
  );
}

/** Two front ends under load while sequencers come and go. */
async function failOver(place: Place, perFront: number): Promise<void> {
  const signed: string[] = [];
  await (await open(place.store())).close();
  const first = await candidate(place, 'first', signed);
  const second = await candidate(place, 'second', signed);
  const front = await fronts(place, 2);
  const acknowledged = new Map<string, number>();
  const sizes: number[] = [];
  const write = async (who: number, worker: number): Promise<void> => {
    for (let i = 0; i < perFront; i++) {
      const name = `${who}-${worker}-${i}`;
      const { logged, duplicate } = await front[who]!.log.append(entry(name));
      assert.equal(duplicate, false, name);
      const { index, size, root, hashes, checkpoint } = logged.proof;
      assert.ok(verifyInclusion({ index, size, leaf: logged.leafHash, hashes, root }).ok);
      const head = signer.open(checkpoint);
      assert.ok(head.ok && head.value.size === size);
      acknowledged.set(`entry ${name}`, index);
      sizes.push(size);
    }
  };
  const writers = [0, 1].flatMap((who) => Array.from({ length: 8 }, (_, worker) => write(who, worker)));
  const drill = async (): Promise<void> => {
    await sleep(2 * LEASE_MS);
    const isWorking = ({ terms }: Candidate): boolean => terms.at(-1)?.startsWith('began') === true;
    while (!isWorking(first) && !isWorking(second)) await sleep(20);
    const [working, waiting] = isWorking(first) ? [first, second] : [second, first];
    const before = waiting.terms.length;
    await working.end();
    while (waiting.terms.length === before) await sleep(20);
  };
  await Promise.all([drill(), ...writers]);
  for (const one of front) await one.close();
  await Promise.all([first.end(), second.end()]);
  const began = [...first.terms, ...second.terms].filter((term) => term.startsWith('began'));
  assert.equal(new Set(began).size, began.length, 'one term, two sequencers');
  const log = await open(place.store(), { create: false });
  const names = (await checkLog(log)).map((bytes) => Buffer.from(bytes).toString());
  assert.equal(names.length, 2 * 8 * perFront);
  assert.equal(new Set(names).size, names.length, 'an entry stands twice');
  for (const [name, index] of acknowledged) assert.equal(names[index], name);
  await checkChain(log, signed);
  await log.close();
}

/** No two checkpoints of one size, and each only appends to the one before. */
async function checkChain(log: Awaited<ReturnType<typeof open>>, signed: readonly string[]): Promise<void> {
  const heads = signed.map((text) => {
    const head = signer.open(text);
    assert.ok(head.ok);
    return head.value;
  });
  assert.equal(new Set(heads.map((head) => head.size)).size, heads.length, 'two checkpoints of one size');
  for (const [i, head] of heads.entries()) {
    const before = heads[i - 1];
    if (before === undefined) continue;
    const hashes = await log.consistency(before.size, head.size);
    const claim = {
      first: before.size,
      second: head.size,
      firstRoot: before.root,
      secondRoot: head.root,
      hashes,
    };
    assert.ok(verifyConsistency(claim).ok, `${before.size} to ${head.size}`);
  }
}

test('two front ends on one sequencer, and its successor under load, lose and fork nothing', async () => {
  await failOver(memoryPlace(), 60);
});

test('a sequencer that was paused past its lease cannot sign beside its successor', async () => {
  const place = memoryPlace();
  const signed: string[] = [];
  await (await open(place.store())).close();
  // The paused one: its log is open, its lease runs out.
  const paused = await openLog(optionsFor(watched(place.store(), signed)));
  await paused.append(entry('before'));
  const next = await candidate(place, 'next', signed);
  const [front] = await fronts(place, 1);
  await front!.log.append(entry('by the successor'));
  await assert.rejects(
    paused.append(entry('by the paused one')),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-406',
  );
  await front!.close();
  await next.end();
  const log = await open(place.store());
  assert.deepEqual(
    (await checkLog(log)).map((bytes) => Buffer.from(bytes).toString()),
    ['entry before', 'entry by the successor'],
  );
  await checkChain(log, signed);
});

test('a writer that is overtaken before it published brings no older checkpoint back', async () => {
  const store = memoryLogStore();
  const gate = Promise.withResolvers<void>();
  const slow = await open({
    ...store,
    publish: async (previous, next) => {
      if (previous !== undefined) await gate.promise;
      return store.publish(previous, next);
    },
  });
  const late = slow.append(entry('a'));
  while (!(await store.lock.read())?.includes(`${ORIGIN}\n1\n`)) await sleep(1);
  const next = await open(store);
  await next.append(entry('b'));
  gate.resolve();
  assert.equal((await late).logged.index, 0);
  assert.equal(await store.published(), next.tree.checkpoint);
  assert.equal(next.tree.size, 2);
});

test('an entry whose sequencer ended before it answered is found by the next, once, and is no duplicate', async () => {
  const place = memoryPlace();
  const queue = await place.queue();
  const log = await open(place.store());
  const [front] = await fronts(place, 1);
  const answer = front!.log.append(entry('x'));
  let taken: QueuedEntry | undefined;
  while (taken === undefined) {
    await sleep(5);
    [taken] = await queue.take(1, new Set());
  }
  // Logged, and the process ends before the answer.
  await log.append(taken.entry, taken.extra);
  await log.close();
  const next = await candidate(place, 'next', []);
  const { logged, duplicate } = await answer;
  assert.deepEqual([logged.index, duplicate], [0, false]);
  assert.equal((await front!.log.append(entry('x'))).duplicate, true);
  await front!.close();
  await next.end();
  assert.equal((await checkLog(await open(place.store()))).length, 1);
});

test('a refusal reaches the front end as itself, and a missing sequencer as an unknown outcome', async () => {
  const place = memoryPlace();
  const log = await open(place.store());
  await log.append(entry('a'));
  const queue = await place.queue();
  const more = { store: place.store(), queue, signer, random: systemRandom };
  const alone = await openFront({ ...more, answerMsMax: 30, poolEntriesMax: 1 });
  const waiting = alone.append(entry('b'));
  const code = (expected: string) => (error: unknown) =>
    error instanceof WaybillError && error.reason.code === expected;
  await assert.rejects(alone.append(entry('c')), code('WB-402'));
  await assert.rejects(waiting, code('WB-404'));
  await log.freeze();
  await log.close();
  const next = await candidate(place, 'next', []);
  const [front] = await fronts(place, 1);
  assert.equal(front!.log.tree.isFrozen, true);
  await assert.rejects(front!.log.append(entry('d')), code('WB-413'));
  await alone.close();
  await front!.close();
  await next.end();
});

test('entries that nobody sequences make a front end stalled, until somebody does', async () => {
  const place = memoryPlace();
  await (await open(place.store())).close();
  const more = { store: place.store(), queue: await place.queue(), signer, random: systemRandom };
  const front = await openFront({ ...more, answerMsMax: 5, stallMs: 5 });
  assert.equal(front.isStalled, false);
  await assert.rejects(front.append(entry('a')), /WB-404|sequencer/);
  // Nobody waits for the answer any more, and the entry does.
  while (!front.isStalled) await sleep(1);
  assert.deepEqual([front.waiting, front.stopped], [0, undefined]);
  const next = await candidate(place, 'next', []);
  while (front.isStalled) await sleep(1);
  assert.equal(front.tree.size, 1);
  await front.close();
  await next.end();
});

test('a front end whose entries the database lost is not stalled for ever, nor one with nothing to log', async () => {
  const place = memoryPlace();
  await (await open(place.store())).close();
  const queue = await place.queue();
  const lost = new Set<string>();
  const forgetful: EntryQueue = {
    ...queue,
    waiting: async () => new Set([...(await queue.waiting())].filter((id) => !lost.has(id))),
  };
  const more = { store: place.store(), queue: forgetful, signer, random: systemRandom };
  const [front, idle] = [
    await openFront({ ...more, answerMsMax: 5, stallMs: 5 }),
    await openFront({ ...more, stallMs: 5 }),
  ];
  await assert.rejects(front.append(entry('a')));
  while (!front.isStalled) await sleep(1);
  assert.equal(idle.isStalled, false);
  for (const id of await queue.waiting()) lost.add(id);
  while (front.isStalled) await sleep(1);
  await front.close();
  await idle.close();
});

test('a sequencer busy with the entries of others is no missing one', async () => {
  const place = memoryPlace();
  const log = await open(place.store());
  const more = { store: place.store(), queue: await place.queue(), signer, random: systemRandom };
  const front = await openFront({ ...more, answerMsMax: 60_000, stallMs: 5 });
  const waiting = front.append(entry('ours'));
  while (!front.isStalled) await sleep(1);
  await log.append(entry('of others'));
  while (front.isStalled) await sleep(1);
  await log.close();
  const next = await candidate(place, 'next', []);
  assert.equal((await waiting).logged.index, 1);
  await front.close();
  await next.end();
});

/** By value: the two need not hold the same kind of byte array. */
const shown = ({ index, time, entry: bytes, extra, proof }: LoggedEntry): unknown[] => [
  ...[index, time, toHex(bytes), toHex(extra)],
  ...[proof.size, toHex(proof.root), proof.hashes.map(toHex), proof.checkpoint],
];

test('a front end behind by many batches, or new, reads the published tree without writing', async () => {
  for (const behind of [false, true]) {
    const place = memoryPlace();
    const log = await open(place.store());
    await log.append(entry('first'));
    const queue = await place.queue();
    const forbidden = async (): Promise<never> => assert.fail('a front end wrote');
    const store = {
      ...place.store(),
      writeTile: forbidden,
      stage: forbidden,
      unstage: forbidden,
      publish: forbidden,
      index: forbidden,
    };
    const openIt = () => openFront({ store, queue, signer, random: systemRandom });
    let front = behind ? await openIt() : undefined;
    for (let i = 0; i < 700; i += 70) {
      await Promise.all(Array.from({ length: 70 }, (_, k) => log.append(entry(i + k))));
      if (i === 350 && front !== undefined) await front.refresh();
    }
    front ??= await openIt();
    await front.refresh();
    assert.equal(front.tree.checkpoint, log.tree.checkpoint);
    for (const index of [0, 255, 256, 511, 600, 700]) {
      assert.deepEqual(shown(await front.entry(index)), shown(await log.entry(index)));
    }
    await front.close();
  }
});

test('one of many candidates is elected; a silent holder loses its lease, a resigned one at once', async () => {
  const cell = memoryCheckpointLock();
  const never = new AbortController().signal;
  const options = (holder: string) => ({ cell, holder, leaseMs: 80, clock: leaseClock });
  const race = new AbortController();
  const runs = ['a', 'b', 'c'].map((name) => campaign(options(name), race.signal));
  const term = await Promise.race(runs);
  assert.equal(term?.number, 1);
  await sleep(200);
  race.abort();
  const others = (await Promise.all(runs)).filter((one) => one !== undefined);
  assert.equal(others.length, 1, 'a renewing holder keeps its lease');
  await term?.resign();
  const second = await campaign(options('d'), never);
  assert.equal(second?.number, 2);
  // Someone writes over it: the holder notices at its next beat.
  await cell.swap(await cell.read(), 'not a lease');
  await new Promise((resolve) => second?.lost.addEventListener('abort', resolve, { once: true }));
  const third = await campaign(options('e'), never);
  assert.equal(third?.lost.aborted, false);
  await third?.resign();
});

if (hasPostgres()) {
  const server = await startPostgres();
  const db = await openPostgres(server.url);
  after(async () => {
    await db.close();
    await server.stop();
  });
  test('front ends and sequencers on PostgreSQL lose and fork nothing when the sequencer changes', async () => {
    await failOver(
      {
        store: () => postgresLogStore(db, { log: 'cluster' }),
        queue: () => postgresQueue(db, 'cluster'),
        lease: postgresCell(db, 'cluster', 'lease'),
      },
      40,
    );
  });
} else {
  console.log('note: no PostgreSQL on this machine; a cluster on it did not run');
}

test('a sequencer whose log does not open rests before it tries again, and ends when asked to', async () => {
  const place = memoryPlace();
  const queue = await place.queue();
  const end = new AbortController();
  const ended = Promise.withResolvers<void>();
  let terms = 0;
  const done = runSequencer(
    {
      election: { cell: place.lease, holder: 'broken', leaseMs: 1e6, clock: systemClock },
      queue,
      open: async () => {
        terms++;
        throw new Error('no log here');
      },
      onTerm: (event) => {
        if (event.kind === 'ended') ended.resolve();
      },
    },
    end.signal,
  );
  await ended.promise;
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  assert.equal(terms, 1);
  end.abort();
  await done;
});
