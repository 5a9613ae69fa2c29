/** What a log costs by its size: the right edge of up to 10⁹ entries is made, and everything at it is real. */
import { join } from 'node:path';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { verifyConsistency, verifyInclusion } from '#formats/merkle';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, openLog } from '#tlog';
import { synthetic } from '../lib/log-synthetic.ts';
import { median } from '../lib/report.ts';

export interface SizeRow {
  readonly entries: number;
  /** From nothing to the answer for a first entry, milliseconds. */
  readonly openMs: number;
  /** One entry alone, milliseconds, median of 50. */
  readonly appendMs: number;
  /** 256 at once, entries a second, median of 20. */
  readonly perSecond: number;
  readonly inclusionHashes: number;
  readonly consistencyHashes: number;
}

const BATCH = 256;

export async function sizes(folder: string): Promise<readonly SizeRow[]> {
  const signer = checkpointSigner({ origin: 'scale.example', signer: generateKey('ed25519') });
  const rows: SizeRow[] = [];
  for (const power of [4, 6, 8, 9]) {
    const size = 10 ** power - (10 ** power % BATCH);
    const store = await synthetic(embeddedLogStore({ directory: join(folder, `${power}`) }), signer, size);
    const start = performance.now();
    const log = await openLog({ store, signer, clock: systemClock });
    let made = 0;
    const entry = (): Uint8Array => Buffer.from(`entry ${power} ${made++}`);
    await log.append(entry());
    const openMs = performance.now() - start;
    const { size: from, root: fromRoot } = log.tree;
    const alone: number[] = [];
    for (let i = 0; i < 50; i++) {
      const before = performance.now();
      await log.append(entry());
      alone.push(performance.now() - before);
    }
    const rates: number[] = [];
    for (let i = 0; i < 20; i++) {
      const batch = Array.from({ length: BATCH }, entry);
      const before = performance.now();
      await Promise.all(batch.map((one) => log.append(one)));
      rates.push(BATCH / ((performance.now() - before) / 1000));
    }
    const { size: to, root } = log.tree;
    const consistency = await log.consistency(from, to);
    unwrap(
      verifyConsistency({
        first: from,
        second: to,
        firstRoot: fromRoot,
        secondRoot: root,
        hashes: consistency,
      }),
    );
    const { logged } = await log.append(entry());
    const { index, size: at, hashes: inclusion, root: atRoot } = logged.proof;
    unwrap(verifyInclusion({ index, size: at, leaf: logged.leafHash, hashes: inclusion, root: atRoot }));
    rows.push({
      entries: size,
      openMs: Math.round(openMs),
      appendMs: Number(median(alone).toFixed(1)),
      perSecond: Math.round(median(rates)),
      inclusionHashes: inclusion.length,
      consistencyHashes: consistency.length,
    });
    await log.close();
  }
  return rows;
}
