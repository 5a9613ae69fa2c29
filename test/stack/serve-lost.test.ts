/** A log in a process of its own whose data or lock is missing signs nothing, a registry begins nothing anew. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { readLock } from '#platform/checkpoint-lock';
import {
  ctParts,
  initStation,
  logParts,
  openStation,
  type RunningStation,
  registryParts,
  type StationDeps,
  type StationParts,
  type StationSettings,
} from '#stack';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
after(() => rm(dir, { recursive: true, force: true }));
const signingKey = generateKey('p256');

const log = (deps: StationDeps): Promise<StationParts> =>
  logParts({ api: 'v2', hostname: 'log.example', role: 'all', env: {} }, deps);
const logWith = (lockFile: string) => (deps: StationDeps) =>
  logParts({ api: 'v2', hostname: 'log.example', role: 'all', env: {}, lockFile }, deps);

async function add(station: RunningStation, artifact: string): Promise<number> {
  const publicKey = { rawBytes: toBase64(signingKey.publicKey.spki) };
  const signature = {
    content: toBase64(signingKey.sign(utf8(artifact))),
    verifier: { publicKey, keyDetails: 'PKIX_ECDSA_P256_SHA_256' },
  };
  const body = JSON.stringify({
    hashedRekordRequestV002: { digest: toBase64(sha256(utf8(artifact))), signature },
  });
  const headers = { 'content-type': 'application/json' };
  const url = `${station.origin}/api/v2/log/entries`;
  return (await fetch(url, { method: 'POST', body, headers })).status;
}

let count = 0;
/** A log with one entry that was stopped. */
async function stopped(make = log): Promise<StationSettings> {
  const settings = stationSettings(dir, `log-${count++}`, { lockDir: join(dir, `locks-${count}`) });
  const station = await openStation('log2', settings, make);
  assert.equal(await add(station, 'one'), 201);
  await station.close();
  return settings;
}

const refuses = (opening: Promise<unknown>, code: string, ...words: RegExp[]): Promise<void> =>
  assert.rejects(opening, (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, error.message);
    for (const word of words) assert.match(error.message, word);
    return true;
  });

const lockIn = async ({ dataDir }: StationSettings): Promise<string> =>
  (JSON.parse(await readFile(join(dataDir, 'station.json'), 'utf8')) as { lockFile: string }).lockFile;

test('the lock of a log lies apart from its data, where station.json says, and no copy of it is in the folder', async () => {
  const settings = await stopped();
  const lock = await lockIn(settings);
  assert.ok(lock.startsWith(settings.lockDir as string));
  assert.match(readLock(lock) ?? '', /^log\.example\n1\n/);
  assert.equal((await readdir(join(settings.dataDir, 'tree'))).includes('lock.db'), false);
});

test('a tree that is not there, as of a volume that is not mounted, is not begun anew: WB-409, WB-411', async () => {
  const settings = await stopped();
  const tree = join(settings.dataDir, 'tree');
  await rename(tree, `${tree}.away`);
  await refuses(openStation('log2', settings, log), 'WB-409', /an empty store/, /mount its volume/);
  assert.equal(existsSync(join(tree, 'checkpoint')), false);
  await rm(tree, { recursive: true, force: true });
  const lock = await lockIn(settings);
  await rename(lock, `${lock}.away`);
  await refuses(openStation('log2', settings, log), 'WB-411', /mount its volume/);
  assert.equal(existsSync(join(tree, 'checkpoint')), false);
  await rm(tree, { recursive: true, force: true });
  await rm(lock, { force: true });
  await rename(`${tree}.away`, tree);
  await rename(`${lock}.away`, lock);
  await (await openStation('log2', settings, log)).close();
});

test('a certificate log is refused likewise', async () => {
  const ct = (deps: StationDeps): Promise<StationParts> =>
    ctParts({ name: 'ct.example', rootFiles: [] }, deps);
  const settings = stationSettings(dir, 'ct', { lockDir: join(dir, 'locks-ct') });
  await initStation('ct', settings, ct);
  await rm(join(settings.dataDir, 'tree'), { recursive: true });
  await rm(join(dir, 'locks-ct'), { recursive: true });
  await refuses(initStation('ct', settings, ct), 'WB-411', /ct\.example/);
});

test('of two copies that went on from one size, the second is refused before it signs', async () => {
  const settings = await stopped();
  const copy = join(dir, 'copied');
  await cp(settings.dataDir, copy, { recursive: true });
  const ahead = await openStation('log2', settings, log);
  assert.equal(await add(ahead, 'two'), 201);
  await ahead.close();
  await refuses(openStation('log2', { ...settings, dataDir: copy }, log), 'WB-409');
  // Side by side: whoever moves the lock first goes on.
  await rm(copy, { recursive: true });
  await cp(settings.dataDir, copy, { recursive: true });
  const [one, two] = [
    await openStation('log2', settings, log),
    await openStation('log2', { ...settings, dataDir: copy }, log),
  ];
  assert.equal(await add(one, 'three'), 201);
  assert.equal(await add(two, 'four'), 503);
  await one.close();
  await two.close();
});

test('a lock that is lost is made again only when asked; one with a path of its own stays there', async () => {
  const own = join(dir, 'own', 'log.lock');
  await mkdir(join(dir, 'own'));
  const settings = await stopped(logWith(own));
  assert.equal(await lockIn(settings), own);
  // Not named again: where it was.
  const again = await openStation('log2', settings, log);
  assert.equal(await add(again, 'two'), 201);
  await again.close();
  assert.match(readLock(own) ?? '', /^log\.example\n2\n/);
  await rm(own);
  await refuses(openStation('log2', settings, log), 'WB-409', /--adopt-lock/);
  await rm(own, { force: true });
  const adopted = await openStation('log2', { ...settings, hasLostLock: true }, log);
  assert.equal(await add(adopted, 'three'), 201);
  await adopted.close();
});

test('where there is no home and no place is named, nothing is served: WB-1212', async () => {
  const { lockDir: _none, ...homeless } = stationSettings(dir, 'homeless');
  await refuses(openStation('log2', homeless, log), 'WB-1212', /--lock-file FILE, or WAYBILL_STATE_DIR/);
});

test('the lock an earlier version kept in the folder is taken out of it, once', async () => {
  const settings = await stopped();
  const lock = await lockIn(settings);
  const inner = join(settings.dataDir, 'tree', 'lock.db');
  await rename(lock, inner);
  const station = await openStation('log2', settings, log);
  assert.equal(await add(station, 'two'), 201);
  await station.close();
  assert.equal(existsSync(inner), false);
  assert.match(readLock(lock) ?? '', /^log\.example\n2\n/);
});

test('a registry whose images are gone is not begun anew, nor after --init alone, unless it is said: WB-1104', async () => {
  const registry =
    (isEmptied = false) =>
    (deps: StationDeps): Promise<StationParts> =>
      registryParts({ isEmptied }, deps);
  const settings = stationSettings(dir, 'registry');
  await initStation('registry', settings, registry());
  await (await openStation('registry', settings, registry())).close();
  const images = join(settings.dataDir, 'images');
  await rm(images, { recursive: true });
  await refuses(openStation('registry', settings, registry()), 'WB-1104', /images\/registry\.sqlite/);
  assert.equal(existsSync(images), false, 'nothing was made in its place');
  await (await openStation('registry', settings, registry(true))).close();
  await (await openStation('registry', settings, registry())).close();
});
