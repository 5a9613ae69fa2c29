/** Servers with an authority of one's own, and servers that ask who connects: what every verb is told of them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateKey } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import { tlsPki } from '../stack/tls-pki.ts';
import { folder, waybill } from './child.ts';

const now = Date.now();
const issue = {
  serial: serialNumber(new Uint8Array(20).fill(7)),
  notBefore: now - 60_000,
  notAfter: now + 864e5,
};
const authority = selfSignedAuthority('an authority of our own', generateKey('p256'), issue);
const key = generateKey('p256');
const leaf = serverCertificate(authority, ['127.0.0.1'], key.publicKey, issue);
const app = createHttpServer({
  log: createLogger('test', 'silent'),
  bodyBytesMax: 1000,
  tls: { cert: pemEncode('CERTIFICATE', leaf), key: key.exportPem() },
});
app.get('/', async () => 'served');
const origin = await listen(app, '127.0.0.1', 0);
after(() => app.close());

const caFile = join(folder, 'ca.pem');
await writeFile(caFile, pemEncode('CERTIFICATE', authority.certificate.der));
await writeFile(join(folder, 'empty.pem'), 'nothing');
const words = ['doctor', 'network', `${origin}/`];

test('a server whose authority nobody named is not believed, and the answer says what to name', async () => {
  const run = await waybill(words);
  assert.equal(run.code, 20, run.stderr);
  assert.match(run.stdout + run.stderr, /UNABLE_TO_VERIFY_LEAF_SIGNATURE[\s\S]*--ca-file or SSL_CERT_FILE/);
});

test('--ca-file, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS each make it believed', async () => {
  const runs = await Promise.all([
    waybill([...words, '--ca-file', 'ca.pem'], { cwd: folder }),
    waybill(words, { env: { SSL_CERT_FILE: caFile } }),
    waybill(words, { env: { NODE_EXTRA_CA_CERTS: caFile } }),
  ]);
  for (const run of runs) assert.equal(run.code, 0, run.stdout + run.stderr);
});

test('a file without certificates is refused, also beside one that is good', async () => {
  const options = ['--ca-file', join(folder, 'empty.pem')];
  const run = await waybill([...words, ...options], { env: { SSL_CERT_FILE: caFile } });
  assert.notEqual(run.code, 0);
  assert.match(run.stdout + run.stderr, /tls: no certificate in it/);
});

test('--client-cert with --client-key is shown to a server that asks; one of them alone is a usage error', async () => {
  const pki = await tlsPki(folder, 'people');
  await pki.client('me', { name: 'me' });
  const closed = createHttpServer({
    log: createLogger('test', 'silent'),
    bodyBytesMax: 1000,
    tls: { cert: pemEncode('CERTIFICATE', leaf), key: key.exportPem(), clientCa: pki.ca },
  });
  closed.get('/.well-known/openid-configuration', async () => 'served');
  const url = await listen(closed, '127.0.0.1', 0);
  try {
    const ask = (...options: readonly string[]) =>
      waybill(['doctor', 'network', `${url}/`, '--ca-file', caFile, ...options], { cwd: folder });
    const mine = ['--client-cert', 'me.pem', '--client-key', 'me.key'];
    const [let_in, refused, half] = await Promise.all([ask(...mine), ask(), ask(...mine.slice(0, 2))]);
    assert.equal(let_in.code, 0, let_in.stdout + let_in.stderr);
    assert.equal(refused.code, 20, refused.stdout + refused.stderr);
    assert.match(refused.stdout, /asks for a certificate of the client/);
    assert.equal(half.code, 3);
    assert.match(half.stderr, /--client-cert with --client-key/);
  } finally {
    await closed.close();
  }
});
