/** The authorities with keys that lie elsewhere: what they do when the holder gives none, a wrong, or another's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixedClock } from '#base/clock';
import { generateKey, holderOf, type KeyHolder, sha256 } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { buildTimeStampRequest, parseTimeStampResponse } from '#formats/tsp';
import { parseCertificate, verifyCertificateSignature } from '#formats/x509';
import { createHttpServer } from '#platform/http-server';
import { keyHolders, memoryKeyStore } from '#platform/key-store';
import { systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createTsa, registerTsa } from '#services/tsa';
import { caFixture, token } from './ca-fixture.ts';

const down = {
  code: 'WB-823',
  check: 'signer.process',
  side: 'environment',
  summary: 'down',
  hint: 'wait',
} as const;

interface FakeHolder extends KeyHolder {
  /** How many more signatures it gives. */
  left: number;
  /** Signs with another key, as a holder that does not verify would. */
  isWrong: boolean;
}

function fakeHolder(): FakeHolder {
  const key = generateKey('p256');
  const other = generateKey('p256');
  return {
    left: Number.POSITIVE_INFINITY,
    isWrong: false,
    publicKey: key.publicKey,
    async sign(data, algorithm) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.left-- <= 0) throw fail(down, { expected: 'a signature', actual: 'none' });
      return (this.isWrong ? other : key).sign(data, algorithm);
    },
  };
}

const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;

test('a CA issues with a key that lies elsewhere, and keeps none of it', async () => {
  const keys = memoryKeyStore();
  const holder = fakeHolder();
  const holders = keyHolders(keys, new Map([['intermediate', holder]]));
  const { ca, sign } = await caFixture(undefined, { keys, holders });
  const issued = await sign(await token());
  assert.equal(issued.status, 200, issued.text);
  const [leaf = ''] = issued.json.signedCertificateEmbeddedSct?.chain.certificates ?? [];
  const certificate = unwrap(parseCertificate(unwrap(pemDecode(leaf))[0].der));
  assert.ok(verifyCertificateSignature(certificate, ca.intermediate));
  assert.deepEqual([...ca.intermediate.publicKey.spki], [...holder.publicKey.spki]);
  assert.equal(await keys.findKey('intermediate'), undefined);
  assert.notEqual(await keys.findKey('root'), undefined);
});

test('where the holder gives no signature the CA answers 503 and logs nothing, or nothing more', async () => {
  const keys = memoryKeyStore();
  const holder = fakeHolder();
  const holders = keyHolders(keys, new Map([['intermediate', holder]]));
  const { sign, log } = await caFixture(undefined, { keys, holders });
  for (const [left, logged] of [
    [0, 0],
    [1, 1],
  ] as const) {
    holder.left = left;
    log.chains.length = 0;
    const refused = await sign(await token());
    assert.equal(refused.status, 503, refused.text);
    assert.equal(refused.json.details?.[0]?.reason, 'WB-823');
    assert.equal(refused.json.signedCertificateEmbeddedSct, undefined);
    assert.equal(log.chains.length, logged);
  }
  holder.left = Number.POSITIVE_INFINITY;
  assert.equal((await sign(await token())).status, 200);
});

test('a signature that is none never leaves the CA', async () => {
  const keys = memoryKeyStore();
  const holder = fakeHolder();
  const holders = keyHolders(keys, new Map([['intermediate', holder]]));
  const { sign } = await caFixture(undefined, { keys, holders });
  holder.isWrong = true;
  const refused = await sign(await token());
  assert.ok(refused.status >= 500, refused.text);
  assert.equal(refused.json.signedCertificateEmbeddedSct, undefined);
});

test('a CA and a timestamp authority do not start with a key that is not the published one', async () => {
  const keys = memoryKeyStore();
  const held = (holder: KeyHolder, name: string) => keyHolders(keys, new Map([[name, holder]]));
  await caFixture(undefined, { keys, holders: held(fakeHolder(), 'intermediate') });
  await assert.rejects(
    caFixture(undefined, { keys, holders: held(fakeHolder(), 'intermediate') }),
    codeIs('WB-1015'),
  );
  await assert.rejects(caFixture(undefined, { keys }), codeIs('WB-1015'));
  const common = { clock: new FixedClock(1_800_000_000_000), random: systemRandom };
  const tsa = { ...common, keys: memoryKeyStore(), log: createLogger('tsa', 'silent') };
  const tsaHeld = (holder: KeyHolder) => keyHolders(tsa.keys, new Map([['tsa', holder]]));
  const good = fakeHolder();
  await createTsa({ ...tsa, holders: tsaHeld(good) });
  await createTsa({ ...tsa, holders: tsaHeld(good) });
  await assert.rejects(createTsa({ ...tsa, holders: tsaHeld(fakeHolder()) }), codeIs('WB-1051'));
  await assert.rejects(createTsa(tsa), codeIs('WB-1051'));
});

test('both keys of a CA may lie elsewhere', async () => {
  const keys = memoryKeyStore();
  const root = generateKey('p384');
  const elsewhere = new Map<string, KeyHolder>([
    ['root', holderOf(root)],
    ['intermediate', fakeHolder()],
  ]);
  const { ca, sign } = await caFixture(undefined, { keys, holders: keyHolders(keys, elsewhere) });
  assert.equal(ca.root.publicKey.kind, 'p384');
  assert.equal((await sign(await token())).status, 200);
  assert.equal(await keys.findKey('root'), undefined);
});

test('a timestamp authority stamps with a key that lies elsewhere, and answers 503 without it', async () => {
  const keys = memoryKeyStore();
  const holder = fakeHolder();
  const log = createLogger('tsa', 'silent');
  const clock = new FixedClock(1_800_000_000_000);
  const holders = keyHolders(keys, new Map([['tsa', holder]]));
  const tsa = await createTsa({ keys, holders, clock, random: systemRandom, log });
  const app = createHttpServer({ log, bodyBytesMax: 4096 });
  registerTsa(app, { tsa, log });
  const ask = () =>
    app.inject({
      method: 'POST',
      url: '/api/v1/timestamp',
      headers: { 'content-type': 'application/timestamp-query' },
      payload: Buffer.from(buildTimeStampRequest({ hashName: 'sha256', hash: sha256(new Uint8Array(3)) })),
    });
  const granted = unwrap(parseTimeStampResponse(new Uint8Array((await ask()).rawPayload)));
  assert.ok(granted.verifySignature(tsa.chain[0]));
  holder.left = 0;
  const refused = await ask();
  assert.equal(refused.statusCode, 503);
  assert.match(refused.body, /WB-823/);
});
