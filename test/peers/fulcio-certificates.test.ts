/**
 * For tokens of every kind of issuer our authority and the real Fulcio, configured by the same file, issue the same
 * certificate: extension by extension, in order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#base/bytes';
import { generateKey, type PrivateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { type Certificate, parseCertificate } from '#formats/x509';
import { buildkite, fulcioYaml, type IssuerCase, issuerCases } from './fulcio-issuers.ts';
import { ask, fulcioWorld, keyRequest } from './fulcio-world.ts';

const world = await fulcioWorld(fulcioYaml);

const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2';
const AUTHORITY_KEY = '2.5.29.35';

/** Everything a certificate says but what differs from one to the next. */
function shown(certificate: Certificate, without: readonly string[] = []): object {
  const kept = [...certificate.extensions].filter(([oid]) => !without.includes(oid));
  const extensions = kept.map(([oid, { critical, value }]) => {
    // The authorities have keys of their own; of what the log signed, only the length is the same.
    const isOwn = oid === SCT_LIST || oid === AUTHORITY_KEY;
    return { oid, critical, value: isOwn ? `${value.length > 0}` : toHex(value) };
  });
  const { notBefore, notAfter, subjectText, publicKey, sans, keyUsage, extKeyUsages } = certificate;
  return {
    extensions,
    subject: subjectText,
    seconds: (notAfter - notBefore) / 1000,
    key: toHex(publicKey.spki),
    serialBytes: certificate.serial.length <= 20,
    ...{ sans, keyUsage, extKeyUsages },
    signature: certificate.signatureAlgorithm,
  };
}

interface Embedded {
  readonly signedCertificateEmbeddedSct: { readonly chain: { readonly certificates: readonly string[] } };
}

const leafOf = (pem: string): Certificate =>
  unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));

async function issued(base: string, bearer: string, body: object): Promise<Certificate> {
  const { status, text } = await ask(base, { bearer, body });
  assert.equal(status, 200, `${base}: ${text}`);
  return leafOf((JSON.parse(text) as Embedded).signedCertificateEmbeddedSct.chain.certificates[0] ?? '');
}

const bearerFor = ({ path, issuer = path, claims }: IssuerCase): Promise<string> =>
  world.token({ iss: `${world.origin}${issuer}`, ...claims });

for (const one of issuerCases) {
  test(`the same certificate for ${one.name}`, async () => {
    const key = generateKey('p256');
    const bearer = await bearerFor(one);
    const body = keyRequest(key, one.challenge ?? String(one.claims['sub']));
    const [theirs, ours] = [await issued(world.theirs, bearer, body), await issued(world.ours, bearer, body)];
    assert.deepEqual(shown(ours, one.more), shown(theirs));
    for (const oid of one.more ?? []) assert.ok(ours.extensions.has(oid) && !theirs.extensions.has(oid), oid);
    assert.ok(ours.extensions.size >= 7 && ours.sans.length === 1);
  });
}

const [person = assert.fail()] = issuerCases;
const kinds = [
  ['p256', 0],
  ['p384', 0],
  ['p521', 0],
  ['ed25519', 0],
  ['rsa', 2048],
  ['rsa', 3072],
  ['rsa', 4096],
] as const;
for (const [kind, bits] of kinds) {
  test(`the same certificate for a key of ${kind}${bits === 0 ? '' : ` with ${bits} bits`}`, async () => {
    const key = generateKey(kind, bits);
    const bearer = await bearerFor(person);
    const body = keyRequest(key, 'ada@example.com');
    const [theirs, ours] = [await issued(world.theirs, bearer, body), await issued(world.ours, bearer, body)];
    assert.deepEqual(shown(ours), shown(theirs));
  });
}

test('a number of a million or more is written out, where Fulcio gives it an exponent', async () => {
  const key = generateKey('p256');
  const iss = `${world.origin}/provider-buildkite-job`;
  const bearer = await world.token({ iss, ...buildkite, build_number: 1_234_567 });
  const body = keyRequest(key, String(buildkite['sub']));
  const [theirs, ours] = [await issued(world.theirs, bearer, body), await issued(world.ours, bearer, body)];
  assert.match(ours.fulcio.runInvocationUri ?? '', /\/builds\/1234567#/);
  assert.match(theirs.fulcio.runInvocationUri ?? '', /\/builds\/1\.234567e\+06#/);
});

test('the same certificates by API v1', async () => {
  const key: PrivateKey = generateKey('p256');
  const bearer = await bearerFor(person);
  const request = keyRequest(key, 'ada@example.com') as { publicKeyRequest: { proofOfPossession: string } };
  const body = {
    publicKey: { algorithm: 'ecdsa', content: Buffer.from(key.publicKey.spki).toString('base64') },
    signedEmailAddress: request.publicKeyRequest.proofOfPossession,
  };
  const [theirs, ours] = await Promise.all(
    [world.theirs, world.ours].map((base) => ask(base, { path: '/api/v1/signingCert', bearer, body })),
  );
  assert.equal(ours?.status, theirs?.status, ours?.text);
  assert.deepEqual(shown(leafOf(ours?.text ?? '')), shown(leafOf(theirs?.text ?? '')));
  assert.equal(ours?.headers.get('content-type'), theirs?.headers.get('content-type'));
});

test('the same description of issuers', async () => {
  const [theirs, ours] = await Promise.all(
    [world.theirs, world.ours].map(async (base) => {
      const { text } = await ask(base, { path: '/api/v2/configuration', method: 'GET' });
      const { issuers } = JSON.parse(text) as { issuers: Record<string, unknown>[] };
      const urlOf = (one: Record<string, unknown>): string =>
        `${one['issuerUrl'] ?? one['wildcardIssuerUrl']}`;
      return issuers.sort((a, b) => (urlOf(a) < urlOf(b) ? -1 : 1));
    }),
  );
  assert.deepEqual(ours, theirs);
});
