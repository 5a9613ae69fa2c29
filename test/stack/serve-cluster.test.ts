/** Logs beyond one folder: two stations over PostgreSQL and an object store, one over a bucket, one with a witness. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { parseVerifierKey } from '#formats/cosignature';
import { lockFileOf } from '#platform/checkpoint-lock';
import { createHttpServer, listen } from '#platform/http-server';
import { fileKeyStore } from '#platform/key-store';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createLog } from '#services/log';
import { registerWitness, Witness } from '#services/witness';
import {
  freezeStored,
  initStation,
  type LogSettings,
  logParts,
  openStation,
  type RunningStation,
  type StationDeps,
  type StationParts,
} from '#stack';
import { logTrouble } from '../../src/stack/serve/logs.ts';
import { type Told, tellIn } from '../cli/in-process.ts';
import { hasPostgres, startPostgres } from '../double/postgres.ts';
import { startS3 } from '../double/s3.ts';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const signingKey = generateKey('p256');

function entry(artifact: string): string {
  const bytes = utf8(artifact);
  const publicKey = { rawBytes: toBase64(signingKey.publicKey.spki) };
  const signature = {
    content: toBase64(signingKey.sign(bytes)),
    verifier: { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
  };
  return JSON.stringify({ hashedRekordRequestV002: { digest: toBase64(sha256(bytes)), signature } });
}

async function submit(origin: string, text: string, body = entry(text)): Promise<string> {
  const answer = await fetch(`${origin}/api/v2/log/entries`, { method: 'POST', body });
  const json = (await answer.json()) as { logIndex: string };
  assert.equal(answer.status, 201, JSON.stringify(json));
  return json.logIndex;
}

const dir = await temporaryFolder();
const open: RunningStation[] = [];
const s3 = await startS3('tiles', 'whole');
const closers: (() => Promise<void>)[] = [() => s3.close(), () => rm(dir, { recursive: true, force: true })];
after(async () => {
  for (const station of open) await station.close();
  for (const close of closers) await close();
});
const objects = `endpoint=${encodeURIComponent(s3.endpoint)}`;
const env = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
type Make = (deps: StationDeps) => Promise<StationParts>;
const v2 = { api: 'v2', hostname: 'log.example', role: 'all' } as const;

test('a log whose whole life is in a bucket goes on after a restart, also from an empty folder', async () => {
  const make: Make = (deps) => logParts({ ...v2, store: `s3://whole/log?${objects}`, env }, deps);
  const first = await openStation('log2', stationSettings(dir, 'bucket'), make);
  const body = entry('a');
  assert.deepEqual([await submit(first.origin, 'a', body), await submit(first.origin, 'b')], ['0', '1']);
  await first.close();
  await mkdir(join(dir, 'elsewhere', 'keys'), { recursive: true, mode: 0o700 });
  await copyFile(join(dir, 'bucket', 'keys', 'log.key'), join(dir, 'elsewhere', 'keys', 'log.key'));
  const second = await openStation('log2', stationSettings(dir, 'elsewhere'), make);
  open.push(second);
  assert.equal(await submit(second.origin, 'c'), '2');
  const again = await fetch(`${second.origin}/api/v2/log/entries`, { method: 'POST', body });
  assert.deepEqual([again.status, again.headers.get('x-log-index')], [409, '0']);
});

test('a log is ready unless it stopped, nobody sequences what waits, or its witnesses are missing', () => {
  const well = { stopped: undefined, isBehind: false, isStalled: false };
  assert.equal(logTrouble(well), undefined);
  assert.match(logTrouble({ ...well, isStalled: true }) ?? '', /no sequencer/);
  assert.match(logTrouble({ ...well, isBehind: true }) ?? '', /witnesses/);
});

const freeze = (...words: readonly string[]): Promise<Told> =>
  tellIn({ env: { ...env, WAYBILL_STATE_DIR: join(dir, 'state') }, cwd: dir }, ['log', 'freeze', ...words]);

/** Nothing is taken any more, and everything can be read. */
async function requireFrozen(origin: string, size: number): Promise<void> {
  const answer = await fetch(`${origin}/api/v2/log/entries`, { method: 'POST', body: entry('late') });
  assert.deepEqual([answer.status, /WB-413/.test(await answer.text())], [405, true]);
  const checkpoint = await (await fetch(`${origin}/api/v2/checkpoint`)).text();
  assert.match(checkpoint, new RegExp(`^log\\.example\\n${size}\\n[^\\n]+\\nfrozen\\n`));
}

