import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serverCertificate } from '#formats/x509-build';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { R } from '#platform/reasons';
import { createLogger } from '#platform/telemetry';
import { reasonOf } from '../oci/helpers.ts';

async function serve(listener: RequestListener) {
  let breaks = false;
  const server = createServer((request, response) => {
    if (!breaks) return listener(request, response);
    // As if it had been closed just before the request arrived.
    breaks = false;
    request.socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    breakOnce: (): void => {
      breaks = true;
    },
    [Symbol.asyncDispose]: (): Promise<void> => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const transport = httpTransport();

test('an answer of the size of its cap is kept, one byte more is refused, without the query of its URL', async () => {
  await using server = await serve((_, response) => void response.end('12345'));
  const url = `${server.origin}/blob?X-Signature=secret`;
  assert.equal((await transport.request({ url, maxBytes: 5 })).body.length, 5);
  const why = await reasonOf(transport.request({ url, maxBytes: 4 }));
  assert.equal(why.code, R.bodyTooLarge.code);
  assert.ok(!JSON.stringify(why).includes('secret'));
});

test('a request that was given up before it began is not sent', async () => {
  let requests = 0;
  await using server = await serve((_, response) => {
    requests++;
    response.end();
  });
  const why = fail(R.timeout, { expected: 'an answer', actual: 'none' });
  const signal = AbortSignal.abort(why);
  for (const send of [transport.request, transport.stream]) {
    assert.equal((await reasonOf(send({ url: server.origin, signal }))).code, R.timeout.code);
  }
  assert.equal(requests, 0);
});

test('no redirect is followed unasked; asked, it reaches another host without authorization and cookies', async () => {
  const seen: (readonly (string | undefined)[])[] = [];
  await using other = await serve(({ headers }, response) => {
    seen.push([headers.authorization, headers.cookie, headers['x-kept']?.toString()]);
    response.end('other');
  });
  await using first = await serve((_, response) => {
    response.writeHead(307, { location: `${other.origin}/next` }).end();
  });
  const headers = { authorization: 'Bearer t', cookie: 'c=1', 'x-kept': 'yes' };
  assert.equal((await transport.request({ url: first.origin, headers })).status, 307);
  assert.deepEqual(seen, []);
  const followed = await transport.request({ url: first.origin, headers, redirects: 1 });
  assert.equal(Buffer.from(followed.body).toString(), 'other');
  assert.deepEqual(seen, [[undefined, undefined, 'yes']]);
});

test('redirects end at the number asked for', async () => {
  await using server = await serve((_, response) => void response.writeHead(302, { location: '/' }).end());
  const why = await reasonOf(transport.request({ url: server.origin, redirects: 2 }));
  assert.equal(why.code, R.redirect.code);
});

test('a request that meets an idle connection being closed is sent once more, a streamed one is not', async () => {
  const seen: string[] = [];
  await using server = await serve((request, response) => {
    seen.push(request.url ?? '');
    request.resume();
    request.on('end', () => response.end(request.url));
  });
  const url = (path: string): string => `${server.origin}/${path}`;
  const text = async (path: string, body?: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> => {
    const answer = await transport.request({
      url: url(path),
      ...(body === undefined ? {} : { method: 'PUT', body }),
    });
    return Buffer.from(answer.body).toString();
  };
  async function* pieces(): AsyncIterable<Uint8Array> {
    yield Buffer.from('a');
    yield Buffer.from('b');
  }
  assert.equal(await text('first'), '/first');
  assert.equal(await text('bytes', Buffer.from('abc')), '/bytes');
  assert.equal(await text('pieces', pieces()), '/pieces');
  server.breakOnce();
  assert.equal(await text('again'), '/again');
  assert.equal(await text('warm'), '/warm');
  server.breakOnce();
  assert.equal((await reasonOf(text('streamed', pieces()))).code, R.network.code);
  assert.deepEqual(seen, ['/first', '/bytes', '/pieces', '/again', '/warm']);
});

test('a URL with credentials, or of another scheme, is refused and not shown', async () => {
  for (const url of ['http://user:secret@127.0.0.1:1/', 'ftp://127.0.0.1/', 'file:///etc/hosts']) {
    const why = await reasonOf(transport.request({ url }));
    assert.equal(why.code, R.url.code, url);
    assert.ok(!JSON.stringify(why).includes('secret'));
  }
});

test('a server of an authority of one’s own is believed with its file alone; a file without one is WB-217', async () => {
  const issue = { serial: new Uint8Array([1]), notBefore: 0, notAfter: 4e12 };
  const ca = selfSignedAuthority('own', generateKey('p256'), issue);
  const key = generateKey('p256');
  const cert = pemEncode('CERTIFICATE', serverCertificate(ca, ['127.0.0.1'], key.publicKey, issue));
  const log = createLogger('test', 'silent');
  const app = createHttpServer({ log, bodyBytesMax: 10, tls: { cert, key: key.exportPem() } });
  app.get('/', async () => 'ok');
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-ca-'));
  try {
    const url = await listen(app, '127.0.0.1', 0);
    const caFile = join(folder, 'ca.pem');
    await writeFile(caFile, pemEncode('CERTIFICATE', ca.certificate.der));
    assert.equal((await httpTransport({ caFile }).request({ url })).status, 200);
    const code = (wanted: string) => (error: unknown) =>
      error instanceof WaybillError && error.reason.code === wanted;
    await assert.rejects(httpTransport().request({ url }), code('WB-201'));
    const named = httpTransport({ caFile, serverName: 'other.example' });
    await assert.rejects(named.request({ url }), code('WB-201'));
    assert.equal((await httpTransport({ trustsAnyServerUnsafe: true }).request({ url })).status, 200);
    const client = { certFile: caFile, keyFile: caFile };
    await assert.rejects(httpTransport({ caFile, client }).request({ url }), code('WB-222'));
    await writeFile(caFile, 'no certificate');
    await assert.rejects(httpTransport({ caFile }).request({ url }), code('WB-217'));
    await assert.rejects(httpTransport({ caFile: `${caFile}.not` }).request({ url }), code('WB-217'));
  } finally {
    await app.close();
    await rm(folder, { recursive: true });
  }
});
