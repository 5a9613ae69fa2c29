/**
 * Run as a process: appends entries to the log in argv[2] and ends itself with SIGKILL at the argv[3]-th store
 * call, before or after it took effect (argv[4]). Each acknowledged entry is a line on standard output, written
 * before anything else happens.
 */
import { writeSync } from 'node:fs';
import { FixedClock } from '#base/clock';
import { privateKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { embeddedLogStore } from '#platform/store-embedded';

import { checkpointSigner, openLog } from '#tlog';
import { entry, START_MS } from './fixture.ts';

const [, , directory = '', nth = '0', mode = 'before', pem = ''] = process.argv;
const inner = embeddedLogStore({ directory });
let calls = -1;

async function counted<T>(call: () => Promise<T>): Promise<T> {
  if (calls < 0) return call();
  calls++;
  if (calls !== Number(nth)) return call();
  if (mode === 'after') await call();
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

const store = {
  ...inner,
  lock: {
    read: inner.lock.read,
    swap: (a: string | undefined, b: string) => counted(() => inner.lock.swap(a, b)),
  },
  stage: (...args: Parameters<typeof inner.stage>) => counted(() => inner.stage(...args)),
  unstage: (...args: Parameters<typeof inner.unstage>) => counted(() => inner.unstage(...args)),
  writeTile: (...args: Parameters<typeof inner.writeTile>) => counted(() => inner.writeTile(...args)),
  publish: (...args: Parameters<typeof inner.publish>) => counted(() => inner.publish(...args)),
  index: (...args: Parameters<typeof inner.index>) => counted(() => inner.index(...args)),
};
const signer = checkpointSigner({ origin: 'log.example', signer: unwrap(privateKeyFromPem(pem)) });
const log = await openLog({ store, signer, clock: new FixedClock(START_MS) });
calls = 0;
for (const group of [3, 4, 1]) {
  await Promise.all(
    Array.from({ length: group }, async (_, i) => {
      const { logged } = await log.append(entry(`crash ${group}-${i}`));
      writeSync(1, `${logged.index} crash ${group}-${i}\n`);
    }),
  );
}
writeSync(1, 'done\n');
await log.close();
