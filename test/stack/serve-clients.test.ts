/** Stations that take connections only with a client's certificate, and tenants that are told by theirs. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import { type HttpResponse, httpTransport } from '#platform/http-client';
import { type LoadedTls, readTlsFiles } from '#platform/server-tls';
import { openStation, readTenants, tsaParts } from '#stack';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';
import { tlsPki } from './tls-pki.ts';

const dir = await temporaryFolder();
const servers = await tlsPki(dir, 'servers');
const clients = await tlsPki(dir, 'clients');
const others = await tlsPki(dir, 'others');
const server = await servers.server('tsa', ['127.0.0.1']);
const clientCaFile = join(dir, 'client-ca.pem');
await writeFile(clientCaFile, clients.ca);

const uri = (value: string) => ({ type: 'uri', value }) as const;
const shop = await clients.client('shop', { name: 'shop' });
const bank = await clients.client('bank', { name: 'bank', sans: [uri('spiffe://acme/bank/ci')] });
const stranger = await clients.client('stranger', { name: 'stranger' });

const tenantsFile = join(dir, 'tenants.yaml');
await writeFile(
  tenantsFile,
  `tenants:
  - {name: shop, requests-per-minute: 2, certificates: [{subject: "CN=shop,O=acme"}]}
  - {name: bank, certificates: [{dns: bank.example}, {uri: "spiffe://acme/bank/*"}]}
`,
);
const tls = { ...server, clientCaFile };
const admin = { host: '127.0.0.1', port: 0 };
const open = (name: string, more: object) =>
  openStation('tsa', stationSettings(dir, name, { tls, ...more }), (deps) => tsaParts({}, deps));
const station = await open('tsa', { admin, tenantsFile });
after(async () => {
  await station.close();
  await rm(dir, { recursive: true, force: true });
});

type Files = Awaited<ReturnType<typeof clients.client>>;
const body = Buffer.from(
  JSON.stringify({ artifactHash: Buffer.alloc(32).toString('base64'), hashAlgorithm: 'sha256' }),
);
const through = (client?: Files) =>
  httpTransport({ onlyCaFile: servers.caFile, ...(client === undefined ? {} : { client }) });
const get = (path: string, client?: Files): Promise<HttpResponse> =>
  through(client).request({ url: `${station.origin}${path}` });
const stamp = (client?: Files): Promise<HttpResponse> =>
  through(client).request({
    url: `${station.origin}/api/v1/timestamp`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });

const noConnection = (error: unknown): boolean =>
  error instanceof WaybillError && error.reason.code === 'WB-201';

test('a client with a certificate of the authority is served', async () => {
  assert.equal((await get('/api/v1/timestamp/certchain', stranger)).status, 200);
  assert.equal((await get('/healthz', stranger)).status, 200);
});

test('without one nothing answers, health included; WB-201 says what is missing', async () => {
  for (const path of ['/', '/healthz', '/readyz', '/api/v1/timestamp/certchain']) {
    await assert.rejects(
      get(path),
      (error) => noConnection(error) && /asks for a certificate/.test(`${error}`),
    );
  }
});

test('another authority, an end that is past, and another purpose are no certificate', async () => {
  const wrong = [
    await others.client('eve', { name: 'shop' }),
    await clients.client('late', { name: 'shop', endsIn: -1000 }),
    await clients.client('web', { name: 'shop', purpose: 'serverAuth' }),
  ];
  for (const client of wrong) await assert.rejects(get('/healthz', client), noConnection, client.certFile);
});

test('health and metrics are exempt on the address of the operator alone', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await fetch(`${station.adminOrigin}${path}`)).status, 200, path);
  }
});

test('a tenant is told by its certificate: by subject, or by a name of the kind that is asked for', async () => {
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await stamp(shop)).status);
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.equal((await stamp(bank)).status, 200);
  const refused = await stamp(stranger);
  assert.equal(refused.status, 401);
  assert.match(Buffer.from(refused.body).toString(), /WB-1217 .*certificate of a tenant/);
  // What a certificate calls an e-mail address is no URI, and the end of a subject is no subject.
  const email = { type: 'email', value: 'spiffe://acme/bank/ci' } as const;
  const close = [
    await clients.client('close-1', { name: 'eve', sans: [email] }),
    await clients.client('close-2', { name: 'xshop' }),
    await clients.client('close-3', { name: 'eve', sans: [uri('spiffe://acme/banker')] }),
  ];
  for (const client of close) assert.equal((await stamp(client)).status, 401, client.certFile);
});

test('a rule names one kind of name', () => {
  for (const rule of ['{}', '{dns: a, uri: b}', '{sha256: a}', '{dns: ""}']) {
    const wrong = (error: unknown): boolean =>
      error instanceof WaybillError && error.reason.code === 'WB-1212';
    assert.throws(() => readTenants(`tenants: [{name: a, certificates: [${rule}]}]`), wrong, rule);
  }
});

test('another file of authorities counts at the next reading; one that cannot be used changes nothing', async () => {
  const eve = await others.client('later', { name: 'later' });
  await writeFile(clientCaFile, clients.ca + others.ca);
  await station.reload();
  assert.equal((await get('/healthz', eve)).status, 200);
  await writeFile(clientCaFile, 'nothing');
  await station.reload();
  assert.equal((await get('/healthz', eve)).status, 200);
  await writeFile(clientCaFile, clients.ca);
  await station.reload();
  await assert.rejects(get('/healthz', eve), noConnection);
  assert.equal((await get('/healthz', stranger)).status, 200);
});

test('a file without authorities is refused at the start: WB-216', async () => {
  const load = async (text: string): Promise<LoadedTls> => {
    const file = join(dir, 'wrong.pem');
    await writeFile(file, text);
    return readTlsFiles({ ...server, clientCaFile: file });
  };
  const leaf = await readTlsFiles({ certFile: shop.certFile, keyFile: shop.keyFile });
  for (const text of ['', 'nothing', leaf.cert]) {
    const wrong = (error: unknown): boolean =>
      error instanceof WaybillError && error.reason.code === 'WB-216';
    await assert.rejects(load(text), wrong, text.slice(0, 40));
  }
});

test('beyond this machine, clients with certificates need no tenants', async () => {
  const listen = { host: '0.0.0.0', port: 0 };
  const closed = await open('beyond', { listen });
  await closed.close();
  const { clientCaFile: _, ...plain } = tls;
  await assert.rejects(
    open('beyond', { listen, tls: plain }),
    (error: unknown) => error instanceof WaybillError && error.reason.code === 'WB-1212',
  );
});
