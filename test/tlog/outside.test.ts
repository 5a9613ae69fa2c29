/** What a monitor and fsck find from outside: only what anyone can read, and the public key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { decodeEntryBundle, encodeEntryBundle } from '#formats/tiles';
import { memoryCheckpointLock, memoryLogStore } from '#platform/store-memory';
import { fsckStored, lookAt, monitorStateJson, readMonitorState, type TileSource } from '#tlog';
import { entry, fill, ORIGIN, open, signer } from './fixture.ts';

type Log = Awaited<ReturnType<typeof open>>;

/** The public side of a log, with some paths answered differently. */
function sourceOf(log: Log, changed: Record<string, Uint8Array | undefined> = {}): TileSource {
  return {
    name: 'test',
    read: async (path) => {
      if (path in changed) return changed[path];
      if (path === 'checkpoint') return utf8(log.tree.checkpoint);
      const tile = await log.tile(path);
      return tile.ok ? tile.value : undefined;
    },
  };
}

const bytesOf = async (log: Log, path: string): Promise<Uint8Array> => {
  const tile = await log.tile(path);
  assert.ok(tile.ok && tile.value !== undefined);
  return tile.value.slice();
};

async function problems(log: Log, changed: Record<string, Uint8Array | undefined>, known: string[] = []) {
  const look = await lookAt({ source: sourceOf(log, changed), verifier: signer, known, tiles: true });
  return look.problems.join('\n');
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at]! ^= 1;
  return bytes;
}

async function filled(count: number, name = ''): Promise<Log> {
  const log = await open(memoryLogStore());
  await Promise.all(Array.from({ length: count }, (_, i) => log.append(entry(`${name}${i}`))));
  return log;
}

test('a sound log of any shape is found sound from its public files', async () => {
  for (const count of [0, 1, 255, 256, 257, 700]) assert.equal(await problems(await filled(count), {}), '');
});

test('a missing tile, a changed tile, a changed or missing entry and a forked checkpoint are each named', async () => {
  const log = await filled(600);
  const hashes = 'tile/0/001';
  assert.match(await problems(log, { [hashes]: undefined }), /tile\/0\/001 is missing/);
  assert.match(
    await problems(log, { [hashes]: flipped(await bytesOf(log, hashes), 9) }),
    /^tile\/0\/001 is not what the entries hash to$/,
  );
  const partial = 'tile/0/002.p/88';
  assert.match(
    await problems(log, { [partial]: flipped(await bytesOf(log, partial), 9) }),
    /tile\/0\/002\.p\/88 is not what/,
  );
  const entries = 'tile/entries/000';
  const list = decodeEntryBundle(await bytesOf(log, entries), 256);
  assert.ok(list.ok);
  const other = encodeEntryBundle([utf8('entry Z'), ...list.value.slice(1)]);
  assert.match(
    await problems(log, { [entries]: other }),
    /tile\/0\/000 is not what[\s\S]*the checkpoint says/,
  );
  assert.match(await problems(log, { [entries]: undefined }), /entries of tile 0: no such file/);
  assert.match(await problems(log, { [entries]: other.subarray(3) }), /entries of tile 0: /);
  const fork = await filled(600, 'fork ');
  assert.match(await problems(log, { checkpoint: utf8(fork.tree.checkpoint) }), /a fork or rot/);
  assert.match(await problems(log, {}, [fork.tree.checkpoint]), /a known checkpoint says .*a fork/);
  const longer = await filled(601);
  assert.match(await problems(log, {}, [longer.tree.checkpoint]), /size 601 is known, the log shows 600/);
  assert.equal(await problems(longer, {}, [(await filled(600)).tree.checkpoint]), '');
});

test('a checkpoint by another key or of another origin is no finding but a refusal', async () => {
  const log = await filled(3);
  const text = log.tree.checkpoint.replace(ORIGIN, 'other.example');
  await assert.rejects(
    problems(log, { checkpoint: utf8(text) }),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-408',
  );
});