test('a log in a bucket is frozen by its key, and by no other; a bucket without a log stays empty', async () => {
  const store = `s3://whole/ends?${objects}`;
  const make: Make = (deps) => logParts({ ...v2, store, env }, deps);
  const place = stationSettings(dir, 'ends');
  const first = await openStation('log2', place, make);
  assert.equal(await submit(first.origin, 'a'), '0');
  await first.close();
  await writeFile(join(dir, 'other.key'), generateKey('ed25519').exportPem());
  const other = await freeze(store, '--key', join(dir, 'other.key'), '--data', 'ends');
  assert.equal(other.reason?.code, 'WB-408', other.reason?.actual);
  const none = await freeze(`s3://whole/nothing?${objects}`, '--key', join(dir, 'ends', 'keys', 'log.key'));
  assert.equal(none.reason?.code, 'WB-215', none.reason?.actual);
  assert.deepEqual(
    [...s3.objects.keys()].filter((path) => path.includes('nothing')),
    [],
  );
  // Once with the names of the station and once without: a frozen log stays as it is.
  for (const more of [['--data', 'ends'], []]) {
    const { exit, reason, stdout } = await freeze(
      store,
      '--key',
      join(dir, 'ends', 'keys', 'log.key'),
      ...more,
    );
    assert.equal(exit, 0, reason?.actual);
    assert.match(stdout, /^log\.example\n1\n[^\n]+\nfrozen\n/);
  }
  const second = await openStation('log2', place, make);
  open.push(second);
  await requireFrozen(second.origin, 1);
});

test('options of another kind of place are usage errors', async () => {
  for (const words of [
    ['ends', '--objects', 's3://x'],
    ['ends', '--hostname', 'log.example'],
    [`s3://whole/ends?${objects}`, '--lock-file', 'lock.db'],
    [`s3://whole/ends?${objects}`, '--objects', 's3://x'],
    ['mysql://log'],
  ]) {
    const { reason } = await freeze(...words, '--key', join(dir, 'ends', 'keys', 'log.key'));
    assert.match(reason?.code ?? '', /^WB-(?:1305|1212)$/, words.join(' '));
  }
});

test('a log follows a frozen one under the same address: indexes count on, old entries stay', async () => {
  const v1: Pick<LogSettings, 'api' | 'hostname' | 'role' | 'env'> = { ...v2, api: 'v1', env };
  const text = (artifact: string): string => {
    const hash = { algorithm: 'sha256', value: toHex(sha256(utf8(artifact))) };
    const publicKey = { content: toBase64(utf8(publicKeyPem(signingKey.publicKey))) };
    const signature = { content: toBase64(signingKey.sign(utf8(artifact))), publicKey };
    return JSON.stringify({ apiVersion: '0.0.1', kind: 'hashedrekord', spec: { data: { hash }, signature } });
  };
  const add = async (origin: string, artifact: string): Promise<number> => {
    const answer = await fetch(`${origin}/api/v1/log/entries`, { method: 'POST', body: text(artifact) });
    const json = (await answer.json()) as Record<string, { logIndex: number }>;
    assert.equal(answer.status, 201, JSON.stringify(json));
    return Object.values(json)[0]?.logIndex ?? -1;
  };
  const old = stationSettings(dir, 'old');
  const first = await openStation('log', old, (deps) => logParts(v1, deps));
  assert.deepEqual([await add(first.origin, 'a'), await add(first.origin, 'b')], [0, 1]);
  await first.close();
  const follow = (name: string) =>
    openStation('log', stationSettings(dir, name), (deps) =>
      logParts({ ...v1, inactiveDirs: [old.dataDir] }, deps),
    );
  await assert.rejects(
    follow('too-early'),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-1212',
  );
  const key = await fileKeyStore(join(old.dataDir, 'keys')).openKey('log', 'p256');
  const log = createLogger('freeze', 'silent');
  const closing = await createLog({
    ...v1,
    hostname: 'log.example',
    key,
    clock: systemClock,
    log,
    dataDir: join(old.dataDir, 'tree'),
    lockFile: lockFileOf(join(dir, 'locks'), key.publicKey),
  });
  await closing.freeze();
  await closing.close();
  const second = await follow('new');
  open.push(second);
  assert.equal(await add(second.origin, 'c'), 2);
  const entry = await fetch(`${second.origin}/api/v1/log/entries?logIndex=0`);
  assert.equal(entry.status, 200);
});

