/** One certificate log of several stations over PostgreSQL and an object store, and of one over a bucket. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { publicKeyFromPem } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import {
  type CtSettings,
  ctParts,
  initStation,
  openStation,
  type RunningStation,
  type StationDeps,
  type StationParts,
} from '#stack';
import { hasPostgres, startPostgres } from '../double/postgres.ts';
import { startS3 } from '../double/s3.ts';
import {
  type Promised,
  precertificate,
  requireLogged,
  rootPem,
  submit,
  submitUntilTaken,
} from './ct-load.ts';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
const open = new Set<RunningStation>();
const s3 = await startS3('tiles', 'whole');
const closers: (() => Promise<void>)[] = [() => s3.close(), () => rm(dir, { recursive: true, force: true })];
after(async () => {
  for (const station of open) await station.close();
  for (const close of closers) await close();
});
const rootFile = join(dir, 'roots.pem');
await writeFile(rootFile, rootPem);
const objects = `endpoint=${encodeURIComponent(s3.endpoint)}`;
const name = 'ct.example/2026';
const env = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
type Make = (deps: StationDeps) => Promise<StationParts>;
const ct =
  (settings: Partial<CtSettings>): Make =>
  (deps) =>
    ctParts({ name, rootFiles: [rootFile], env, ...settings }, deps);
const admin = { host: '127.0.0.1', port: 0 };

async function up(folder: string, make: Make): Promise<RunningStation> {
  const station = await openStation('ct', stationSettings(dir, folder, { admin }), make);
  open.add(station);
  return station;
}

async function down(station: RunningStation): Promise<void> {
  open.delete(station);
  await station.close();
}

/** The key of one station in the folder of another. */
async function shareKey(from: string, to: string): Promise<void> {
  await mkdir(join(dir, to, 'keys'), { recursive: true, mode: 0o700 });
  const key = join('keys', 'log.key');
  await copyFile(join(dir, from, key), join(dir, to, key));
}

const keyOf = ({ about }: RunningStation) => unwrap(publicKeyFromPem(String(about.key)));

test('a certificate log whose whole life is in a bucket goes on after a restart from an empty folder', async () => {
  const make = ct({ store: `s3://whole/ct?${objects}` });
  const first = await up('bucket', make);
  const promised: Promised[] = [];
  for (const number of [1, 2]) promised.push(await submitUntilTaken([first.origin], precertificate(number)));
  await down(first);
  await shareKey('bucket', 'elsewhere');
  const second = await up('elsewhere', make);
  promised.push(await submitUntilTaken([second.origin], precertificate(3)));
  promised.push(await submitUntilTaken([second.origin], promised[0]?.precert ?? precertificate(1)));
  await requireLogged([second.origin], { name, publicKey: keyOf(second) }, promised);
});

test('options that do not fit a place are refused', async () => {
  for (const settings of [
    { objects: `s3://tiles?${objects}` },
    { store: 'postgres:///x', lockFile: join(dir, 'lock') },
    { store: 'mysql://x' },
  ]) {
    const refused = initStation('ct', stationSettings(dir, 'unfit'), ct(settings));
    await assert.rejects(
      refused,
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1212',
    );
  }
});

if (hasPostgres()) {
  const server = await startPostgres();
  closers.push(() => server.stop());
  const shared = { store: server.url, objects: `s3://tiles/ct?${objects}` };
  const sequences = async ({ adminOrigin }: RunningStation): Promise<boolean> =>
    /^waybill_ct_sequencer 1$/m.test(await (await fetch(`${adminOrigin}/metrics`)).text());

  test('front ends of one certificate log lose and double nothing, and outlive its sequencer', async () => {
    const first = await up('one', ct({ ...shared, role: 'sequencer', rootFiles: [] }));
    for (const folder of ['two', 'three']) await shareKey('one', folder);
    const fronts = [await up('two', ct({ ...shared, role: 'front' })), await up('three', ct(shared))];
    const origins = fronts.map(({ origin }) => origin);
    assert.equal(await submit(first.origin, precertificate(0)), 404, 'a sequencer takes nothing itself');
    assert.deepEqual(await Promise.all([first, ...fronts].map(sequences)), [true, false, false]);
    const both = await Promise.all(
      Array.from({ length: 120 }, (_, i) => submitUntilTaken(origins, precertificate(i % 100), i)),
    );
    await requireLogged(origins, { name, publicKey: keyOf(first) }, both);
    // Under way while the sequencer goes: each has a promise in the end, none two entries.
    const during = Array.from({ length: 60 }, (_, i) =>
      submitUntilTaken(origins, precertificate(200 + (i % 50)), i),
    );
    const [later] = await Promise.all([Promise.all(during), down(first)]);
    const last = await submitUntilTaken(origins, precertificate(300));
    assert.deepEqual(await Promise.all(fronts.map(sequences)), [false, true]);
    await requireLogged(origins, { name, publicKey: keyOf(first) }, [...both, ...later, last]);
  });
} else {
  console.log('note: no PostgreSQL on this machine; a certificate log over one database did not run');
}