test('a monitor goes on from its state, reads each entry once, and notices a log that went back or forked', async () => {
  const log = await filled(300);
  const indexes: number[] = [];
  const onEntry = (index: number) => indexes.push(index);
  let look = await lookAt({ source: sourceOf(log), verifier: signer, onEntry });
  const early = look.state!;
  for (const more of [1, 255, 300]) {
    const from = log.tree.size;
    await Promise.all(Array.from({ length: more }, (_, i) => log.append(entry(`more ${from + i}`))));
    const state = readMonitorState(monitorStateJson(ORIGIN, look.state!), ORIGIN);
    look = await lookAt({ source: sourceOf(log), verifier: signer, state, onEntry });
    assert.deepEqual(look.problems, []);
  }
  assert.deepEqual(
    indexes,
    Array.from({ length: 856 }, (_, i) => i),
  );
  const old = await filled(300);
  const back = await lookAt({ source: sourceOf(old), verifier: signer, state: look.state! });
  assert.match(back.problems.join(), /went back from size 856 to 300/);
  assert.equal(back.state, undefined, 'a monitor never goes on from what it found wrong');
  const fork = await filled(400, 'fork ');
  const forked = await lookAt({ source: sourceOf(fork), verifier: signer, state: early });
  assert.match(forked.problems.join(), /a fork or rot/);
  const same = await filled(300, 'fork ');
  assert.match(
    (await lookAt({ source: sourceOf(same), verifier: signer, state: early })).problems.join(),
    /a fork/,
  );
});

test('the state of another log, or one that was changed, is not gone on from', async () => {
  const log = await filled(5);
  const { state } = await lookAt({ source: sourceOf(log), verifier: signer });
  const text = monitorStateJson(ORIGIN, state!);
  assert.throws(() => readMonitorState(text, 'other'), WaybillError);
  assert.throws(() => readMonitorState(text.replace('"size":5', '"size":4'), ORIGIN), WaybillError);
});

test('a store is proven without its key: names, records, lock and checkpoints seen elsewhere', async () => {
  const store = memoryLogStore();
  const log = await open(store);
  await fill(log, 0, 300);
  const middle = log.tree.checkpoint;
  await fill(log, 300, 300);
  const found = async (more: object, known: string[] = []) => {
    const options = { store: { ...store, ...more }, verifier: signer, known };
    return (await fsckStored(options)).problems.join('\n');
  };
  assert.equal(await found({}, [middle]), '');
  const other = await filled(600, 'x');
  assert.match(await found({}, [other.tree.checkpoint]), /a known checkpoint says .*: the log has forked/);
  const lock = memoryCheckpointLock();
  assert.match(await found({ lock }), /the checkpoint lock is empty/);
  await lock.swap(undefined, other.tree.checkpoint);
  assert.match(await found({ lock }), /the checkpoint in the lock says .*: the log has forked/);
  const gone = (path: string) => ({
    readTile: async (asked: string) => (asked === path ? undefined : store.readTile(asked)),
  });
  assert.match(await found(gone('tile/0/000')), /tile\/0\/000/);
  assert.match(await found(gone('tile/records/000')), /tile\/records\/000/);
  const as = (index: number | undefined) => ({
    find: async (names: readonly Uint8Array[]) => names.map(() => index),
  });
  assert.match(await found(as(7)), /entry 0 is found as 7/);
  assert.match(await found(as(undefined)), /entry 99 is found as nothing/);
  // What an index does not cover yet is no finding; what it covers, and what it says wrong, is.
  const covers = { indexed: async () => 99 };
  assert.doesNotMatch(await found({ ...as(undefined), ...covers }), /entry 99 /);
  assert.match(await found({ ...as(undefined), ...covers }), /entry 98 is found as nothing/);
  assert.match(await found({ ...as(7), ...covers }), /entry 99 is found as 7/);
  await assert.rejects(
    fsckStored({ store: memoryLogStore(), verifier: signer }),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-411',
  );
});
