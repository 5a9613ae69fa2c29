/** A station that must not start says so before it listens, and changes nothing. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { systemClock } from '#platform/system';
import {
  ctParts,
  initStation,
  logParts,
  openStation,
  registryParts,
  type StationDeps,
  type StationParts,
  type StationSettings,
  tsaParts,
} from '#stack';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
after(() => rm(dir, { recursive: true, force: true }));

const tsa = (deps: StationDeps): Promise<StationParts> => tsaParts({}, deps);
const log = (deps: StationDeps): Promise<StationParts> =>
  logParts({ api: 'v2', hostname: 'log.example', role: 'all', env: {} }, deps);

/** Of an authority of the tests. */
async function rootPem(): Promise<string> {
  const settings = stationSettings(dir, 'roots');
  await initStation('tsa', settings, tsa);
  const chain = await readFile(join(settings.dataDir, 'public', 'chain.pem'), 'utf8');
  return chain.slice(chain.lastIndexOf('-----BEGIN'));
}

let count = 0;
/** A station that has run once. */
async function settled(kind = 'tsa', make = tsa): Promise<StationSettings> {
  const settings = stationSettings(dir, `${kind}-${count++}`);
  await (await openStation(kind, settings, make)).close();
  return settings;
}

const refuses = (opening: Promise<unknown>, code: string, words?: RegExp): Promise<void> =>
  assert.rejects(opening, (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code, error.message);
    if (words !== undefined) assert.match(error.message, words);
    return true;
  });

test('a second start is the same station with the same key', async () => {
  const settings = await settled();
  const before = await readFile(join(settings.dataDir, 'public', 'chain.pem'), 'utf8');
  await (await openStation('tsa', settings, tsa)).close();
  assert.equal(await readFile(join(settings.dataDir, 'public', 'chain.pem'), 'utf8'), before);
});

test('beyond this machine, writes by whoever comes are taken only where that is said: WB-1212', async () => {
  const beyond = { listen: { host: '0.0.0.0', port: 0 } };
  const registry = (deps: StationDeps): Promise<StationParts> => registryParts({}, deps);
  const withRoots = (deps: StationDeps) =>
    ctParts({ name: 'ct.example', rootFiles: [join(dir, 'roots.pem')] }, deps);
  await writeFile(join(dir, 'roots.pem'), await rootPem());
  for (const [kind, make] of Object.entries({ tsa, log2: log, ct: withRoots, registry })) {
    const settings = stationSettings(dir, `open-${kind}`, beyond);
    await refuses(openStation(kind, settings, make), 'WB-1212', /--tenants FILE .* or --public-writes/);
    await (await openStation(kind, { ...settings, hasPublicWrites: true }, make)).close();
  }
  const tenantsFile = join(dir, 'writers.yaml');
  await writeFile(tenantsFile, 'tenants: []\n');
  await (await openStation('tsa', stationSettings(dir, 'open-tsa', { ...beyond, tenantsFile }), tsa)).close();
  const tokensFile = join(dir, 'tokens.yaml');
  await writeFile(tokensFile, 'tokens: []\n', { mode: 0o600 });
  const kept = (deps: StationDeps): Promise<StationParts> => registryParts({ tokensFile }, deps);
  await (await openStation('registry', stationSettings(dir, 'open-registry', beyond), kept)).close();
  // Keys may be made anywhere: nothing is served.
  await initStation('tsa', stationSettings(dir, 'init-tsa', beyond), tsa);
});

test('metrics leave this machine only where that is said: WB-1212', async () => {
  const beyond = stationSettings(dir, 'open-admin', { admin: { host: '0.0.0.0', port: 0 } });
  await refuses(
    openStation('tsa', beyond, tsa),
    'WB-1212',
    /--admin on a loopback address, or --public-admin/,
  );
  const station = await openStation('tsa', { ...beyond, isAdminPublic: true }, tsa);
  const at = new URL(station.adminOrigin ?? '');
  assert.equal((await fetch(`http://127.0.0.1:${at.port}/metrics`)).status, 200);
  await station.close();
});

test('two processes cannot use one data directory: WB-210', async () => {
  const settings = await settled();
  const running = await openStation('tsa', settings, tsa);
  await refuses(openStation('tsa', settings, tsa), 'WB-210');
  await running.close();
});

test('a key that is not there any more is not made anew: WB-1213', async () => {
  const settings = await settled('log2', log);
  const key = join(settings.dataDir, 'keys', 'log.key');
  await rename(key, `${key}.away`);
  await refuses(openStation('log2', settings, log), 'WB-1213');
  await rename(`${key}.away`, key);
  await (await openStation('log2', settings, log)).close();
});

