/**
 * What every station holds its clients to, line by line over raw sockets: caps of bodies and headers, times, one
 * reading of a request, TLS, and what is never said. The defaults are asserted by value, the times are shortened here.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { generateKey } from '#base/crypto';
import { limits } from '#base/limits';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { createHttpServer, httpDefaults, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import { openStation, tsaParts } from '#stack';
import { startConstellation } from './serve-fixture.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const times = { headers: 250, request: 500, keepAlive: 250, silence: 5000, look: 50 };
const world = await startConstellation(() => ({ admin: { host: '127.0.0.1', port: 0 } }));
after(() => world.close());
const originOf = (name: string): string => (world.stations.get(name) as { origin: string }).origin;

/** Writes all of `parts`, then listens until the server closes or `until` is seen; what it answered. */
function talk(origin: string, parts: readonly (string | Uint8Array)[], until?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket: Socket = connect(Number(new URL(origin).port), '127.0.0.1');
    const end = (): void => {
      socket.destroy();
      resolve(answer);
    };
    for (const part of parts) socket.write(part);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (until?.test(answer)) end();
    });
    socket.on('error', () => {});
    socket.on('close', end);
  });
}
const head = (method: string, path: string, ...lines: string[]): string =>
  `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
const statusLine = /^HTTP\/1\.1 \d{3} /;

test('the defaults: headers in 10 s and 16 kB, a request in 30 s, 65 s between two, 4,096 connections', async () => {
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1 });
  const { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections } = app.server;
  assert.deepEqual(
    { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections },
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, maxConnections: 4096 },
  );
  assert.equal(httpDefaults.headerBytes, 16 * KiB);
  await app.close();
});

/** Where each takes a body, and how large it may be. */
const bodies: readonly (readonly [name: string, method: string, path: string, bytes: number])[] = [
  ['ca', 'POST', '/api/v2/signingCert', 64 * KiB],
  ['tsa', 'POST', '/api/v1/timestamp', 64 * KiB],
  ['ct', 'POST', '/ct/v1/add-chain', 512 * KiB],
  ['log', 'POST', '/api/v1/log/entries', 4 * MiB],
  ['log2', 'POST', '/api/v2/log/entries', 1 * MiB],
  ['registry', 'PUT', '/v2/a/manifests/latest', 4 * MiB],
  ['oidc', 'POST', '/token', 64 * KiB],
  ['tuf', 'POST', '/timestamp.json', 1 * KiB],
];

test('the caps of bodies, by value; the webhook takes 10 MB', () => {
  const { caRequestBytes, tsaRequestBytes, logRequestBytes, logEnvelopeBytes, manifestBytes } = limits;
  assert.deepEqual(
    [caRequestBytes, tsaRequestBytes, logRequestBytes, logEnvelopeBytes, manifestBytes],
    [64 * KiB, 64 * KiB, 1 * MiB, 4 * MiB, 4 * MiB],
  );
  assert.equal(limits.admissionReviewBytes, 10 * MiB);
  assert.equal(limits.builderRequestBytes, 64 * KiB);
});

/** Fulcio, Rekor v2 and the timestamp authority make a bad request of what is too large. */
const tooLarge: Readonly<Record<string, number>> = { ca: 400, log2: 400, tsa: 400 };

for (const [name, method, path, bytes] of bodies) {
  const status = tooLarge[name] ?? 413;
  const refused = new RegExp(`^HTTP/1\\.1 ${status} `);
  test(`${name}: a body of ${bytes} bytes is read, one byte more is ${status}, announced or not`, async () => {
    const type = `content-type: application/${name === 'tsa' ? 'timestamp-query' : 'json'}`;
    const whole = [head(method, path, type, `content-length: ${bytes}`), Buffer.alloc(bytes, 0x20)];
    const most = await talk(originOf(name), whole, statusLine);
    assert.match(most, /^HTTP\/1\.1 4(?!13)\d\d /);
    assert.doesNotMatch(most, /\bat .*\.ts:\d+/);
    if (name === 'tuf') return;
    const announced = [head(method, path, type, `content-length: ${bytes + 1}`)];
    // The registry counts what comes: uploads are streams.
    if (name === 'registry') announced.push(' '.repeat(bytes + 1));
    assert.match(await talk(originOf(name), announced, statusLine), refused);
    const chunks = [
      head(method, path, type, 'transfer-encoding: chunked'),
      `${(bytes + 1).toString(16)}\r\n`,
      Buffer.alloc(bytes + 1, 0x20),
    ];
    assert.match(await talk(originOf(name), chunks, statusLine), refused);
  });
}

test('headers above 16 kB are 431, and a little less is read', async () => {
  const with_ = (bytes: number): string => head('GET', '/healthz', `a: ${'x'.repeat(bytes)}`);
  assert.match(await talk(originOf('ca'), [with_(16 * KiB)]), /^HTTP\/1\.1 431 /);
  assert.match(await talk(originOf('ca'), [with_(15 * KiB)], statusLine), /^HTTP\/1\.1 200 /);
});

test('whoever says nothing, half of the headers, half of a body, or nothing more is let go', async () => {
  const station = await openStation('tsa', world.settings('tsa-times', { times }), (deps) =>
    tsaParts({}, deps),
  );
  const { origin } = station;
  try {
    // Whoever is kept is waited for here.
    await talk(origin, []);
    const half = await talk(origin, ['POST /api/v1/timestamp HTTP/1.1\r\nhost: x\r\n']);
    assert.match(half, /^HTTP\/1\.1 408 /);
    await talk(origin, [head('POST', '/api/v1/timestamp', 'content-length: 9'), 'half']);
    assert.match(await talk(origin, [head('GET', '/healthz')]), /^HTTP\/1\.1 (?:200|408) /);
  } finally {
    await station.close();
  }
});

const twoReadings: Readonly<Record<string, readonly string[]>> = {
  'two lengths': ['content-length: 1', 'content-length: 2'],
  'the same length twice': ['content-length: 1', 'content-length: 1'],
  'a length and chunks': ['content-length: 1', 'transfer-encoding: chunked'],
  'chunks twice': ['transfer-encoding: chunked', 'transfer-encoding: chunked'],
  'chunks that are not last': ['transfer-encoding: chunked, identity'],
  'a second host': ['host: other'],
  'a folded header': ['a: b\r\n c'],
};
for (const [what, lines] of Object.entries(twoReadings)) {
  test(`${what}: 400, and the connection ends`, async () => {
    const answer = await talk(originOf('log2'), [head('POST', '/api/v2/log/entries', ...lines), 'x']);
    assert.match(answer, /^HTTP\/1\.1 400 /);
  });
}

test('beyond its connections a server closes at once, and goes on when one has left', async () => {
  const app = createHttpServer({
    ...{ log: createLogger('test', 'silent'), bodyBytesMax: 1, connectionsMax: 2 },
  });
  app.get('/', async () => 'served');
  const origin = await listen(app, '127.0.0.1', 0);
  const connections = promisify(app.server.getConnections.bind(app.server));
  const untilThereAre = async (count: number): Promise<void> => {
    while ((await connections()) !== count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  try {
    const held = [1, 2].map(() => connect(Number(new URL(origin).port), '127.0.0.1'));
    await untilThereAre(2);
    assert.equal(await talk(origin, [head('GET', '/')]), '');
    for (const socket of held) socket.destroy();
    await untilThereAre(0);
    assert.match(await talk(origin, [head('GET', '/')], statusLine), /^HTTP\/1\.1 200 /);
  } finally {
    await app.close();
  }
});

/** What everybody may read, pages included; nothing of it depends on who asks. */
const readByPages = new Set(['ct', 'log', 'log2', 'tuf']);

test('every answer says nosniff, only logs and trust may be read by pages, and no folder is listed', async () => {
  for (const [name, { origin }] of world.stations) {
    for (const path of ['/', '/public/', '/nothing', '/healthz', '/%00', '/api/']) {
      const answer = await talk(origin, [head('GET', path, 'origin: https://evil.example')], /\r\n\r\n/);
      assert.match(answer, /x-content-type-options: nosniff/i, `${name} ${path}: ${answer}`);
      assert.doesNotMatch(answer, /allow-credentials|station\.json|\.key\b|server: /i, `${name} ${path}`);
      if (!readByPages.has(name)) assert.doesNotMatch(answer, /access-control-allow/i, `${name} ${path}`);
      if (path !== '/healthz') assert.match(answer, /^HTTP\/1\.1 40\d /, `${name} ${path}`);
    }
  }
});

test('metrics are on the address of the operator alone', async () => {
  for (const [name, { origin, adminOrigin }] of world.stations) {
    assert.match(await talk(origin, [head('GET', '/metrics')], statusLine), /^HTTP\/1\.1 40\d /, name);
    assert.match(await talk(adminOrigin ?? '', [head('GET', '/metrics')], statusLine), /^HTTP\/1\.1 200 /);
  }
});

test('a header never says where a client is', async () => {
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1 });
  app.get('/', async (request) => ({ ip: request.ip, ips: request.ips ?? null, host: request.hostname }));
  const origin = await listen(app, '127.0.0.1', 0);
  const said = ['x-forwarded-for: 10.9.8.7', 'x-real-ip: 10.9.8.7', 'forwarded: for=10.9.8.7'];
  const answer = await talk(origin, [head('GET', '/', ...said, 'x-forwarded-host: evil')], /\}$/);
  assert.match(answer, /\{"ip":"127\.0\.0\.1","ips":null,"host":"127\.0\.0\.1"\}$/);
  await app.close();
});

test('TLS: 1.2 and 1.3 with authenticated encryption, no HTTP/2, and who never begins is let go', async () => {
  const now = Date.now();
  const issue = {
    serial: serialNumber(new Uint8Array(20).fill(7)),
    notBefore: now - 60_000,
    notAfter: now + 864e5,
  };
  const authority = selfSignedAuthority('test', generateKey('p256'), issue);
  const key = generateKey('p256');
  const leaf = serverCertificate(authority, ['localhost'], key.publicKey, issue);
  const [certFile, keyFile] = [join(world.dir, 'tls.pem'), join(world.dir, 'tls.key')];
  await writeFile(certFile, pemEncode('CERTIFICATE', leaf));
  await writeFile(keyFile, key.exportPem(), { mode: 0o600 });
  const tls = { certFile, keyFile };
  const open = (name: string, more: object) =>
    openStation('tsa', world.settings(name, { tls, ...more }), (deps) => tsaParts({}, deps));
  const station = await open('tsa-tls', {});
  const hasty = await open('tsa-tls-times', { times });
  const ca = pemEncode('CERTIFICATE', authority.certificate.der);
  const shake = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const { port } = new URL(station.origin);
      const socket = connectTls({ port: Number(port), servername: 'localhost', ca, ...options }, () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().standardName} ${socket.alpnProtocol}`);
        socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    });
  try {
    assert.match(await shake({}), /^TLSv1\.3 TLS_\w+_(?:GCM|POLY1305)_SHA\d+ /);
    assert.match(
      await shake({ maxVersion: 'TLSv1.2' }),
      /^TLSv1\.2 TLS_ECDHE_ECDSA_WITH_\w+_(?:GCM|POLY1305)/,
    );
    assert.match(await shake({ ALPNProtocols: ['h2', 'http/1.1'] }), / http\/1\.1$/);
    const weak = 'ALL:@SECLEVEL=0';
    for (const version of ['TLSv1', 'TLSv1.1']) {
      const refused = await shake({ minVersion: version, maxVersion: version, ciphers: weak });
      assert.match(refused, /PROTOCOL|VERSION|UNSUPPORTED/i);
    }
    for (const cipher of ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA', 'AES128-GCM-SHA256']) {
      const refused = await shake({ maxVersion: 'TLSv1.2', ciphers: `${cipher}:@SECLEVEL=0` });
      assert.match(refused, /HANDSHAKE_FAILURE|CIPHER/i, cipher);
    }
    await talk(hasty.origin, []);
  } finally {
    await station.close();
    await hasty.close();
  }
});