test('a witness cosigns what the log publishes', async () => {
  const settings = stationSettings(dir, 'witnessed');
  await initStation('log2', settings, (deps) => logParts({ ...v2, env }, deps));
  const text = (await readFile(join(settings.dataDir, 'public', 'verifier-key'), 'utf8')).trim();
  const logKey = unwrap(parseVerifierKey(text));
  const log = createLogger('witness', 'silent');
  const key = generateKey('ed25519');
  const logs = [{ origin: 'log.example', key: logKey }];
  const config = { name: 'witness.example', key, logs, clock: systemClock, log };
  const witness = new Witness(config);
  const app = createHttpServer({ log, bodyBytesMax: 1024 });
  registerWitness(app, witness, config);
  const url = await listen(app, '127.0.0.1', 0);
  closers.push(async () => {
    await app.close();
    witness.close();
  });
  const policy = join(dir, 'policy');
  await writeFile(policy, `witness one ${witness.verifierKey} ${url}\nquorum one\n`);
  const make: Make = (deps) => logParts({ ...v2, env, witnessPolicyFile: policy }, deps);
  const station = await openStation('log2', settings, make);
  open.push(station);
  assert.equal(await submit(station.origin, 'seen by two'), '0');
  const checkpoint = await (await fetch(`${station.origin}/api/v2/checkpoint`)).text();
  assert.match(checkpoint, /^— witness\.example /m);
  assert.match(checkpoint, /^— log\.example /m);
});

if (hasPostgres()) {
  const server = await startPostgres();
  closers.push(() => server.stop());
  const log =
    (role: 'all' | 'front'): Make =>
    (deps) =>
      logParts({ ...v2, role, store: server.url, objects: `s3://tiles/2026?${objects}`, env }, deps);

  test('two stations take entries for one log; when the sequencer goes, its successor goes on', async () => {
    const admin = { host: '127.0.0.1', port: 0 };
    const first = await openStation('log2', stationSettings(dir, 'one', { admin }), log('all'));
    open.push(first);
    await mkdir(join(dir, 'two', 'keys'), { recursive: true, mode: 0o700 });
    const key = join('keys', 'log.key');
    await copyFile(join(dir, 'one', key), join(dir, 'two', key));
    const second = await openStation('log2', stationSettings(dir, 'two', { admin }), log('all'));
    open.push(second);
    const sequences = async (origin: string | undefined): Promise<boolean> =>
      /^waybill_log2_sequencer 1$/m.test(await (await fetch(`${origin}/metrics`)).text());
    const found = await Promise.all(
      ['a', 'b', 'c', 'd'].map((text, i) => submit((i % 2 === 0 ? first : second).origin, text)),
    );
    assert.deepEqual(
      found.toSorted((a, b) => Number(a) - Number(b)),
      ['0', '1', '2', '3'],
    );
    assert.deepEqual(
      [await sequences(first.adminOrigin), await sequences(second.adminOrigin)],
      [true, false],
    );
    await first.close();
    assert.equal(await submit(second.origin, 'e'), '4');
    assert.equal(await sequences(second.adminOrigin), true);
  });

  test('a log in a database is frozen while nobody sequences it; its stations go on reading', async () => {
    const [, second] = open.slice(-2) as [RunningStation, RunningStation];
    const held = { store: server.url, objects: `s3://tiles/2026?${objects}`, env, hostname: 'log.example' };
    const key = await fileKeyStore(join(dir, 'two', 'keys')).openKey('log', 'ed25519');
    const names = () => ({ origin: 'log.example', keyName: 'log.example' });
    const { clock, random } = stationSettings(dir, 'two');
    await assert.rejects(
      freezeStored({ ...held, names, waitMs: 50 }, key, { clock, random }),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1224',
    );
    assert.equal(await submit(second.origin, 'f'), '5');
    await second.close();
    const place = [server.url, '--objects', held.objects, '--key', join(dir, 'two', 'keys', 'log.key')];
    const unnamed = await freeze(...place);
    assert.equal(unnamed.reason?.code, 'WB-215', unnamed.reason?.actual);
    const frozen = await freeze(...place, '--hostname', 'log.example');
    assert.equal(frozen.exit, 0, frozen.reason?.actual);
    assert.match(frozen.stdout, /^log\.example\n6\n[^\n]+\nfrozen\n/);
    const again = await openStation('log2', stationSettings(dir, 'two'), log('all'));
    open.push(again);
    await requireFrozen(again.origin, 6);
  });
} else {
  console.log('note: no PostgreSQL on this machine; stations over one database did not run');
}
