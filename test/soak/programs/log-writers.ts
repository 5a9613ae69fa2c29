/**
 * Run as a process: opens the log of argv[2], shows what is new in it since the size in argv[3], and lets writers
 * append to it until somebody ends it. What it says goes out line by line, before anything else happens.
 */
import { readFileSync, writeSync } from 'node:fs';
import { toBase64, utf8 } from '#base/bytes';
import { privateKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, type LogWriter, openLog } from '#tlog';
import type { LifeOrder, LifeWord } from '../life.ts';

const order = JSON.parse(process.argv[2] ?? '') as LifeOrder;
const say = (word: LifeWord): void => {
  writeSync(1, `${JSON.stringify(word)}\n`);
};

async function write(log: LogWriter, who: number): Promise<void> {
  for (let i = 0; ; i++) {
    const name = `${order.life}-${who}-${i}`;
    const { logged } = await log.append(utf8(name));
    const { index, proof } = logged;
    say({ acked: { index, name, hashes: proof.hashes.map(toBase64), checkpoint: proof.checkpoint } });
  }
}

const key = unwrap(privateKeyFromPem(readFileSync(order.keyFile, 'utf8')));
say({ opening: true });
const log = await openLog({
  store: embeddedLogStore({ directory: order.directory, lockFile: order.lockFile }),
  signer: checkpointSigner({ origin: order.origin, signer: key }),
  clock: systemClock,
  create: true,
});
const { size, checkpoint } = log.tree;
say({ ready: checkpoint });
if (!order.isLast) for (let who = 0; who < order.writers; who++) void write(log, who);
for (let index = order.seen; index < size; index++) {
  say({ entry: { index, bytes: toBase64((await log.record(index)).entry) } });
}
for (const index of order.again) {
  if (index >= size) continue;
  const { entry } = await log.record(index);
  const hashes = (await log.inclusionAt(index, size)).map(toBase64);
  say({ again: { index, bytes: toBase64(entry), hashes } });
}
for (const from of order.chain) {
  if (from > size) continue;
  say({ chained: { from, hashes: (await log.consistency(from, size)).map(toBase64) } });
}
say({ shown: true });
if (order.isLast) await log.close();
