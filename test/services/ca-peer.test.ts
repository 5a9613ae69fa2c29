/** The client of sigstore-js against our CA and TSA over loopback, with our issuer and our log behind them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FulcioSigner, TSAWitness } from '@sigstore/sign';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { embeddedScts, verifySct } from '#formats/sct';
import { parseTimeStampResponse } from '#formats/tsp';
import { parseCertificate, verifyCertificateSignature } from '#formats/x509';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, type HttpApp, listen } from '#platform/http-server';
import { fileKeyStore, memoryKeyStore } from '#platform/key-store';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createCa, httpCtSubmitter, issuerTable, registerCa } from '#services/ca';
import { createCt, registerCt } from '#services/ct';
import { createOidc, registerOidc } from '#services/oidc';
import { createTsa, registerTsa } from '#services/tsa';

const dir = await mkdtemp(join(tmpdir(), 'waybill-peer-'));
const log = createLogger('peer', 'silent');
const apps: HttpApp[] = [];
after(async () => {
  for (const app of apps) await app.close();
  await rm(dir, { recursive: true, force: true });
});

const common = { clock: systemClock, random: systemRandom, log };

async function serve(register: (app: HttpApp) => void): Promise<string> {
  const app = createHttpServer({ log, bodyBytesMax: 1024 * 1024 });
  register(app);
  apps.push(app);
  return listen(app, '127.0.0.1', 0);
}

let oidcOrigin = '';
const oidc = await createOidc({ ...common, dir: join(dir, 'oidc'), origin: () => oidcOrigin });
oidcOrigin = await serve((app) => registerOidc(app, oidc));

const ctKey = generateKey('p256');
const ct = await createCt({ ...common, key: ctKey, origin: 'ct.example', roots: [] });
const ctOrigin = await serve((app) => registerCt(app, ct, log));
after(() => ct.log.close());

const ca = await createCa({
  ...common,
  keys: fileKeyStore(join(dir, 'ca')),
  issuers: issuerTable([{ issuerUrl: oidcOrigin, clientId: 'sigstore', type: 'email' }]),
  ct: httpCtSubmitter(ctOrigin, httpTransport()),
  ctKey: ctKey.publicKey,
  transport: httpTransport(),
});
ct.addRoot(ca.root.der);
const caOrigin = await serve((app) => registerCa(app, { ca, log }));

const tsa = await createTsa({ ...common, keys: memoryKeyStore() });
const tsaOrigin = await serve((app) => registerTsa(app, { tsa, log }));

const signer = (token: () => Promise<string>): FulcioSigner =>
  new FulcioSigner({ fulcioBaseURL: caOrigin, identityProvider: { getToken: token }, retry: 0 });
const mint = async (aud = 'sigstore'): Promise<string> =>
  (await oidc.mint({ realm: '', sub: 'u', email: 'ada@example.com', aud, claims: {} })).reveal();

test('sigstore-js gets a certificate that our log promised over HTTP', async () => {
  const signed = await signer(mint).sign(Buffer.from('artifact'));
  assert.equal(signed.key.$case, 'x509Certificate');
  const pem = signed.key.$case === 'x509Certificate' ? signed.key.certificate : '';
  const leaf = unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));
  assert.deepEqual(leaf.sans, [{ type: 'email', value: 'ada@example.com' }]);
  assert.equal(leaf.fulcio.issuer, oidcOrigin);
  assert.equal(verifyCertificateSignature(leaf, ca.intermediate), true);
  const [sct] = unwrap(embeddedScts(leaf));
  assert.equal(verifySct(sct!, leaf, ca.intermediate.publicKey, ctKey.publicKey), true);
});

test('sigstore-js is told why a token is refused', async () => {
  await assert.rejects(signer(() => mint('other')).sign(Buffer.from('x')), (error: Error) => {
    const text = `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`;
    return /\(400\)[\s\S]*There was an error processing the identity token: WB-1004/.test(text);
  });
});

test('sigstore-js gets a timestamp by the JSON form', async () => {
  const witness = new TSAWitness({ tsaBaseURL: tsaOrigin });
  const signature = Buffer.from('signature');
  const material = await witness.testify({
    $case: 'messageSignature',
    messageSignature: { signature },
  } as never);
  const [stamp] = material.rfc3161Timestamps ?? [];
  const token = unwrap(parseTimeStampResponse(new Uint8Array(stamp!.signedTimestamp)));
  assert.equal(token.covers(signature), true);
  assert.equal(token.verifySignature(tsa.chain[0]), true);
});
