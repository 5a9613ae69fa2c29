/** Logs whose key a program beside them holds: what they sign, what they answer while it fails, and that they go on. */
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type PublicKey, publicKeyPem, sha256, verifySignature } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type JsonObject, parseJson } from '#formats/json';
import { parseLogEntryV1, setPayload } from '#formats/rekor';
import { httpTransport } from '#platform/http-client';
import {
  ctParts,
  logParts,
  openStation,
  type RunningStation,
  type SignerSettings,
  type StationDeps,
  type StationParts,
} from '#stack';
import { checkpointVerifier, httpTiles, lookAt } from '#tlog';
import { precertificate, requireLogged, rootPem, submit as submitChain } from './ct-load.ts';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
const open = new Set<RunningStation>();
after(async () => {
  for (const station of open) await station.close();
  await rm(dir, { recursive: true, force: true });
});
const file = (name: string): string => join(dir, name);
await writeFile(file('roots.pem'), rootPem);
const program = join(import.meta.dirname, '../sign/fake-signer.ts');
const submitter = generateKey('p256');
const digest = (text: string): Uint8Array => sha256(utf8(text));
const signatureOf = (text: string): string => toBase64(submitter.sign(utf8(text)));

async function post(url: string, body: object): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return { status: answer.status, text: await answer.text() };
}

interface Kind {
  readonly kind: 'p256' | 'ed25519';
  /** How its program fails; what each of them is to the process, `external-signer.test.ts` says. */
  readonly modes: readonly string[];
  make(deps: StationDeps, signer: SignerSettings | undefined): Promise<StationParts>;
  /** Submits the entry with this number; 0 when it is logged, else the status. */
  submit(origin: string, number: number): Promise<number>;
  /** Everything logged verifies with the key, and there are so many entries. */
  check(origin: string, key: PublicKey, count: number): Promise<void>;
}

const hostname = 'log.example';
async function requireTree(origin: string, keyName: string, key: PublicKey, count: number): Promise<void> {
  const source = httpTiles(origin, httpTransport());
  const [name = ''] = (await (await fetch(`${origin}/checkpoint`)).text()).split('\n');
  const verifier = checkpointVerifier({ origin: name, keyName, publicKey: key });
  const look = await lookAt({ source, verifier, tiles: true });
  assert.deepEqual([look.problems, look.head.size], [[], count]);
}