test('the key of another log is refused before it signs: WB-1213', async () => {
  const [one, two] = [await settled('log2', log), await settled('log2', log)];
  const keyOf = ({ dataDir }: StationSettings): string => join(dataDir, 'keys', 'log.key');
  await writeFile(keyOf(one), await readFile(keyOf(two)), { mode: 0o600 });
  await refuses(openStation('log2', one, log), 'WB-1213', /as it was published/);
});

test('a key that the published root does not have is refused: WB-1213', async () => {
  const settings = await settled('log2', log);
  const trustedRootFile = join(dir, 'trusted_root.json');
  const empty = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' };
  await writeFile(trustedRootFile, JSON.stringify(empty));
  await refuses(openStation('log2', { ...settings, trustedRootFile }, log), 'WB-1213', /trusted_root/);
});

test('data of another station, or of another version, is left alone: WB-1214', async () => {
  const settings = await settled();
  const path = join(settings.dataDir, 'station.json');
  const text = await readFile(path, 'utf8');
  await refuses(openStation('log2', settings, log), 'WB-1214', /data of tsa/);
  await writeFile(path, text.replace('station/v1', 'station/v2'));
  await refuses(openStation('tsa', settings, tsa), 'WB-1214', /station\/v2/);
  await writeFile(path, '{"schema":');
  await refuses(openStation('tsa', settings, tsa), 'WB-1214');
  assert.equal(await readFile(path, 'utf8'), '{"schema":');
});

test('a clock that went back over a restart is refused: WB-1215', async () => {
  const settings = await settled();
  const behind = { now: () => systemClock.now() - 60_000 };
  await refuses(openStation('tsa', { ...settings, clock: behind }, tsa), 'WB-1215');
  await (await openStation('tsa', settings, tsa)).close();
});

test('a clock that goes back while it runs ends the station: WB-1215', async () => {
  const settings = stationSettings(dir, 'clock');
  let offset = 0;
  const clock = { now: () => systemClock.now() + offset };
  const running = await openStation('tsa', { ...settings, clock, reloadMs: 20 }, tsa);
  offset = -60_000;
  const why = await running.failed;
  assert.equal(why.reason.code, 'WB-1215');
  await running.close();
});

test('a key others may read is refused: WB-219; a folder others may write to: WB-1214', async () => {
  const settings = await settled();
  const key = join(settings.dataDir, 'keys', 'tsa.key');
  for (const mode of [0o640, 0o604]) {
    await chmod(key, mode);
    await refuses(openStation('tsa', settings, tsa), 'WB-219');
  }
  await chmod(key, 0o600);
  await chmod(settings.dataDir, 0o770);
  await refuses(openStation('tsa', settings, tsa), 'WB-1214', /closed to other writers/);
});

test('keys under a passphrase open with it alone: WB-219', async () => {
  const settings = { ...stationSettings(dir, 'secret'), passphrase: new Secret('correct horse') };
  await (await openStation('tsa', settings, tsa)).close();
  assert.match(await readFile(join(settings.dataDir, 'keys', 'tsa.key'), 'utf8'), /ENCRYPTED/);
  const { passphrase: _none, ...without } = settings;
  await refuses(openStation('tsa', without, tsa), 'WB-219');
  await refuses(openStation('tsa', { ...settings, passphrase: new Secret('other') }, tsa), 'WB-219');
  await (await openStation('tsa', settings, tsa)).close();
});

test('the folder of a development stack is no station: WB-1203', async () => {
  const settings = stationSettings(dir, 'development');
  await mkdir(settings.dataDir, { mode: 0o700 });
  const names = ['oidc', 'ca', 'ct', 'log', 'log2', 'tsa', 'tuf', 'registry', 'audit'];
  const origins = Object.fromEntries(names.map((name) => [name, 'http://127.0.0.1:1']));
  const state = { schema: 'waybill.dev/stack/v1', development: true, createdAt: 1, origins, pid: 1 };
  await writeFile(join(settings.dataDir, 'stack.json'), JSON.stringify(state));
  await refuses(openStation('tsa', settings, tsa), 'WB-1203');
});

test('settings that are not complete are WB-1212 and leave no open port', async () => {
  const incomplete = (deps: StationDeps): Promise<StationParts> =>
    logParts({ api: 'v1', role: 'all', env: {} }, deps);
  await refuses(initStation('log', stationSettings(dir, 'incomplete'), incomplete), 'WB-1212');
  for (const store of ['mysql://x', 's3://bucket', 'postgres:/x']) {
    const wrong = (deps: StationDeps): Promise<StationParts> =>
      logParts({ api: 'v1', hostname: 'x', role: 'all', env: {}, store }, deps);
    await refuses(openStation('log', stationSettings(dir, `store-${count++}`), wrong), 'WB-1212');
  }
});
