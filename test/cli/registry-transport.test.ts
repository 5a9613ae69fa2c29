/** Whom a registry's client certificate and server name are for, as TLS servers see it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { httpTransport } from '#platform/http-client';
import { processContext, type ServerTls } from '../../src/cli/context.ts';
import { registryFrom } from '../../src/cli/registry-options.ts';
import { registryTransport } from '../../src/cli/registry-transport.ts';
import { tlsPki } from '../stack/tls-pki.ts';
import { type Told, tellIn } from './in-process.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-registry-tls-'));
const pki = await tlsPki(folder, 'ca');
const [registryFiles, otherFiles] = [
  await pki.server('registry', ['registry.internal']),
  await pki.server('other', ['127.0.0.1']),
];
await pki.client('me', { name: 'me' });

/** The name in the certificate that each server was shown, `nobody` without one. */
const seen: Record<string, string[]> = {};
const servers: Server[] = [];
after(async () => {
  for (const server of servers) server.close();
  for (const server of servers) server.closeAllConnections();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  for (const name of Object.keys(seen)) delete seen[name];
});

async function serve(
  name: string,
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
): Promise<string> {
  const [cert, key] = [await readFile(certFile), await readFile(keyFile)];
  const server = createServer(
    { cert, key, ca: pki.ca, requestCert: true, rejectUnauthorized: false },
    (incoming, outgoing) => {
      const shown = (incoming.socket as TLSSocket).getPeerCertificate().subject?.CN;
      const before = seen[name] ?? [];
      seen[name] = [...new Set([...before, String(shown ?? 'nobody')])];
      answer(incoming, outgoing);
    },
  );
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const type = 'application/vnd.oci.image.manifest.v1+json';
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: {
      mediaType: 'application/vnd.oci.empty.v1+json',
      digest: `sha256:${toHex(sha256(utf8('{}')))}`,
      size: 2,
    },
    layers: [],
  }),
);
const store = await serve('store', otherFiles, (incoming, outgoing) => {
  const headers = { 'content-type': type, 'content-length': manifest.length };
  outgoing.writeHead(200, headers).end(incoming.method === 'HEAD' ? undefined : manifest);
});
const tokens = await serve('tokens', otherFiles, (_, outgoing) => {
  outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t"}');
});
const registry = await serve('registry', registryFiles, (incoming, outgoing) => {
  const challenge = { 'www-authenticate': `Bearer realm="https://${tokens}/token",service="r"` };
  if (incoming.headers.authorization === undefined) outgoing.writeHead(401, challenge).end();
  else outgoing.writeHead(307, { location: `https://${store}${incoming.url}` }).end();
});

const own = [
  ...['--registry-client-cert', 'me.pem', '--registry-client-key', 'me.key'],
  ...['--registry-server-name', 'registry.internal'],
];
const tell = (words: readonly string[]): Promise<Told> => {
  const transportFor = (tls: ServerTls) => httpTransport({ caFile: pki.caFile, ...tls });
  return tellIn({ cwd: folder, transport: transportFor({}), transportFor }, words);
};

test('certificate and name are for the registry: its token server and where it redirects to see nobody', async () => {
  const told = await tell(['digest', `${registry}/team/app:1`, ...own]);
  assert.equal(told.exit, 0, JSON.stringify(told.reason));
  assert.deepEqual(seen, {
    registry: ['me'],
    tokens: ['nobody'],
    store: ['nobody'],
  });
});

test('a token server that the caller names is shown the certificate too', async () => {
  const told = await tell(['digest', `${registry}/team/app:1`, ...own, '--registry-auth-host', tokens]);
  assert.equal(told.exit, 0, JSON.stringify(told.reason));
  assert.deepEqual([seen['tokens'], seen['store']], [['me'], ['nobody']]);
});

test('the registry of COSIGN_REPOSITORY is a named one', async () => {
  const context = {
    ...processContext({ json: false, quiet: true, version: '0' }),
    env: { HOME: folder, COSIGN_REPOSITORY: `${registry}/signatures` },
    cwd: folder,
    transportFor: (tls: ServerTls) => httpTransport({ caFile: pki.caFile, ...tls }),
  };
  const own = {
    ...{ registryClientCert: 'me.pem', registryClientKey: 'me.key' },
    registryServerName: 'registry.internal',
  };
  const client = await registryFrom(own, context, ['registry.example/team/app:1']);
  await client.repository({ registry, repository: 'signatures' }).resolve({ tag: 'x' });
  assert.deepEqual(seen['registry'], ['me']);
});

/** Which identity a request to `url` goes out with. */
async function identityFor(
  url: string,
  flags: Parameters<typeof registryTransport>[0],
  endpoints: readonly string[],
): Promise<ServerTls> {
  let used: ServerTls | undefined;
  const transportFor = (tls: ServerTls) => ({
    request: async () => {
      used = tls;
      return { status: 200, headers: new Map(), body: new Uint8Array(), url };
    },
    stream: () => assert.fail('a stream'),
  });
  const context = { transportFor, progress: () => {}, cwd: '/' };
  await registryTransport(flags, context, endpoints).request({ url });
  return used ?? assert.fail('nothing was asked');
}

const flags = { registryClientCert: 'c', registryClientKey: 'k', registryServerName: 'n' };
const whole = { client: { certFile: '/c', keyFile: '/k' }, serverName: 'n' };

for (const [url, wanted] of [
  ['https://r.example/v2/', whole],
  ['https://R.example:443/v2/', whole],
  ['https://r.example:8443/v2/', {}],
  ['https://r.example.evil.example/v2/', {}],
  ['https://evil.example/r.example', {}],
  ['https://second.example:5000/v2/', whole],
  ['https://auth.example/token', { client: whole.client }],
] as const) {
  test(`${url} sees ${Object.keys(wanted).join(' and ') || 'neither'}`, async () => {
    const more = { registryClientHost: ['second.example:5000'], registryAuthHost: ['auth.example'] };
    assert.deepEqual(await identityFor(url, { ...flags, ...more }, ['r.example:443']), wanted);
  });
}

test('a verb that names no image says for which registry they are, or is refused', async () => {
  await assert.rejects(identityFor('https://r.example/v2/', flags, []), /--registry-client-host/);
  const named = { ...flags, registryClientHost: ['r.example'] };
  assert.deepEqual(await identityFor('https://r.example/v2/', named, []), whole);
  assert.deepEqual(await identityFor('https://r.example/v2/', {}, []), {});
});
