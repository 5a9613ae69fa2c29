/**
 * Run as a process: a certificate authority and its certificate log over one folder, which issue groups of
 * certificates and end at a step they are told. What leaves is a line, written before anything else happens.
 */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { privateKeyFromPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { fileKeyStore, keyHolders } from '#platform/key-store';
import { embeddedLogStore } from '#platform/store-embedded';
import { createLogger } from '#platform/telemetry';
import { createCt } from '#services/ct';
import { caFixture, NOW, token } from '../../services/ca-fixture.ts';
import type { IssueOrder, IssueWord } from '../certificates.ts';
import { Ending } from '../counted.ts';

const order = JSON.parse(process.argv[2] ?? '') as IssueOrder;
const say = (word: IssueWord): void => {
  writeSync(1, `${JSON.stringify(word)}\n`);
};

const ending = new Ending(order.at, order.when);
const clock = new FixedClock(NOW);
const key = unwrap(privateKeyFromPem(readFileSync(order.ctKeyFile, 'utf8')));
const store = embeddedLogStore({
  directory: join(order.folder, 'ct'),
  lockFile: join(order.folder, 'lock', 'ct.db'),
});
const ct = await createCt({
  ...{ origin: order.origin, key, roots: [], clock },
  store: ending.store(store),
  create: true,
  log: createLogger('ct', 'silent'),
});
const keys = fileKeyStore(join(order.folder, 'ca'));
const plain = keyHolders(keys);
const counted = async (held: ReturnType<typeof plain.open>): ReturnType<typeof plain.open> => {
  const holder = await held;
  return { ...holder, sign: (data, hash) => ending.step(() => holder.sign(data, hash)) };
};
const fixture = await caFixture(undefined, {
  keys: { ...keys, write: (name, data) => ending.step(() => keys.write(name, data)) },
  holders: {
    find: async (name) => {
      const found = await plain.find(name);
      return found === undefined ? undefined : counted(Promise.resolve(found));
    },
    open: (name, kind) => counted(ending.step(() => plain.open(name, kind))),
  },
  ct: { addPreChain: (chain) => ending.step(() => ct.addPreChain(chain)) },
  ctKey: key.publicKey,
  clock,
  random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
});
ct.addRoot(fixture.ca.root.der);
const { intermediate, root } = fixture.ca;
say({ authority: [toBase64(intermediate.der), toBase64(root.der)] });

async function issue(): Promise<void> {
  const reply = await fixture.sign(await token());
  const chain = reply.json.signedCertificateEmbeddedSct?.chain.certificates;
  if (chain?.[0] !== undefined) say({ released: chain[0] });
  else say({ refused: `${reply.status} ${reply.text}` });
}

for (let group = 0; group < order.groups || order.groups === 0; group++) {
  await Promise.all(Array.from({ length: order.together }, issue));
}
say({ done: ending.calls });
await ct.close();
process.exit(0);
