/** A station whose key a program beside it holds: how it is made, how it refuses, how it goes down and comes back. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateKey, type PrivateKey, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { buildTimeStampRequest } from '#formats/tsp';
import { openStation, type RunningStation, type SignerSettings, tsaParts } from '#stack';
import { waybillHere } from '../cli/here.ts';
import { tellIn } from '../cli/in-process.ts';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
const running: RunningStation[] = [];
after(async () => {
  for (const station of running) await station.close();
  await rm(dir, { recursive: true, force: true });
});

const program = join(import.meta.dirname, '../sign/fake-signer.ts');
const key = generateKey('p256');
const file = (name: string): string => join(dir, name);
const write = (name: string, made: PrivateKey): Promise<void> =>
  writeFile(file(name), made.exportPem(), { mode: 0o600 });
await write('key.pem', key);
await write('other.pem', generateKey('p256'));

const pids = file('pids');
const env = { ...process.env, FAKE_SIGNER_PIDS: pids } as Record<string, string>;

const signer = (keyName: string, mode: string, keys = new Map([['tsa', 'k']])): SignerSettings => ({
  command: process.execPath,
  args: [program, file(keyName), mode, file(`${mode}.flag`)],
  env,
  keys,
});
async function open(settings: SignerSettings): Promise<RunningStation> {
  const station = await openStation('tsa', stationSettings(dir, 'tsa'), (deps) =>
    tsaParts({ signer: settings }, deps),
  );
  running.push(station);
  return station;
}
const ask = (origin: string): Promise<Response> =>
  fetch(`${origin}/api/v1/timestamp`, {
    method: 'POST',
    headers: { 'content-type': 'application/timestamp-query' },
    body: Buffer.from(buildTimeStampRequest({ hashName: 'sha256', hash: sha256(Uint8Array.of(1)) })),
  });
const codeIs = (code: string) => (error: unknown) =>
  error instanceof WaybillError && error.reason.code === code;
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
/** Programs of this test that still run. */
const left = (): number[] => readFileSync(pids, 'utf8').trim().split('\n').map(Number).filter(isRunning);

test('the command line makes the certificate of a key that is elsewhere', async () => {
  const words = ['serve', 'tsa', '--init', '--data', join(dir, 'tsa'), '--log-level', 'silent'];
  const args = [program, file('key.pem'), 'good'].flatMap((arg) => ['--signer-arg', arg]);
  const world = { cwd: dir, env };
  for (const wrong of [
    ['--signer-key', 'tsa=k'],
    ['--signer', process.execPath, ...args, '--signer-key', 'tsa'],
    ['--signer', process.execPath, ...args, '--signer-key', 'intermediate=k'],
  ]) {
    assert.equal((await tellIn(world, [...words, ...wrong])).exit, 3, wrong.join(' '));
  }
  const made = await tellIn(world, [
    ...words,
    '--signer',
    process.execPath,
    ...args,
    '--signer-key',
    'tsa=k',
  ]);
  assert.equal(made.exit, 0, made.stderr);
  assert.deepEqual(await readdir(join(dir, 'tsa', 'keys')), ['root.key', 'root.pem', 'tsa.pem']);
  assert.deepEqual(left(), []);
});

test('another key than the published one, or none, is refused and leaves no process behind', async () => {
  await assert.rejects(open(signer('other.pem', 'good')), codeIs('WB-1051'));
  await assert.rejects(open(signer('key.pem', 'good', new Map([['tsa', 'x']]))), codeIs('WB-823'));
  assert.deepEqual(left(), []);
});

test('a key that no station of the kind has is refused in words', async () => {
  const told = await waybillHere(
    ['serve', 'tsa', '--data', await temporaryFolder(), '--signer', 'true', '--signer-key', 'leaf=x'],
    { env: {} },
  );
  assert.equal(told.code, 3);
  assert.match(told.stderr, /a key of the station: root, tsa\n +actual: +leaf/);
});

test('a program that dies makes the station unready until it is there again', async () => {
  // The signature that proves the key at the start is the one it dies at.
  await assert.rejects(open(signer('key.pem', 'dies')), codeIs('WB-823'));
  const { origin } = await open(signer('key.pem', 'dies'));
  assert.equal((await ask(origin)).status, 200);
  const [pid] = left();
  // It cannot come back before its key does.
  await rename(file('key.pem'), file('key.away'));
  process.kill(pid as number, 'SIGKILL');
  const ready = async (): Promise<number> => (await fetch(`${origin}/readyz`)).status;
  while ((await ready()) === 200) await new Promise((resolve) => setTimeout(resolve, 5));
  const refused = await ask(origin);
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /WB-823/);
  await rename(file('key.away'), file('key.pem'));
  while ((await ready()) !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await ask(origin)).status, 200);
});