const kinds: Readonly<Record<string, Kind>> = {
  ct: {
    kind: 'p256',
    modes: ['refuses'],
    make: (deps, signer) =>
      ctParts(
        {
          name: 'ct.example',
          rootFiles: [file('roots.pem')],
          ...(signer === undefined ? {} : { signer }),
        },
        deps,
      ),
    submit: async (origin, number) => {
      const answer = await submitChain(origin, precertificate(number));
      return typeof answer === 'number' ? answer : 0;
    },
    check: async (origin, publicKey, count) => {
      const again = Array.from({ length: count }, (_, i) => submitChain(origin, precertificate(i)));
      const promised = (await Promise.all(again)).filter((one) => typeof one !== 'number');
      await requireLogged([origin], { name: 'ct.example', publicKey }, promised);
      assert.equal(promised.length, count);
    },
  },
  log: {
    kind: 'p256',
    modes: ['wrong-signature'],
    make: (deps, signer) =>
      logParts({ api: 'v1', hostname, ...(signer === undefined ? {} : { signer }) }, deps),
    submit: async (origin, number) => {
      const text = `${number}`;
      const publicKey = { content: toBase64(utf8(publicKeyPem(submitter.publicKey))) };
      const data = { hash: { algorithm: 'sha256', value: toHex(digest(text)) } };
      const spec = { data, signature: { content: signatureOf(text), publicKey } };
      const body = { apiVersion: '0.0.1', kind: 'hashedrekord', spec };
      const answer = await post(`${origin}/api/v1/log/entries`, body);
      return answer.status === 201 ? 0 : answer.status;
    },
    check: async (origin, key, count) => {
      await requireTree(`${origin}/api/v1`, hostname, key, count);
      for (let index = 0; index < count; index++) {
        const answer = await fetch(`${origin}/api/v1/log/entries?logIndex=${index}`);
        const [found = null] = Object.values(unwrap(parseJson(await answer.text())) as JsonObject);
        const entry = unwrap(parseLogEntryV1(found));
        assert.ok(entry.inclusionPromise !== undefined);
        assert.ok(verifySignature(key, setPayload(entry), entry.inclusionPromise, 'sha256'));
      }
    },
  },
  log2: {
    kind: 'ed25519',
    modes: ['no-json'],
    make: (deps, signer) =>
      logParts({ api: 'v2', hostname, ...(signer === undefined ? {} : { signer }) }, deps),
    submit: async (origin, number) => {
      const publicKey = { rawBytes: toBase64(submitter.publicKey.spki) };
      const verifier = { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
      const signature = { content: signatureOf(`${number}`), verifier };
      const body = { hashedRekordRequestV002: { digest: toBase64(digest(`${number}`)), signature } };
      const answer = await post(`${origin}/api/v2/log/entries`, body);
      return answer.status === 201 ? 0 : answer.status;
    },
    check: (origin, key, count) => requireTree(`${origin}/api/v2`, hostname, key, count),
  },
};

const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;

for (const [name, { kind, modes, make, submit, check }] of Object.entries(kinds)) {
  const key = generateKey(kind);
  await writeFile(file(`${name}.pem`), key.exportPem(), { mode: 0o600 });
  await writeFile(file(`${name}-other.pem`), generateKey(kind).exportPem(), { mode: 0o600 });
  const signer = (keyFile: string, mode: string, there = 'k'): SignerSettings => ({
    command: process.execPath,
    args: [program, file(keyFile), mode, file(`${name}-${mode}.flag`)],
    env: process.env,
    keys: new Map([['log', there]]),
  });
  const up = async (settings: SignerSettings | undefined): Promise<RunningStation> => {
    const station = await openStation(name, stationSettings(dir, name), (deps) => make(deps, settings));
    open.add(station);
    return station;
  };
  const down = async (station: RunningStation): Promise<void> => {
    open.delete(station);
    await station.close();
  };

  test(`${name} signs with a ${kind} key that is in no file of it, and knows another`, async () => {
    const station = await up(signer(`${name}.pem`, 'good'));
    assert.equal(await submit(station.origin, 0), 0);
    await check(station.origin, key.publicKey, 1);
    await down(station);
    assert.deepEqual(await readdir(join(dir, name, 'keys')).catch(() => []), []);
    await assert.rejects(up(signer(`${name}-other.pem`, 'good')), codeIs('WB-1213'));
    await assert.rejects(up(signer(`${name}.pem`, 'good', 'x')), codeIs('WB-823'));
    await assert.rejects(up(undefined), codeIs('WB-1213'));
  });

  test(`${name} answers 503 while the program fails, keeps nothing of it, and goes on, here and after a start`, async () => {
    let count = 1;
    for (const mode of modes) {
      const station = await up(signer(`${name}.pem`, mode));
      assert.equal(await submit(station.origin, count), 503, mode);
      while ((await submit(station.origin, count)) !== 0) await new Promise((done) => setTimeout(done, 20));
      count++;
      await check(station.origin, key.publicKey, count);
      await down(station);
    }
    // It ends while it is asked, and so does the station: the next start knows nothing of the entry.
    const broken = await up(signer(`${name}.pem`, 'dies'));
    assert.equal(await submit(broken.origin, count), 503);
    await down(broken);
    const last = await up(signer(`${name}.pem`, 'good'));
    await check(last.origin, key.publicKey, count);
    assert.equal(await submit(last.origin, count), 0);
    await check(last.origin, key.publicKey, count + 1);
    await down(last);
  });
}
