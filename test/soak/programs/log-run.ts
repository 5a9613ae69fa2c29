/**
 * Run as a process: opens a log, appends groups of entries, closes it. Where its order names a gate it says so there
 * and waits for a line, so that a tracer can be put on it. Answers go out line by line, before anything else happens.
 */
import { readFileSync, readSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FixedClock } from '#base/clock';
import { privateKeyFromPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { checkpointSigner, openLog } from '#tlog';
import { Ending } from '../counted.ts';
import { entryOf, type RunOrder, type RunWord } from '../log-run.ts';

const order = JSON.parse(process.argv[2] ?? '') as RunOrder;
const say = (word: RunWord): void => {
  writeSync(1, `${JSON.stringify(word)}\n`);
};

async function gate(name: RunOrder['gate']): Promise<void> {
  if (order.gate !== name) return;
  // The thread that does the work of files exists before the tracer looks for it.
  await stat(order.keyFile);
  say({ gate: true });
  readSync(0, new Uint8Array(1));
}

function refused(error: unknown, name: string): void {
  say({ refused: { name, code: error instanceof WaybillError ? error.reason.code : String(error) } });
}

const key = unwrap(privateKeyFromPem(readFileSync(order.keyFile, 'utf8')));
const { directory, lockFile } = order;
await gate('open');
try {
  const { at, within } = order.end ?? { at: 0, within: 0 };
  const log = await openLog({
    store: new Ending(at, { within }).store(embeddedLogStore({ directory, lockFile })),
    signer: checkpointSigner({ origin: order.origin, signer: key }),
    clock: new FixedClock(order.now),
    create: true,
  });
  say({ opened: log.tree.checkpoint });
  await gate('append');
  for (const group of order.groups) {
    const appended = group.map(async ({ name, bytes }) => {
      try {
        const { logged } = await log.append(entryOf(name, bytes));
        say({ acked: { index: logged.index, name, bytes, checkpoint: logged.proof.checkpoint } });
      } catch (error) {
        refused(error, name);
      }
    });
    await Promise.all(appended);
  }
  say({ done: true });
  if (order.close) await log.close();
} catch (error) {
  refused(error, 'open');
}
say({ ended: true });
process.exit(0);
