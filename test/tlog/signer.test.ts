/** A log whose key answers late, refuses, or is asked for the last checkpoint while entries come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { holderOf } from '#base/crypto';
import { WaybillError } from '#base/reason';
import type { LogStore } from '#platform/store';
import { memoryCheckpointLock, memoryLogStore } from '#platform/store-memory';
import { type CheckpointSigner, checkpointSigner, type LogWriter, type TreeHead } from '#tlog';
import { signer as atHand, checkLog, entry, keyPair, ORIGIN, open } from './fixture.ts';

const code = (expected: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === expected;

interface Question {
  readonly head: TreeHead;
  answer(): void;
  refuse(): void;
}

const refusal = new Error('the device is locked');

/** A key that answers when the test says so. */
class LateKey {
  readonly signer: CheckpointSigner;
  /** Asked, and not answered. */
  readonly #open: Question[] = [];
  #asked = Promise.withResolvers<void>();

  constructor() {
    const sign = (head: TreeHead): Promise<string> => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      this.#open.push({ head, answer: () => resolve(atHand.sign(head)), refuse: () => reject(refusal) });
      this.#asked.resolve();
      return promise;
    };
    this.signer = { ...atHand, sign };
  }

  get waiting(): number {
    return this.#open.length;
  }

  async question(): Promise<Question> {
    while (this.#open.length === 0) {
      this.#asked = Promise.withResolvers();
      await this.#asked.promise;
    }
    return this.#open.shift() as Question;
  }
}

/** An empty log that was made with the key at hand. */
async function made(key: LateKey, store: LogStore = memoryLogStore()): Promise<LogWriter> {
  await open(store);
  return open(store, { signer: key.signer, create: false });
}

const turns = async (count = 5): Promise<void> => {
  for (let i = 0; i < count; i++) await nextTurn();
};

test('a key at hand gives text, one elsewhere a promise of the same text', async () => {
  const held = checkpointSigner({ origin: ORIGIN, signer: holderOf(keyPair) });
  const head = { size: 0, root: (await open(memoryLogStore())).tree.root };
  const [note, promised] = [atHand.sign(head), held.sign(head)];
  assert.equal(typeof note, 'string');
  assert.ok(promised instanceof Promise);
  assert.equal(await promised, note);
});

test('the key is asked when the batch was read back, and the lock moves when it has answered', async () => {
  const key = new LateKey();
  const calls: string[] = [];
  const inner = memoryLogStore();
  const noting =
    <A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> => {
      calls.push(name);
      return call(...args);
    };
  const log = await made(key, {
    ...inner,
    lock: { read: inner.lock.read, swap: noting('swap', inner.lock.swap) },
    stage: noting('stage', inner.stage),
    staged: noting('staged', inner.staged),
    publish: noting('publish', inner.publish),
  });
  calls.length = 0;
  const answer = log.append(entry('a'));
  const question = await key.question();
  await turns();
  assert.deepEqual(calls, ['stage', 'staged']);
  assert.deepEqual([question.head.size, log.tree.size], [1, 0]);
  question.answer();
  assert.equal((await answer).logged.index, 0);
  assert.deepEqual(calls, ['stage', 'staged', 'swap', 'publish']);
});

test('a key that refuses refuses the batch, keeps nothing of it, and the log goes on', async () => {
  const key = new LateKey();
  const store = memoryLogStore();
  const log = await made(key, store);
  const all = ['a', 'b'].map((name) => assert.rejects(log.append(entry(name)), code('WB-403')));
  (await key.question()).refuse();
  await Promise.all(all);
  assert.equal(log.stopped, undefined);
  assert.equal((await open(store)).tree.size, 0);
  const again = log.append(entry('b'));
  (await key.question()).answer();
  const { logged, duplicate } = await again;
  assert.deepEqual([logged.index, duplicate], [0, false]);
  assert.equal((await checkLog(await open(store))).length, 1);
});

