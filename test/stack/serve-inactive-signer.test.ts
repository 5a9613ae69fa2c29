/** A log behind a frozen one, where a program holds the keys of both: old entries keep the promises of their own key. */
import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, type PublicKey, publicKeyPem, sha256, verifySignature } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { type JsonObject, parseJson } from '#formats/json';
import { parseLogEntryV1, setPayload } from '#formats/rekor';
import { lockFileOf } from '#platform/checkpoint-lock';
import { logParts, openStation, type RunningStation, type SignerSettings } from '#stack';
import { tellIn } from '../cli/in-process.ts';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
after(() => rm(dir, { recursive: true, force: true }));
const [old, next] = [generateKey('p256'), generateKey('p256')];
await mkdir(join(dir, 'device'));
await writeFile(join(dir, 'device', 'old.pem'), old.exportPem(), { mode: 0o600 });
await writeFile(join(dir, 'device', 'next.pem'), next.exportPem(), { mode: 0o600 });
const program = join(import.meta.dirname, '../sign/fake-signer.ts');
const holding = (keys: Readonly<Record<string, string>>): SignerSettings => ({
  command: process.execPath,
  args: [program, join(dir, 'device'), 'good'],
  env: process.env,
  keys: new Map(Object.entries(keys)),
});
const up = (name: string, inactive: readonly string[], keys: Readonly<Record<string, string>>) =>
  openStation('log', stationSettings(dir, name), (deps) => {
    const inactiveDirs = inactive.map((one) => join(dir, one));
    return logParts({ api: 'v1', hostname: 'log.example', inactiveDirs, signer: holding(keys) }, deps);
  });

const submitter = generateKey('p256');
async function add({ origin }: RunningStation, text: string): Promise<number> {
  const data = { hash: { algorithm: 'sha256', value: toHex(sha256(utf8(text))) } };
  const publicKey = { content: toBase64(utf8(publicKeyPem(submitter.publicKey))) };
  const spec = { data, signature: { content: toBase64(submitter.sign(utf8(text))), publicKey } };
  const body = JSON.stringify({ apiVersion: '0.0.1', kind: 'hashedrekord', spec });
  const answer = await fetch(`${origin}/api/v1/log/entries`, { method: 'POST', body });
  const json = (await answer.json()) as Record<string, { logIndex: number }>;
  assert.equal(answer.status, 201, JSON.stringify(json));
  return Object.values(json)[0]?.logIndex ?? -1;
}

async function requirePromise({ origin }: RunningStation, index: number, key: PublicKey): Promise<void> {
  const answer = await fetch(`${origin}/api/v1/log/entries?logIndex=${index}`);
  const [found = null] = Object.values(unwrap(parseJson(await answer.text())) as JsonObject);
  const entry = unwrap(parseLogEntryV1(found));
  assert.ok(entry.inclusionPromise !== undefined);
  assert.ok(verifySignature(key, setPayload(entry), entry.inclusionPromise, 'sha256'), `entry ${index}`);
}

test('--inactive with both keys elsewhere: indexes count on, each entry is promised by the key of its own log', async () => {
  const first = await up('first', [], { log: 'old' });
  assert.deepEqual([await add(first, 'a'), await add(first, 'b')], [0, 1]);
  await first.close();
  const words = ['--signer', process.execPath, ...[program, join(dir, 'device'), 'good'].flatMap(argument)];
  const lock = ['--lock-file', lockFileOf(join(dir, 'locks'), old.publicKey)];
  const env = process.env as Record<string, string>;
  const frozen = await tellIn({ env }, [
    ...['log', 'freeze', join(dir, 'first', 'tree'), ...words, '--signer-key', 'log=old', ...lock],
  ]);
  assert.equal(frozen.exit, 0, frozen.reason?.actual);
  const second = await up('second', ['first'], { log: 'next', 'inactive-1': 'old' });
  try {
    assert.equal(await add(second, 'c'), 2);
    await requirePromise(second, 0, old.publicKey);
    await requirePromise(second, 1, old.publicKey);
    await requirePromise(second, 2, next.publicKey);
  } finally {
    await second.close();
  }
  for (const name of ['first', 'second']) {
    assert.deepEqual(await readdir(join(dir, name, 'keys')).catch(() => []), [], name);
  }
});

const argument = (text: string): string[] => ['--signer-arg', text];

test('without the key of the frozen log, with another, or with one of no log the station does not start', async () => {
  const wrong: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['WB-1212', { log: 'next' }],
    ['WB-1212', { log: 'next', 'inactive-1': 'old', 'inactive-2': 'old' }],
    ['WB-1212', { log: 'next', 'inactive-0': 'old' }],
    ['WB-408', { log: 'next', 'inactive-1': 'next' }],
    ['WB-823', { log: 'next', 'inactive-1': 'lost' }],
  ];
  for (const [code, keys] of wrong) {
    await assert.rejects(
      up('second', ['first'], keys),
      (error) => error instanceof WaybillError && error.reason.code === code,
      JSON.stringify(keys),
    );
  }
});
