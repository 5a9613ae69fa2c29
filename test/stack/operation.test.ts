/** What an operator asks of a stack: does it work, what is wrong with it, how do others come to trust it. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { examineNetwork } from '#flows/doctor-network';
import { connectableClients, documentClients } from '#formats/client-names';
import { httpTransport, type Transport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import {
  connectionOf,
  connectionText,
  examineStack,
  exportStack,
  importStack,
  selfTest,
  stackStatus,
} from '#stack';
import { loadTrust, readProfiles } from '#trust';
import { freePortBase } from '../free-ports.ts';
import { startStack, temporaryFolder, wire } from './helper.ts';

const stack = await startStack();
const { dataDir } = stack;
const cacheDir = await temporaryFolder();
const deps = { ...wire, cacheDir };

test('a stack that works passes its own test, refusals included', async () => {
  const results = await selfTest(dataDir, deps);
  assert.deepEqual(
    results.filter(({ passed }) => !passed),
    [],
  );
  assert.equal(results.length, 9);
  const seen = (name: RegExp) => results.find((one) => name.test(one.name))?.detail;
  assert.equal(seen(/another signer/), 'WB-351');
  assert.equal(seen(/another audience/), 'WB-810');
});

test('a station that is down, and one that answers nonsense, fail the test by name', async () => {
  const broken: Transport = {
    ...wire.transport,
    request: async (request) => {
      if (!request.url.startsWith(stack.origins.tsa)) return wire.transport.request(request);
      return { status: 200, headers: new Map(), body: new Uint8Array(0), url: request.url };
    },
  };
  const failed = (await selfTest(dataDir, { ...deps, transport: broken })).filter(({ passed }) => !passed);
  assert.ok(failed.length >= 2);
  assert.match(failed.map(({ name }) => name).join(), /log API v1 verifies/);
  for (const { detail } of failed) assert.notEqual(detail, '');
});

test('status names generations, rotations under way and what ends', async () => {
  await stack.rotation.rotate({ station: 'ca', overlapMs: 3_600_000 });
  const status = await stackStatus(dataDir, deps);
  const ca = status.stations.find(({ name }) => name === 'ca');
  assert.deepEqual(
    ca?.generations?.map(({ number }) => number),
    [1, 2],
  );
  assert.equal(ca?.pending?.hasSwitched, false);
  assert.deepEqual(status.ending, []);
  const later = { now: () => systemClock.now() + 3645 * 86_400_000 };
  const ending = (await stackStatus(dataDir, { ...deps, clock: later })).ending.map(({ what }) => what);
  assert.ok(
    ending.some((what) => what.startsWith('TSA')),
    ending.join(),
  );
  await stack.rotation.hasten('ca');
});

test('status shows every end, the size and age of each log, and who cosigned', async () => {
  const { stations, expiries, losses } = await stackStatus(dataDir, deps);
  const what = expiries.map((one) => one.what);
  for (const kind of [
    'CA root',
    'CA certificate',
    'TSA root',
    'TSA certificate',
    'TUF root',
    'TUF timestamp',
  ]) {
    assert.ok(what.includes(kind), what.join());
  }
  assert.deepEqual(
    expiries.map(({ at }) => at),
    expiries.map(({ at }) => at).toSorted((a, b) => a - b),
  );
  assert.deepEqual(losses, []);
  for (const name of ['ct', 'log', 'log2']) {
    const log = stations.find((one) => one.name === name);
    assert.ok((log?.entries ?? 0) > 0, `${name} has entries`);
    const age = systemClock.now() - (log?.checkpointAt ?? 0);
    assert.ok(age >= -1000 && age < 600_000, `${name}: ${age} ms`);
    assert.deepEqual(log?.witnesses, []);
  }
});

test('a sound stack has no findings; open keys, a lost file and a stuck rotation are named', async () => {
  assert.deepEqual(await examineStack(dataDir, deps), []);
  const key = join(dataDir, 'log', 'keys', 'log.key');
  await chmod(key, 0o644);
  await stack.rotation.rotate({ station: 'tsa', overlapMs: 60_000 });
  await rm(join(dataDir, 'public', 'trusted_root.json'));
  const later = { now: () => systemClock.now() + 600_000 };
  const found = await examineStack(dataDir, { ...deps, clock: later });
  const about = (name: string) => found.find((one) => one.about === name);
  assert.match(about('keys')?.message ?? '', /log\.key can be read by others \(mode 0644\)/);
  assert.match(about('trust')?.message ?? '', /trusted_root\.json is not there/);
  assert.match(about('rotation')?.message ?? '', /rotation of tsa/);
  assert.match(about('clock')?.message ?? '', /(?:59\d|6\d\d) s apart/);
  for (const { fix } of found) assert.notEqual(fix, '');
  await chmod(key, 0o600);
  await stack.rotation.hasten('tsa');
});

test('an export carries trust to a machine that never reaches the stack, after its root was compared', async () => {
  const folder = join(await temporaryFolder(), 'out');
  const { rootChecksum, mirror } = await exportStack(dataDir, folder, deps);
  for (const name of await readdir(folder, { recursive: true })) {
    assert.doesNotMatch(name, /\.key$/);
  }
  const place = { cacheDir: await temporaryFolder(), configDir: await temporaryFolder(), name: 'theirs' };
  const code = (wanted: string) => (error: unknown) =>
    error instanceof WaybillError && error.reason.code === wanted;
  await assert.rejects(importStack(folder, `sha512:${'0'.repeat(128)}`, place), code('WB-608'));
  await importStack(folder, rootChecksum, place);
  // Single files that somebody swapped for those of another stack, or changed.
  const stranger = await startStack();
  for (const name of [
    'trusted_root.json',
    'signing_config.v0.2.json',
    'signing_config_rekor_v2.v0.2.json',
    'client_trust_config.json',
    'rekor.pub',
    'ctfe.pub',
    'fulcio_chain.pem',
    'tsa_chain.pem',
  ]) {
    const ours = await readFile(join(folder, name));
    await writeFile(join(folder, name), await readFile(join(stranger.dataDir, 'public', name)));
    await assert.rejects(importStack(folder, rootChecksum, place), (error: unknown) => {
      code('WB-1218')(error);
      return String(error).includes(name);
    });
    await writeFile(join(folder, name), ours);
  }
  await importStack(folder, rootChecksum, place);
  const profile = (await readProfiles(place.configDir)).profiles.get('theirs');
  assert.equal(profile?.tufMirror, mirror);
  const nobody: Transport = {
    request: () => Promise.reject(new Error('asked')),
    stream: () => Promise.reject(new Error('asked')),
  };
  const source = { kind: 'tuf', mirror, cacheDir: place.cacheDir, offline: true } as const;
  const trust = await loadTrust({ ...source, root: profile?.tufRoot ?? '' }, { transport: nobody });
  assert.equal(trust.trustedRoot.tlogs.length, 2);
  await writeFile(join(folder, 'stack-export.json'), '{}');
  await assert.rejects(importStack(folder, rootChecksum, place), code('WB-1218'));
});

test('every client is told with addresses of this stack and files that are there', async () => {
  const documented: ReadonlySet<string> = new Set(documentClients);
  for (const client of connectableClients.filter((one) => !documented.has(one))) {
    const connection = connectionOf(client, dataDir, stack.state);
    const text = connectionText(connection);
    const about = client === 'crane' || client === 'skopeo' ? stack.registryHost : '127.0.0.1';
    assert.ok(connection.commands.length > 0 && text.includes(about), text);
    for (const [path] of text.matchAll(new RegExp(`${dataDir}[^\\s'"]*`, 'g'))) {
      if (path.endsWith('trusted_root.json')) continue;
      await readFile(path);
    }
    // For eval: everything but exports is a comment.
    for (const line of text.split('\n')) assert.match(line, /^(?:#|export [A-Z_0-9]+=)/);
  }
});

const log = createLogger('test', 'silent');
const app = createHttpServer({ log, bodyBytesMax: 10 });
app.get('/', async () => 'ok');
app.get('/late', (_request, reply) =>
  reply.header('date', new Date(Date.now() - 3_600_000).toUTCString()).send('ok'),
);
const origin = await listen(app, '127.0.0.1', 0);
after(() => app.close());

test('the network is tried in steps, and the first that fails is named', async () => {
  const port = await freePortBase();
  const plain = origin.replace('http:', 'https:');
  const endpoints = [
    { what: 'good', url: `${origin}/` },
    { what: 'gone', url: `http://127.0.0.1:${port}/` },
    { what: 'no name', url: 'http://no-such-host.invalid/' },
    { what: 'no TLS', url: `${plain}/` },
    { what: 'other', url: `${origin}/nothing` },
    { what: 'late', url: `${origin}/late` },
  ];
  const env = { https_proxy: 'http://proxy:3128' };
  const reports = await examineNetwork(endpoints, { transport: httpTransport(), clock: systemClock, env });
  assert.deepEqual(
    reports.map(({ what, failed }) => [what, failed]),
    [
      ['good', undefined],
      ['gone', 'connection'],
      ['no name', 'name'],
      ['no TLS', 'tls'],
      ['other', 'answer'],
      ['late', 'clock'],
    ],
  );
  assert.match(reports[1]?.fix ?? '', /https_proxy is set, and waybill uses no proxy/);
});
