/** A stack whose authorities sign with keys that a program beside it holds. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKey, publicKeyPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { systemClock } from '#platform/system';
import { waybillHere } from '../cli/here.ts';
import { fakeNtp } from '../platform/fake-ntp.ts';
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

test('logs and trust metadata by keys that are elsewhere, through a rotation of each', async () => {
  const folder = await temporaryFolder();
  const dataDir = join(folder, 'data');
  const keys = join(folder, 'keys');
  await mkdir(keys);
  for (const name of ['ct', 'tuf', 'log2', 'log@2', 'log@3']) {
    const kind = name === 'log2' ? 'ed25519' : 'p256';
    await writeFile(join(keys, `${name}.pem`), generateKey(kind).exportPem(), { mode: 0o600 });
  }
  const signer = (...names: readonly string[]) => ({
    ...{ command: process.execPath, args: [program, keys, 'good'], env: process.env },
    keys: new Map(names.map((name) => [name, name])),
  });
  const first = await startStack({ dataDir, signer: signer('ct', 'tuf', 'log2') });
  assert.equal((await (await personSigner(first)).sign(message('one'))).verdict.outcome, 'accepted');
  for (const [station, left] of Object.entries({
    ct: [],
    log2: [],
    tuf: ['root-1.key', 'root-2.key', 'root-3.key'],
  })) {
    assert.deepEqual(await readdir(join(dataDir, station, 'keys')).catch(() => []), left, station);
  }
  await assert.rejects(first.rotation.rotate({ station: 'ct', overlapMs: 0 }), codeIs('WB-1208'));
  await assert.rejects(first.stations.tuf.rotate('online'), codeIs('WB-1067'));
  // A log with its key in a file gets its next one elsewhere, and the old one is frozen.
  await first.close();
  const second = await startStack({ dataDir, signer: signer('ct', 'tuf', 'log2', 'log@2') });
  await second.rotation.rotate({ station: 'log', overlapMs: 0 });
  assert.equal((await (await personSigner(second)).sign(message('two'))).verdict.outcome, 'accepted');
  await second.close();
  // And one whose key is elsewhere is frozen by it.
  const third = await startStack({ dataDir, signer: signer('ct', 'tuf', 'log2', 'log@2', 'log@3') });
  await third.rotation.rotate({ station: 'log', overlapMs: 0 });
  const frozen = third.stations.changing.logs.all[1]?.service?.log.tree;
  assert.deepEqual([frozen?.size, frozen?.isFrozen], [1, true]);
  assert.match(frozen?.checkpoint ?? '', /\nfrozen\n/);
  await third.close();
  await assert.rejects(startStack({ dataDir }), codeIs('WB-1213'));
});

test('a stack whose clock no server of time agrees with stamps nothing', async () => {
  const ntp = await fakeNtp(() => systemClock.now());
  const time = { ntpServers: [{ host: '127.0.0.1', port: ntp.port }], maxClockOffsetMs: 30_000 };
  const stack = await startStack({ dataDir: join(await temporaryFolder(), 'data'), time });
  const signer = await personSigner(stack, 2);
  assert.equal((await signer.sign(message('in time'))).verdict.outcome, 'accepted');
  ntp.lie = { offsetMs: 60_000 };
  await stack.stations.clockWatch?.check();
  await assert.rejects(signer.sign(message('late')), /WB-1058/);
  ntp.lie = {};
  await stack.stations.clockWatch?.check();
  assert.equal((await signer.sign(message('in time again'))).verdict.outcome, 'accepted');
  await stack.close();
  await ntp.close();
});

test('keys of stations that have none elsewhere, or without a program, are refused by the command line', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  for (const words of [
    ['--signer-key', 'ca=k'],
    ['--signer', 'program', '--signer-key', 'oidc=k'],
    ['--signer', 'program', '--signer-key', 'ca@1=k'],
  ]) {
    const run = await waybillHere(['stack', 'up', '--data', dataDir, ...words], { env: {} });
    assert.equal(run.code, 3, run.stderr);
    assert.match(run.stderr, /WB-1305/);
  }
});
