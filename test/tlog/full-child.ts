/**
 * Run as a process with a limit on the size of files: appends to the log in argv[2] until the disk is full, then
 * goes on trying. Acknowledged entries are lines on standard output; so is the code of each refusal.
 */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { privateKeyFromPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';
import { systemClock } from '#platform/system';
import { checkpointSigner, openLog } from '#tlog';

const [, , directory = '', pem = ''] = process.argv;
const signer = checkpointSigner({ origin: 'log.example', signer: unwrap(privateKeyFromPem(pem)) });
const log = await openLog({
  store: embeddedLogStore({ directory }),
  signer,
  clock: systemClock,
  create: true,
});
let refusals = 0;
while (refusals < 5) {
  const entry = new Uint8Array(randomBytes(20_000));
  try {
    const { logged } = await log.append(entry);
    writeSync(1, `${logged.index} ${Buffer.from(logged.leafHash).toString('hex')}\n`);
  } catch (error) {
    refusals++;
    writeSync(1, `refused ${error instanceof WaybillError ? error.reason.code : String(error)}\n`);
  }
}
writeSync(1, `read ${(await log.record(0)).entry.length}\n`);
process.exit(0);
