/** Issuers whose TLS or whose keys are not for everybody: authorities of their own, and the cluster we run in. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { generateKey } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { selfSignedAuthority, serialNumber, serverCertificate } from '#formats/x509-build';
import { systemRandom } from '#platform/system';
import { issuerTable, readIssuerTable } from '#services/ca';
import { issuerReach } from '../../src/services/ca/reach.ts';
import { caFixture, FakeWeb, publishIssuer, token } from './ca-fixture.ts';

const folder = await mkdtemp(join(tmpdir(), 'waybill-reach-'));
const issue = () => ({
  serial: serialNumber(systemRandom.bytes(20)),
  notBefore: Date.now() - 60_000,
  notAfter: Date.now() + 3_600_000,
});
const authority = selfSignedAuthority('cluster', generateKey('p256'), issue());
const caPem = pemEncode('CERTIFICATE', authority.certificate.der);
const key = generateKey('p256');
const cert = pemEncode('CERTIFICATE', serverCertificate(authority, ['localhost'], key.publicKey, issue()));

const pages = new FakeWeb();
const shown: (string | undefined)[] = [];
/** Answers nobody without the pod's token where a path asks for it. */
const server = createServer({ cert, key: key.exportPem() }, (request, response) => {
  shown.push(request.headers.authorization);
  if (request.url?.startsWith('/pod') === true && request.headers.authorization !== 'Bearer pod-token') {
    response.writeHead(403).end();
    return;
  }
  const page = pages.pages.get(`${origin}${request.url}`);
  response.writeHead(page === undefined ? 404 : 200).end(typeof page === 'object' ? page.body : '');
});
server.listen(0, 'localhost');
await once(server, 'listening');
const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

test('an issuer with ca-cert is reached with those authorities, and without them not', async () => {
  publishIssuer(pages, origin);
  const table = (caCert: string) =>
    readIssuerTable(
      JSON.stringify({
        'oidc-issuers': { [origin]: { 'client-id': 'sigstore', type: 'email', 'ca-cert': caCert } },
      }),
    );
  const mail = { iss: origin };
  const { sign } = await caFixture([], { issuers: table(caPem) });
  assert.equal((await sign(await token(mail))).status, 200);
  const other = selfSignedAuthority('other', generateKey('p256'), issue());
  const { sign: signs } = await caFixture([], {
    issuers: table(pemEncode('CERTIFICATE', other.certificate.der)),
  });
  const refused = await signs(await token(mail));
  assert.equal(refused.status, 503);
  assert.match(refused.text, /WB-1012/);
  assert.throws(() => table('no pem'), /WB-1017/);
});

test('the cluster around us is asked as a pod asks it, and nobody else sees the token', async () => {
  await writeFile(join(folder, 'ca.crt'), caPem);
  await writeFile(join(folder, 'token'), 'pod-token\n');
  publishIssuer(pages, `${origin}/pod`);
  const web = new FakeWeb();
  const reach = issuerReach(web, { origins: [origin], folder });
  const config = { issuerUrl: `${origin}/pod`, clientId: 'sigstore', type: 'kubernetes' } as const;
  const get = (url: string) => reach(config).request({ url });
  assert.equal((await get(`${origin}/pod/keys`)).status, 200);
  // Another type, and another host, are outside.
  assert.equal(reach({ ...config, type: 'email' }), web);
  assert.equal(reach({ ...config, issuerUrl: 'https://elsewhere.example' }), web);
  shown.length = 0;
  await get(`${origin.replace('localhost', 'LOCALHOST')}/keys`);
  await assert.rejects(get(`https://127.0.0.1:${new URL(origin).port}/keys`), /WB-20/);
  assert.deepEqual(shown, ['Bearer pod-token']);
});

test('the configuration that Fulcio ships is read: anchors in define, aliases as keys', async () => {
  const table = readIssuerTable(`
define:
  - &forge-type "forge-job"
oidc-issuers:
  https://forge.example:
    issuer-url: https://forge.example
    client-id: sigstore
    type: ci-provider
    ci-provider: *forge-type
    contact: forge@example.com
    description: "jobs"
meta-issuers:
  https://*.forge.example:
    client-id: sigstore
    type: ci-provider
    ci-provider: *forge-type
ci-issuer-metadata:
  *forge-type:
    default-template-values:
      url: "https://forge.example"
    extension-templates:
      build-trigger: "event"
    subject-alternative-name-template: "{{ .url }}/{{ .job }}"
`);
  assert.equal(table.provider('forge-job')?.san, '{{ .url }}/{{ .job }}');
  assert.equal(table.find('https://a.forge.example')?.config.ciProvider, 'forge-job');
  assert.equal(issuerTable([]).provider('forge-job'), undefined);
});
