/** A stack whose authorities sign with keys that a program beside it holds. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKey, publicKeyPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { waybillHere } from '../cli/here.ts';
import { message, personSigner, startStack, temporaryFolder } from './helper.ts';

const program = join(import.meta.dirname, '../sign/fake-signer.ts');
const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;

test('certificates and timestamps by keys that are elsewhere; a rotation wants the next one named', async () => {
  const folder = await temporaryFolder();
  const key = generateKey('p256');
  await writeFile(join(folder, 'key.pem'), key.exportPem(), { mode: 0o600 });
  const signer = (pairs: Readonly<Record<string, string>>) => ({
    ...{ command: process.execPath, args: [program, join(folder, 'key.pem'), 'good'], env: process.env },
    keys: new Map(Object.entries(pairs)),
  });
  const dataDir = join(folder, 'data');
  const first = await startStack({ dataDir, signer: signer({ ca: 'k', tsa: 'k' }) });
  for (const station of ['ca', 'tsa']) {
    const names = await readdir(join(dataDir, station, 'keys'));
    assert.deepEqual(
      names.filter((name) => name.endsWith('.key')),
      ['root.key'],
      station,
    );
  }
  assert.equal(publicKeyPem(first.stations.ca.intermediate.publicKey), publicKeyPem(key.publicKey));
  assert.equal((await (await personSigner(first)).sign(message('held'))).verdict.outcome, 'accepted');
  // A key in a file would be one the operator thinks is elsewhere.
  await assert.rejects(first.rotation.rotate({ station: 'tsa', overlapMs: 0 }), codeIs('WB-1208'));
  assert.equal(first.rotation.generations.stations.tsa.length, 1);
  await first.close();
  await assert.rejects(startStack({ dataDir }), codeIs('WB-1015'));
  const second = await startStack({ dataDir, signer: signer({ ca: 'k', tsa: 'k', 'tsa@2': 'k' }) });
  await second.rotation.rotate({ station: 'tsa', overlapMs: 0 });
  assert.equal((await (await personSigner(second, 2)).sign(message('rotated'))).verdict.outcome, 'accepted');
  await second.close();
});

test('keys of stations that have none elsewhere, or without a program, are refused by the command line', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  for (const words of [
    ['--signer-key', 'ca=k'],
    ['--signer', 'program', '--signer-key', 'log=k'],
    ['--signer', 'program', '--signer-key', 'ca@1=k'],
  ]) {
    const run = await waybillHere(['stack', 'up', '--data', dataDir, ...words], { env: {} });
    assert.equal(run.code, 3, run.stderr);
    assert.match(run.stderr, /WB-1305/);
  }
});