test('a new log whose key refuses is not there, and is made at the next start', async () => {
  const key = new LateKey();
  const store = memoryLogStore();
  const opening = assert.rejects(open(store, { signer: key.signer }), refusal);
  (await key.question()).refuse();
  await opening;
  assert.deepEqual([await store.lock.read(), await store.published()], [undefined, undefined]);
  const next = open(store, { signer: key.signer });
  (await key.question()).answer();
  assert.equal((await next).tree.size, 0);
});

test('a writer that took over while the key was asked keeps its tree', async () => {
  const key = new LateKey();
  const lock = memoryCheckpointLock();
  const store = memoryLogStore(lock);
  const log = await made(key, store);
  const late = assert.rejects(log.append(entry('late')), code('WB-406'));
  const question = await key.question();
  const successor = await open(store);
  await successor.append(entry('successor'));
  question.answer();
  await late;
  assert.equal(log.stopped?.code, 'WB-406');
  const [only, ...more] = await checkLog(await open(store));
  assert.deepEqual([Buffer.from(only ?? []).toString(), more], ['entry successor', []]);
});

test('a log freezes behind the batch under way, and before the entries that wait', async () => {
  const key = new LateKey();
  const store = memoryLogStore();
  const log = await made(key, store);
  const under = log.append(entry('under way'));
  const batch = await key.question();
  const freezing = log.freeze();
  const waiting = assert.rejects(log.append(entry('too late')), code('WB-413'));
  await turns();
  assert.equal(key.waiting, 0);
  batch.answer();
  assert.equal((await under).logged.index, 0);
  const last = await key.question();
  assert.deepEqual([last.head.size, last.head.isFrozen], [1, true]);
  const behind = assert.rejects(log.append(entry('later still')), code('WB-413'));
  last.answer();
  await Promise.all([freezing, waiting, behind]);
  assert.equal(key.waiting, 0);
  const reopened = await open(store);
  assert.deepEqual([reopened.tree.size, reopened.tree.isFrozen], [1, true]);
});

test('a log under entries without end is frozen all the same', async () => {
  const log = await open(memoryLogStore());
  let sent = 0;
  const submit = async (): Promise<void> => {
    for (;;) await log.append(entry(sent++));
  };
  const clients = Array.from({ length: 3 }, () => assert.rejects(submit(), code('WB-413')));
  while (log.tree.size < 10) await nextTurn();
  await log.freeze();
  await Promise.all(clients);
  assert.equal(log.tree.isFrozen, true);
  assert.equal((await checkLog(log)).length, log.tree.size);
});

test('a log whose last checkpoint is not signed goes on with the entries that waited', async () => {
  const key = new LateKey();
  const store = memoryLogStore();
  const log = await made(key, store);
  const freezes = [log.freeze(), log.freeze()].map((one) => assert.rejects(one, refusal));
  const last = await key.question();
  assert.equal(last.head.isFrozen, true);
  const waited = log.append(entry('waited'));
  await turns();
  last.refuse();
  await Promise.all(freezes);
  (await key.question()).answer();
  assert.equal((await waited).logged.index, 0);
  assert.deepEqual([log.stopped, log.tree.isFrozen], [undefined, false]);
  const again = log.freeze();
  (await key.question()).answer();
  await again;
  assert.equal((await open(store)).tree.isFrozen, true);
});

test('closing waits for the key, for a freeze too, and for the entries that waited behind it', async () => {
  const key = new LateKey();
  let isClosed = false;
  const inner = memoryLogStore();
  const close = async (): Promise<void> => {
    isClosed = true;
    await inner.close();
  };
  const log = await made(key, { ...inner, close });
  const freezing = assert.rejects(log.freeze(), refusal);
  const last = await key.question();
  const waited = log.append(entry('waited'));
  await turns();
  const closing = log.close();
  last.refuse();
  await freezing;
  const question = await key.question();
  await turns();
  assert.equal(isClosed, false);
  question.answer();
  assert.equal((await waited).logged.index, 0);
  await closing;
  assert.equal(isClosed, true);
});
