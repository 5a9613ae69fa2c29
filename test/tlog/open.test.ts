/** What opening a log accepts, repairs and refuses. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import type { LogStore } from '#platform/store';
import { embeddedLogStore } from '#platform/store-embedded';
import { checkpointSigner, fsckStored, type LogOptions, openLog } from '#tlog';
import { checkLog, entry, fill, keyPair, ORIGIN, open, optionsFor, signer } from './fixture.ts';

interface Place {
  readonly data: string;
  readonly lock: string;
  readonly root: string;
  store(): LogStore;
}

async function withPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'waybill-open-'));
  const data = join(root, 'data');
  const lock = join(root, 'lock.db');
  const stores: LogStore[] = [];
  const store = () => {
    const made = embeddedLogStore({ directory: data, lockFile: lock });
    stores.push(made);
    return made;
  };
  try {
    await body({ data, lock, root, store });
  } finally {
    for (const made of stores) await made.close().catch(() => {});
    rmSync(root, { recursive: true, force: true });
  }
}

async function filled(place: Place, from: number, count: number): Promise<void> {
  const log = await open(place.store());
  await fill(log, from, count);
  await log.close();
}

async function refusal(place: Place, more: Partial<LogOptions> = {}): Promise<string> {
  try {
    await openLog(optionsFor(place.store(), more));
  } catch (error) {
    if (error instanceof WaybillError) return error.reason.code;
    throw error;
  }
  return 'opened';
}

test('a log of any size opens again as it was', async () => {
  for (const count of [0, 1, 255, 256, 257, 700]) {
    await withPlace(async (place) => {
      await filled(place, 0, count);
      const store = place.store();
      const log = await open(store, { create: false });
      assert.equal(log.tree.size, count);
      await checkLog(log);
      assert.equal((await log.append(entry('next'))).logged.index, count);
      await checkLog(log);
    });
  }
});

test('another key, another key name and another origin are refused', async () => {
  await withPlace(async (place) => {
    await filled(place, 0, 3);
    const others = [
      checkpointSigner({ origin: ORIGIN, signer: generateKey('ed25519') }),
      checkpointSigner({ origin: ORIGIN, keyName: 'other', signer: keyPair }),
      checkpointSigner({ origin: 'other.example', keyName: ORIGIN, signer: keyPair }),
    ];
    for (const other of others) assert.equal(await refusal(place, { signer: other }), 'WB-408');
  });
});

test('an older copy of the data is refused, whether it ends in a tile or not', async () => {
  for (const [old, added] of [
    [3, 2],
    [3, 300],
    [256, 1],
    [256, 256],
    [200, 56],
    [300, 212],
  ] as const) {
    await withPlace(async (place) => {
      await filled(place, 0, old);
      cpSync(place.data, join(place.root, 'copy'), { recursive: true });
      await filled(place, old, added);
      rmSync(place.data, { recursive: true });
      cpSync(join(place.root, 'copy'), place.data, { recursive: true });
      assert.equal(await refusal(place), 'WB-409', `${old} + ${added}`);
    });
  }
});

test('an older copy of the lock is refused', async () => {
  await withPlace(async (place) => {
    await filled(place, 0, 3);
    cpSync(place.lock, join(place.root, 'old-lock.db'));
    await filled(place, 3, 2);
    rmSync(place.lock);
    cpSync(join(place.root, 'old-lock.db'), place.lock);
    assert.equal(await refusal(place), 'WB-409');
    rmSync(join(place.data, 'checkpoint'));
    assert.equal(await refusal(place), 'WB-409', 'the names alone show it');
  });
});

test('a lost index is built again from the tiles', async () => {
  await withPlace(async (place) => {
    await filled(place, 0, 600);
    for (const file of readdirSync(place.data)) {
      if (file.startsWith('index.db')) rmSync(join(place.data, file));
    }
    const store = place.store();
    const log = await open(store);
    await checkLog(log);
    assert.equal((await log.append(entry(17))).duplicate, true);
  });
});

test('an end that loses the newest names loses no entry to them, whether it is in a tile or staged', async () => {
  await withPlace(async (place) => {
    const running = await open(place.store());
    await fill(running, 0, 700);
    // What a killed process leaves: nothing was closed.
    const killed = { directory: join(place.root, 'killed'), lockFile: join(place.root, 'killed.db') };
    cpSync(place.data, killed.directory, { recursive: true });
    for (const end of ['', '-wal', '-shm']) cpSync(place.lock + end, killed.lockFile + end);
    await running.close();
    const store = embeddedLogStore(killed);
    assert.equal(await store.indexed(), 0, 'the names waited in memory');
    const report = await fsckStored({ store, verifier: signer });
    assert.deepEqual(report, { size: 700, problems: [] });
    const log = await open(store, { create: false });
    assert.equal(await store.indexed(), 700);
    for (const n of [0, 255, 256, 511, 512, 699]) {
      const { duplicate, logged } = await log.append(entry(n));
      assert.deepEqual([duplicate, logged.index], [true, n]);
    }
    assert.equal(log.tree.size, 700);
    await checkLog(log);
    await log.close();
    const closed = embeddedLogStore(killed);
    assert.equal(await closed.indexed(), 700, 'an orderly end writes them');
    await closed.close();
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

test('a flipped bit in a tile on the edge stops the log from opening', async () => {
  await withPlace(async (place) => {
    // Two batches: one that ends beyond the tile would still be staged, and the tile made again from it.
    await filled(place, 0, 256);
    await filled(place, 256, 44);
    flip(join(place.data, 'tile/0/000'), 77);
    assert.equal(await refusal(place), 'WB-410');
  });
});

test('fsck names a rotten entry, a rotten record, a rotten and a missing tile', async () => {
  await withPlace(async (place) => {
    // 70,000 entries would leave tile/0/000 off the edge; a change after opening shows the same.
    await filled(place, 0, 600);
    const store = place.store();
    const log = await open(store);
    const problems = async () => (await log.check()).problems.join('\n');
    assert.equal(await problems(), '');
    flip(join(place.data, 'tile/0/001'), 5);
    assert.match(await problems(), /tile\/0\/001 is not what the entries hash to/);
    flip(join(place.data, 'tile/0/001'), 5);
    flip(join(place.data, 'tile/entries/000'), 8);
    assert.match(await problems(), /entry 0 is found as 1 [\s\S]*the checkpoint says/);
    flip(join(place.data, 'tile/entries/000'), 8);
    rmSync(join(place.data, 'tile/records/001'));
    assert.match(await problems(), /entries of tile 1: .*tile\/records\/001/);
    rmSync(join(place.data, 'tile/0/000'));
    assert.match(await problems(), /tile\/0\/000 is missing/);
  });
});

test('a proof is never built from a rotten tile', async () => {
  await withPlace(async (place) => {
    await filled(place, 0, 300);
    const log = await open(place.store());
    flip(join(place.data, 'tile/0/000'), 77);
    // The tile was not read before: opening keeps only its root.
    await assert.rejects(
      log.entry(9),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-410',
    );
  });
});

test('full tiles lie on disk as plain tlog-tiles files', async () => {
  await withPlace(async (place) => {
    await filled(place, 0, 513);
    for (const path of ['tile/0/000', 'tile/0/001', 'tile/entries/001', 'checkpoint']) {
      assert.ok(existsSync(join(place.data, path)), path);
    }
    assert.equal(readFileSync(join(place.data, 'tile/0/001')).length, 8192);
    assert.match(readFileSync(join(place.data, 'checkpoint'), 'utf8'), /^log\.example\n513\n/);
  });
});
