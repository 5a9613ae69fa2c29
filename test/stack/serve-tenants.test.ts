/** Who may write, and how much: API keys, identity tokens and strangers at a station of its own. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createOidc, registerOidc } from '#services/oidc';
import { networkOf, openStation, readTenants, tsaParts } from '#stack';
import { stationSettings, temporaryFolder } from './serve-fixture.ts';

const dir = await temporaryFolder();
const log = createLogger('test', 'silent');
let issuer = '';
const oidc = await createOidc({
  dir: join(dir, 'oidc'),
  origin: () => issuer,
  clock: systemClock,
  random: systemRandom,
});
const idp = createHttpServer({ log, bodyBytesMax: 1024 });
registerOidc(idp, oidc);
issuer = await listen(idp, '127.0.0.1', 0);

let offset = 0;
const clock = { now: () => systemClock.now() + offset };
const tenantsFile = join(dir, 'tenants.yaml');
const hashOf = (key: string): string => toHex(sha256(utf8(key)));
const table = `
audience: tsa
tenants:
  - name: shop
    keys: [${hashOf('shop-key')}]
    requests-per-minute: 6
    body-bytes: 500
  - name: bank
    keys: [${hashOf('bank-key')}]
    tokens: [{issuer: "${issuer}", subject: "repo:bank/*"}]
    requests-per-minute: 3
  - name: bulk
    keys: [${hashOf('bulk-key')}]
    bytes-per-minute: 900
`;
await writeFile(tenantsFile, table);
const settings = { ...stationSettings(dir, 'tsa'), clock, tenantsFile };
const station = await openStation('tsa', settings, (deps) => tsaParts({}, deps));
after(async () => {
  await station.close();
  await idp.close();
  await rm(dir, { recursive: true, force: true });
});
// A minute on: every bucket is full again.
beforeEach(() => {
  offset += 60_000;
});

const body = JSON.stringify({ artifactHash: Buffer.alloc(32).toString('base64'), hashAlgorithm: 'sha256' });
const ask = (headers: Record<string, string> = {}, text = body): Promise<Response> =>
  fetch(`${station.origin}/api/v1/timestamp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  });
const key = (value: string) => ({ 'x-api-key': value });
const bearer = (value: string) => ({ authorization: `Bearer ${value}` });

test('a key lets in, however it is sent; nobody else writes: 401 in the form of the API', async () => {
  assert.equal((await ask(key('shop-key'))).status, 200);
  assert.equal((await ask(bearer('shop-key'))).status, 200);
  const basic = Buffer.from('any:shop-key').toString('base64');
  assert.equal((await ask({ authorization: `Basic ${basic}` })).status, 200);
  for (const headers of [{}, key('other'), bearer('other')] as Record<string, string>[]) {
    const answer = await ask(headers);
    assert.equal(answer.status, 401);
    const { code, message } = (await answer.json()) as { code: number; message: string };
    assert.equal(code, 401);
    assert.match(message, /\bWB-1217 station\.tenant: /);
    assert.doesNotMatch(message, /other/);
  }
});

test('reading needs nothing', async () => {
  assert.equal((await fetch(`${station.origin}/api/v1/timestamp/certchain`)).status, 200);
});

test('beyond the quota: 429 with the seconds to wait; after them, room again; others notice nothing', async () => {
  const statuses: number[] = [];
  for (let i = 0; i < 8; i++) statuses.push((await ask(key('shop-key'))).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
  const refused = await ask(key('shop-key'));
  assert.match(((await refused.json()) as { message: string }).message, /\bWB-1216 station\.quota: /);
  const seconds = Number(refused.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 10, String(seconds));
  assert.equal((await ask(key('bank-key'))).status, 200);
  offset += seconds * 1000;
  assert.equal((await ask(key('shop-key'))).status, 200);
  assert.equal((await ask(key('shop-key'))).status, 429);
});

test('a token counts for the tenant its subject belongs to, when it verifies for this audience', async () => {
  const mint = async (sub: string, aud = 'tsa'): Promise<Record<string, string>> =>
    bearer((await oidc.mint({ sub, aud, expiresIn: 36_000 })).reveal());
  const good = await mint('repo:bank/core');
  for (let i = 0; i < 3; i++) assert.equal((await ask(good)).status, 200);
  assert.equal((await ask(good)).status, 429);
  // A key and a token of one tenant share its quota.
  assert.equal((await ask(key('bank-key'))).status, 429);
  assert.equal((await ask(await mint('repo:other/core'))).status, 401);
  assert.equal((await ask(await mint('repo:bank/core', 'sigstore'))).status, 401);
});

test('a forged token is nobody’s and uses up nobody’s quota', async () => {
  const [head, claims] = (await oidc.mint({ sub: 'repo:bank/core', aud: 'tsa' })).reveal().split('.');
  const forged = `${head}.${claims}.${Buffer.alloc(256).toString('base64url')}`;
  for (let i = 0; i < 5; i++) assert.equal((await ask(bearer(forged))).status, 401);
  assert.equal((await ask(key('bank-key'))).status, 200);
});

test('bytes count as they came, a body that announces too much is not read: 413', async () => {
  assert.equal((await ask(key('shop-key'), `${body}${' '.repeat(500)}`)).status, 413);
  const padded = `${body}${' '.repeat(900)}`;
  assert.equal((await ask(key('bulk-key'), padded)).status, 200);
  assert.equal((await ask(key('bulk-key'), padded)).status, 429);
});

test('a changed table holds at once, a broken one changes nothing', async () => {
  const anonymous = 'anonymous: {requests-per-minute: 2}\n';
  await writeFile(tenantsFile, `${anonymous}${table}`);
  await station.reload();
  assert.deepEqual([(await ask()).status, (await ask()).status, (await ask()).status], [200, 200, 429]);
  await writeFile(tenantsFile, `${table}surprise: 1\n`);
  await station.reload();
  offset += 60_000;
  assert.equal((await ask()).status, 200);
});

test('a table that cannot be meant is WB-1212', () => {
  const wrong = [
    'tenants: [{name: a, keys: [plain-text-key]}]',
    'tenants: [{name: a, requests-per-minute: 0}]',
    'tenants: [{name: a, request-per-minute: 1}]',
    'tenants: [{keys: []}]',
    'tenants: [{name: a, tokens: [{issuer: "https://x"}]}]',
    'tenants: {',
    'other: 1',
  ];
  for (const text of wrong) {
    assert.throws(
      () => readTenants(text),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1212',
      text,
    );
  }
});

test('strangers are told apart by their network, not by their address', () => {
  assert.equal(networkOf('203.0.113.7'), networkOf('203.0.113.250'));
  assert.notEqual(networkOf('203.0.113.7'), networkOf('203.0.114.7'));
  assert.equal(networkOf('::ffff:203.0.113.7'), '203.0.113');
  assert.equal(networkOf('2001:db8:1:2::5'), networkOf('2001:db8:1:2:ffff::1'));
  assert.notEqual(networkOf('2001:db8:1:2::5'), networkOf('2001:db8:1:3::5'));
  assert.equal(networkOf('::1'), '0:0:0:0');
});
