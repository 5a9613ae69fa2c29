import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SignJWT, UnsecuredJWT } from 'jose';
import { fromHex, toHex, utf8, utf8Text } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { der } from '#formats/der';
import { pemDecode, pemEncode } from '#formats/pem';
import { embeddedScts, verifySct } from '#formats/sct';
import { type Certificate, parseCertificate, verifyCertificateSignature } from '#formats/x509';
import { buildCsr, buildName } from '#formats/x509-build';
import { fileKeyStore, memoryKeyStore } from '#platform/key-store';
import { run } from '#platform/process';
import { R as platformReasons } from '#platform/reasons';
import { caFixture, email, ISSUER, keyRequest, NOW, type Reply, token } from './ca-fixture.ts';

const leafOf = (reply: Reply): Certificate => {
  assert.equal(reply.status, 200, reply.text);
  const pem = reply.json.signedCertificateEmbeddedSct?.chain.certificates[0] ?? '';
  return unwrap(parseCertificate(unwrap(pemDecode(pem, 'CERTIFICATE'))[0].der));
};

test('a certificate follows the Sigstore profile in every field', async () => {
  const { sign, ca, log } = await caFixture();
  const key = generateKey('p256');
  const reply = await sign(await token(), { key });
  const leaf = leafOf(reply);
  assert.equal(leaf.subjectText, '');
  assert.deepEqual(leaf.sans, [{ type: 'email', value: 'dev@example.com' }]);
  assert.equal(leaf.notBefore, NOW);
  assert.equal(leaf.notAfter, NOW + 600_000);
  assert.equal(leaf.serial.length, 20);
  assert.deepEqual(leaf.fulcio, { issuer: ISSUER, tokenSubject: 'user-1' });
  assert.equal(toHex(leaf.publicKey.spki), toHex(key.publicKey.spki));
  assert.deepEqual(
    [...leaf.extensions].map(([oid, { critical }]) => (critical ? `${oid} critical` : oid)),
    [
      '2.5.29.15 critical',
      '2.5.29.37',
      '2.5.29.14',
      '2.5.29.35',
      '2.5.29.17 critical',
      '1.3.6.1.4.1.57264.1.1',
      '1.3.6.1.4.1.57264.1.8',
      '1.3.6.1.4.1.57264.1.24',
      '1.3.6.1.4.1.11129.2.4.2',
    ],
  );
  assert.equal(verifyCertificateSignature(leaf, ca.intermediate), true);
  const [sct] = unwrap(embeddedScts(leaf));
  assert.equal(verifySct(sct!, leaf, ca.intermediate.publicKey, log.key.publicKey), true);
  assert.equal(reply.json.signedCertificateEmbeddedSct?.chain.certificates.length, 3);
});

test('the log is given the precertificate and its issuers up to the root', async () => {
  const { sign, ca, log } = await caFixture();
  leafOf(await sign(await token()));
  const [precertificate, ...issuers] = log.chains[0] ?? [];
  assert.deepEqual(unwrap(parseCertificate(precertificate!)).unknownCritical, ['1.3.6.1.4.1.11129.2.4.3']);
  assert.deepEqual(issuers, [ca.intermediate.der, ca.root.der]);
});

test('root and intermediate follow the profile under one O', async () => {
  const { ca } = await caFixture();
  assert.equal(ca.root.subjectText, 'CN=waybill root,O=waybill');
  assert.equal(ca.intermediate.subjectText, 'CN=waybill intermediate,O=waybill');
  assert.equal(ca.intermediate.pathLen, 0);
  assert.deepEqual(ca.intermediate.extKeyUsages, ['1.3.6.1.5.5.7.3.3']);
  assert.deepEqual(ca.root.extKeyUsages, []);
  for (const one of [ca.root, ca.intermediate]) {
    assert.equal(one.isCa, true);
    assert.deepEqual(one.keyUsage?.bits, [5, 6]);
    assert.equal(one.publicKey.kind, 'p256');
  }
});

for (const kind of ['p256', 'p384', 'p521', 'rsa', 'ed25519'] as const) {
  test(`a proof of possession by a ${kind} key is accepted`, async () => {
    const { sign } = await caFixture();
    assert.equal(leafOf(await sign(await token(), { key: generateKey(kind) })).publicKey.kind, kind);
  });
}

const csrPem = (key = generateKey('p256')): string =>
  pemEncode('CERTIFICATE REQUEST', buildCsr(buildName([{ type: 'CN', value: 'evil@example.com' }]), key));
const csrBody = (pem: string): object => ({ certificateSigningRequest: Buffer.from(pem).toString('base64') });

test('from a signing request only the key is taken', async () => {
  const { sign } = await caFixture();
  const key = generateKey('p256');
  const leaf = leafOf(await sign(await token(), { body: csrBody(csrPem(key)) }));
  assert.equal(toHex(leaf.publicKey.spki), toHex(key.publicKey.spki));
  assert.deepEqual(leaf.sans, [{ type: 'email', value: 'dev@example.com' }]);
});

test('the token may stand in the body, and field names in snake case', async () => {
  const { app } = await caFixture();
  const bearer = await token();
  const answer = await app.inject({
    method: 'POST',
    url: '/api/v2/signingCert',
    payload: JSON.stringify({
      credentials: { oidc_identity_token: bearer },
      certificate_signing_request: Buffer.from(csrPem()).toString('base64'),
    }),
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(answer.statusCode, 200, answer.body);
});

test('the old API takes a key as DER or PEM and answers 201 with a PEM chain, and the root certificate', async () => {
  const { app, ca } = await caFixture();
  const key = generateKey('p256');
  for (const content of [Buffer.from(key.publicKey.spki), Buffer.from(publicKeyPem(key.publicKey))]) {
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/signingCert',
      headers: { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' },
      payload: JSON.stringify({
        publicKey: { content: content.toString('base64'), algorithm: 'ecdsa' },
        signedEmailAddress: Buffer.from(key.sign(utf8('dev@example.com'))).toString('base64'),
      }),
    });
    assert.equal(answer.statusCode, 201, answer.body);
    assert.equal(answer.headers['content-type'], 'application/pem-certificate-chain');
    assert.equal(unwrap(pemDecode(answer.body, 'CERTIFICATE')).length, 3);
  }
  const rootCert = await app.inject({ method: 'GET', url: '/api/v1/rootCert' });
  const chain = unwrap(pemDecode(rootCert.body, 'CERTIFICATE')).map((block) =>
    Buffer.from(block.der).toString('hex'),
  );
  assert.deepEqual(
    chain,
    [ca.intermediate, ca.root].map((one) => Buffer.from(one.der).toString('hex')),
  );
});

test('trust bundle, configuration and health answer as documented', async () => {
  const { app } = await caFixture([email], {
    meta: [{ issuerUrl: 'https://oidc.*.example.com', clientId: 'sigstore', type: 'kubernetes' }],
  });
  const bundle = (await app.inject('/api/v2/trustBundle')).json() as { chains: { certificates: string[] }[] };
  assert.equal(bundle.chains[0]?.certificates.length, 2);
  const { issuers } = (await app.inject('/api/v2/configuration')).json() as { issuers: object[] };
  assert.deepEqual(issuers[0], {
    issuerUrl: ISSUER,
    audience: 'sigstore',
    challengeClaim: 'email',
    spiffeTrustDomain: '',
    issuerType: 'email',
    subjectDomain: '',
    skipEmailVerification: false,
  });
  assert.equal((issuers[1] as { wildcardIssuerUrl: string }).wildcardIssuerUrl, 'https://oidc.*.example.com');
  assert.equal((await app.inject('/healthz')).statusCode, 200);
});

interface Refusal {
  readonly name: string;
  readonly bearer?: () => Promise<string>;
  readonly body?: () => unknown;
  readonly proofName?: string;
  readonly code: string;
  readonly message?: RegExp;
}

const tokenMessage = /^There was an error processing the identity token: WB-/;
const rsa = (modulus: Uint8Array, exponent = 65537): string =>
  pemEncode(
    'PUBLIC KEY',
    der.seq(
      der.seq(der.oid('1.2.840.113549.1.1.1'), der.nul()),
      der.bits(der.seq(der.int(modulus), der.int(exponent))),
    ),
  );
const publicKeyBody = (content: string): object => ({
  publicKeyRequest: { publicKey: { algorithm: 'RSA', content }, proofOfPossession: 'AAAA' },
});
const offCurve = (): string => {
  const spki = generateKey('p256').publicKey.spki.slice();
  spki[spki.length - 1] = (spki.at(-1) as number) ^ 1;
  return pemEncode('PUBLIC KEY', spki);
};
const edPoint = (first: number): string => {
  const point = new Uint8Array(32);
  point[0] = first;
  return pemEncode('PUBLIC KEY', der.seq(der.seq(der.oid('1.3.101.112')), der.bits(point)));
};
/** The key of one request under the signature of another. */
const brokenCsr = (): string => {
  const [key, other] = [generateKey('p256'), generateKey('p256')];
  const bytes = toHex(buildCsr(der.seq(), key)).replace(
    toHex(key.publicKey.spki),
    toHex(other.publicKey.spki),
  );
  return pemEncode('CERTIFICATE REQUEST', fromHex(bytes));
};
const oddModulus = new Uint8Array(256).fill(0xc3);

const refusals: readonly Refusal[] = [
  { name: 'no token', bearer: async () => '', code: 'WB-1002', message: tokenMessage },
  { name: 'a token that is no JWT', bearer: async () => 'hello', code: 'WB-1002', message: tokenMessage },
  { name: 'a token with a million dots', bearer: async () => '.'.repeat(15_000), code: 'WB-1002' },
  { name: 'a token of five parts', bearer: async () => 'e30.e30.e30.e30.e30', code: 'WB-1002' },
  {
    name: 'a token without signature',
    bearer: async () =>
      new UnsecuredJWT({ iss: ISSUER, aud: 'sigstore' }).setExpirationTime(NOW / 1000 + 60).encode(),
    code: 'WB-1002',
  },
  {
    name: 'a token signed with the public key as a shared secret',
    bearer: async () =>
      new SignJWT({ iss: ISSUER, aud: 'sigstore', exp: NOW / 1000 + 60 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new Uint8Array(32)),
    code: 'WB-1002',
  },
  {
    name: 'a token that brings its own key',
    bearer: () => token({}, { jwk: { kty: 'EC' } }),
    code: 'WB-1002',
  },
  {
    name: 'a token that links to its keys',
    bearer: () => token({}, { jku: 'https://evil.example/keys' }),
    code: 'WB-1002',
  },
  {
    name: 'a token with unknown critical headers',
    bearer: async () => {
      const [, ...rest] = (await token()).split('.');
      return [
        Buffer.from('{"alg":"ES256","kid":"k1","crit":["x"],"x":1}').toString('base64url'),
        ...rest,
      ].join('.');
    },
    code: 'WB-1002',
  },
  {
    name: 'a token whose claims were changed',
    bearer: async () => {
      const [head, , tail] = (await token()).split('.');
      const [, other] = (await token({ email: 'root@example.com' })).split('.');
      return `${head}.${other}.${tail}`;
    },
    code: 'WB-1002',
  },
  { name: 'a token with an unknown key id', bearer: () => token({}, { kid: 'k2' }), code: 'WB-1002' },
  {
    name: 'an unknown issuer',
    bearer: () => token({ iss: 'https://evil.example' }),
    code: 'WB-1003',
    message: tokenMessage,
  },
  { name: 'an issuer with a slash more', bearer: () => token({ iss: `${ISSUER}/` }), code: 'WB-1003' },
  { name: 'no issuer', bearer: () => token({ iss: undefined }), code: 'WB-1002' },
  { name: 'another audience', bearer: () => token({ aud: 'other' }), code: 'WB-1004', message: tokenMessage },
  { name: 'no audience', bearer: () => token({ aud: undefined }), code: 'WB-1004' },
  { name: 'our audience among others', bearer: () => token({ aud: ['sigstore', 'other'] }), code: 'WB-1004' },
  {
    name: 'an expired token',
    bearer: () => token({ exp: NOW / 1000 }),
    code: 'WB-1005',
    message: tokenMessage,
  },
  {
    name: 'a token that expired long ago',
    bearer: () => token({ exp: NOW / 1000 - 86_400 }),
    code: 'WB-1005',
  },
  { name: 'a token that is not valid yet', bearer: () => token({ nbf: NOW / 1000 + 120 }), code: 'WB-1005' },
  { name: 'a token without an end', bearer: () => token({ exp: undefined }), code: 'WB-1005' },
  {
    name: 'an e-mail that is not verified',
    bearer: () => token({ email_verified: false }),
    code: 'WB-1006',
    message: tokenMessage,
  },
  {
    name: 'an e-mail nobody speaks for',
    bearer: () => token({ email_verified: undefined }),
    code: 'WB-1006',
  },
  { name: 'an e-mail verified by a number', bearer: () => token({ email_verified: 1 }), code: 'WB-1006' },
  { name: 'no e-mail', bearer: () => token({ email: undefined }), code: 'WB-1007' },
  {
    name: 'an e-mail with a line break',
    bearer: () => token({ email: 'a@example.com\r\nBcc: b' }),
    code: 'WB-1007',
  },
  { name: 'an e-mail with a NUL', bearer: () => token({ email: 'a@example.com\0.evil' }), code: 'WB-1007' },
  {
    name: 'an e-mail with an escaped NUL',
    bearer: () => token({ email: 'a%00@example.com' }),
    code: 'WB-1006',
  },
  { name: 'an e-mail beyond ASCII', bearer: () => token({ email: 'а@example.com' }), code: 'WB-1006' },
  { name: 'an e-mail without a domain', bearer: () => token({ email: 'root' }), code: 'WB-1006' },
  {
    name: 'a proof over another name',
    proofName: 'other@example.com',
    code: 'WB-1010',
    message: /^The signature supplied in the request could not be verified/,
  },
  {
    name: 'a proof by another key',
    body: () => ({
      publicKeyRequest: {
        ...(keyRequest(generateKey('p256'), 'dev@example.com') as { publicKeyRequest: object })
          .publicKeyRequest,
        publicKey: { content: publicKeyPem(generateKey('p256').publicKey) },
      },
    }),
    code: 'WB-1010',
  },
  {
    name: 'a request whose signature is not by its key',
    body: () => csrBody(brokenCsr()),
    code: 'WB-1010',
    message: /^The signature supplied/,
  },
  {
    name: 'a request that is no PEM',
    body: () => csrBody('hello'),
    code: 'WB-1011',
    message: /^The certificate signing request could not be parsed/,
  },
  {
    name: 'a PEM block that is no request',
    body: () => csrBody(pemEncode('CERTIFICATE', Uint8Array.of(1))),
    code: 'WB-1011',
  },
  {
    name: 'a request of garbage',
    body: () => csrBody(pemEncode('CERTIFICATE REQUEST', Uint8Array.of(1, 2))),
    code: 'WB-1011',
  },
  {
    name: 'a key that is no PEM',
    body: () => publicKeyBody('x'),
    code: 'WB-1008',
    message: /^The public key supplied in the request could not be parsed/,
  },
  {
    name: 'a key that is a private key',
    body: () => publicKeyBody(generateKey('p256').exportPem()),
    code: 'WB-1008',
  },
  {
    name: 'RSA with 1024 bits',
    body: () => publicKeyBody(rsa(new Uint8Array(128).fill(0xc3))),
    code: 'WB-1009',
    message: /^The public key supplied in the request is insecure/,
  },
  {
    name: 'RSA with 16384 bits',
    body: () => publicKeyBody(rsa(new Uint8Array(2048).fill(0xc3))),
    code: 'WB-1009',
  },
  {
    name: 'RSA with 2056 bits',
    body: () => publicKeyBody(rsa(new Uint8Array(257).fill(0xc3))),
    code: 'WB-1009',
  },
  { name: 'RSA with exponent 3', body: () => publicKeyBody(rsa(oddModulus, 3)), code: 'WB-1009' },
  { name: 'an RSA modulus with a small factor', body: () => publicKeyBody(rsa(oddModulus)), code: 'WB-1009' },
  { name: 'a point off its curve', body: () => publicKeyBody(offCurve()), code: 'WB-1009' },
  { name: 'an Ed25519 point of order 1', body: () => publicKeyBody(edPoint(1)), code: 'WB-1009' },
  { name: 'an Ed25519 point of order 4', body: () => publicKeyBody(edPoint(0)), code: 'WB-1009' },
  { name: 'neither key nor request', body: () => ({}), code: 'WB-1008' },
  {
    name: 'key and request',
    body: () => ({ ...csrBody(csrPem()), ...keyRequest(generateKey('p256'), 'dev@example.com') }),
    code: 'WB-1001',
  },
  { name: 'a body that is no JSON', body: () => '{', code: 'WB-1001' },
  { name: 'a body with a key twice', body: () => '{"credentials":{},"credentials":{}}', code: 'WB-1001' },
  {
    name: 'a body above the limit',
    body: () => JSON.stringify({ x: 'a'.repeat(limits.caRequestBytes) }),
    code: 'WB-1001',
    message: /^http: request body too large: /,
  },
];

for (const refusal of refusals) {
  test(`${refusal.name} is refused with ${refusal.code}`, async () => {
    const { sign, log, lines } = await caFixture();
    const bearer = await (refusal.bearer ?? token)();
    const reply = await sign(bearer, {
      ...(refusal.proofName === undefined ? {} : { name: refusal.proofName }),
      ...(refusal.body === undefined ? {} : { body: refusal.body() }),
    });
    assert.equal(reply.status, 400, reply.text);
    assert.equal(reply.json.code, 3);
    assert.equal(reply.json.details?.[0]?.reason, refusal.code, reply.text);
    if (refusal.message !== undefined) assert.match(reply.json.message ?? '', refusal.message);
    assert.equal(log.chains.length, 0, 'nothing was logged');
    if (bearer.length > 20)
      assert.equal((lines.join('') + reply.text).includes(bearer), false, 'no token leaves');
  });
}

test('a token of the largest size is judged, one byte more is not', async () => {
  const { sign } = await caFixture();
  const base = (await token({ pad: '' })).length;
  let pad = Math.floor(((limits.tokenBytes - base) * 3) / 4);
  let largest = await token({ pad: 'x'.repeat(pad) });
  while (largest.length > limits.tokenBytes) largest = await token({ pad: 'x'.repeat(--pad) });
  assert.ok(largest.length > limits.tokenBytes - 4);
  const accepted = await sign('', {
    body: { credentials: { oidcIdentityToken: largest }, ...csrBody(csrPem()) },
  });
  assert.equal(accepted.status, 200, accepted.text);
  const long = `${largest}${'x'.repeat(limits.tokenBytes + 1 - largest.length)}`;
  const refused = await sign('', {
    body: { credentials: { oidcIdentityToken: long }, ...csrBody(csrPem()) },
  });
  assert.equal(refused.json.details?.[0]?.reason, 'WB-1002');
});

test('a body of the largest size is read', async () => {
  const { sign } = await caFixture();
  const body = { ...keyRequest(generateKey('p256'), 'dev@example.com'), pad: '' };
  const pad = 'x'.repeat(limits.caRequestBytes - JSON.stringify(body).length);
  leafOf(await sign(await token(), { body: { ...body, pad } }));
});

test('our audience alone in a list, or with azp, is accepted; exp in one second and nbf just ahead too', async () => {
  const { sign } = await caFixture();
  for (const claims of [
    { aud: ['sigstore'] },
    { aud: ['sigstore', 'other'], azp: 'sigstore' },
    { exp: NOW / 1000 + 1 },
    { nbf: NOW / 1000 + 60 },
    { email_verified: 'true' },
  ]) {
    leafOf(await sign(await token(claims)));
  }
});

test('no token, key or proof stands in any log line, also when a certificate is issued', async () => {
  const { sign, lines } = await caFixture();
  const bearer = await token();
  const key = generateKey('p256');
  leafOf(await sign(bearer, { key }));
  const all = lines.join('');
  assert.match(all, /certificate issued/);
  assert.match(all, /email:dev@example\.com/);
  for (const part of bearer.split('.')) assert.equal(all.includes(part), false);
});

test('without a verified promise of the log no certificate leaves', async () => {
  const faults: readonly (readonly [string, Parameters<typeof setAnswer>[1]])[] = [
    [
      'the log is down',
      async () => {
        throw fail(platformReasons.network, { expected: 'the log', actual: 'ECONNREFUSED' });
      },
    ],
    [
      'the log has a defect',
      async () => {
        throw new TypeError('undefined is not a function');
      },
    ],
    ['another signature', (good) => ({ ...good, signature: generateKey('p256').sign(utf8('x')) })],
    ['another time than was signed', (good) => ({ ...good, timestamp: good.timestamp + 1 })],
    ['other extensions than were signed', (good) => ({ ...good, extensions: new Uint8Array(0) })],
    ['a clock an hour off', (good) => ({ ...good, timestamp: good.timestamp + 3_600_000 })],
  ];
  for (const [name, answer] of faults) {
    const fixture = await caFixture();
    setAnswer(fixture.log, answer);
    const reply = await fixture.sign(await token());
    assert.equal(reply.status, 503, name);
    assert.equal(reply.json.code, 14);
    assert.equal(reply.json.details?.[0]?.reason, 'WB-1013', name);
    assert.match(reply.json.message ?? '', /^Error entering certificate in CTL/);
    assert.equal(reply.text.includes('BEGIN CERTIFICATE'), false);
  }
});

type FakeLog = Awaited<ReturnType<typeof caFixture>>['log'];
function setAnswer(log: FakeLog, answer: FakeLog['answer']): void {
  log.answer = answer;
}

test('a certificate that its own authority cannot verify is withheld', async () => {
  const keys = memoryKeyStore();
  let isBroken = false;
  const breaking = {
    ...keys,
    findKey: async (name: string) => {
      const key = await keys.findKey(name);
      if (key === undefined) return undefined;
      const other = generateKey('p256');
      const sign = (data: Uint8Array): Uint8Array => (isBroken ? other : key).sign(data);
      return { publicKey: key.publicKey, sign };
    },
  };
  const { sign, lines } = await caFixture([email], { keys: breaking });
  leafOf(await sign(await token()));
  isBroken = true;
  const reply = await sign(await token());
  assert.equal(reply.status, 500);
  assert.equal(reply.json.code, 13);
  assert.equal(reply.json.details?.[0]?.reason, 'WB-1014');
  assert.equal(reply.text.includes('BEGIN CERTIFICATE'), false);
  assert.equal(lines.filter((line) => line.includes('certificate issued')).length, 1);
});

test('a promise by another log than the configured one is refused', async () => {
  const { sign } = await caFixture([email], { ctKey: generateKey('p256').publicKey });
  assert.equal((await sign(await token())).json.details?.[0]?.reason, 'WB-1013');
});

test('a leaf never outlives its intermediate', async () => {
  const { sign, ca, clock } = await caFixture();
  const left = ca.intermediate.notAfter - 600_000 - clock.now();
  clock.advance(left);
  const claims = { iat: clock.now() / 1000, exp: clock.now() / 1000 + 60 };
  leafOf(await sign(await token(claims)));
  clock.advance(1000);
  const refused = await sign(await token(claims));
  assert.equal(refused.status, 503);
  assert.equal(refused.json.details?.[0]?.reason, 'WB-1016');
});

test('an identity is limited per minute where the operator says so, others are not touched', async () => {
  const { sign, clock } = await caFixture([email], { issuancesPerMinute: 2 });
  leafOf(await sign(await token()));
  leafOf(await sign(await token()));
  const refused = await sign(await token());
  assert.equal(refused.status, 429);
  assert.equal(refused.json.details?.[0]?.reason, 'WB-1018');
  leafOf(await sign(await token({ email: 'b@example.com' }), { name: 'b@example.com' }));
  clock.advance(60_000);
  leafOf(await sign(await token()));
});

const openParts = (keys: ReturnType<typeof memoryKeyStore>) => caFixture([email], { keys });

test('the second start goes on with the same authority', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-ca-'));
  try {
    const first = await openParts(fileKeyStore(join(dir, 'ca')));
    const second = await openParts(fileKeyStore(join(dir, 'ca')));
    assert.deepEqual(second.ca.root.der, first.ca.root.der);
    assert.deepEqual(second.ca.intermediate.der, first.ca.intermediate.der);
    leafOf(await second.sign(await token()));
    assert.equal((await stat(join(dir, 'ca', 'intermediate.key'))).mode & 0o777, 0o600);
    // The root key may leave the machine once the intermediate exists.
    await rm(join(dir, 'ca', 'root.key'));
    leafOf(await (await openParts(fileKeyStore(join(dir, 'ca')))).sign(await token()));
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('keys are encrypted under a passphrase, and another one does not open them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-ca-'));
  try {
    const first = await openParts(fileKeyStore(dir, new Secret('right')));
    assert.match(utf8Text(await readFile(join(dir, 'root.key'))), /BEGIN ENCRYPTED PRIVATE KEY/);
    const again = await openParts(fileKeyStore(dir, new Secret('right')));
    assert.deepEqual(again.ca.root.der, first.ca.root.der);
    await assert.rejects(openParts(fileKeyStore(dir, new Secret('wrong'))), /WB-219/);
    await assert.rejects(openParts(fileKeyStore(dir)), /WB-219.*no passphrase/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a start is refused when keys and certificates do not belong together', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-ca-'));
  const file = (name: string): string => join(dir, name);
  try {
    await openParts(fileKeyStore(dir));
    const kept = await readFile(file('intermediate.key'));
    await writeFile(file('intermediate.key'), generateKey('p256').exportPem(), { mode: 0o600 });
    await assert.rejects(openParts(fileKeyStore(dir)), /WB-1015.*another key/);
    await rm(file('intermediate.key'));
    await assert.rejects(openParts(fileKeyStore(dir)), /WB-1015.*no such key/);
    await writeFile(file('intermediate.key'), kept, { mode: 0o600 });
    await chmod(file('intermediate.key'), 0o644);
    await assert.rejects(openParts(fileKeyStore(dir)), /WB-219.*mode 0644/);
    await chmod(file('intermediate.key'), 0o600);
    const other = await caFixture();
    await writeFile(file('root.pem'), pemEncode('CERTIFICATE', other.ca.root.der));
    await assert.rejects(openParts(fileKeyStore(dir)), /WB-1015.*another signature/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a crash between a key and its certificate leaves a start that goes on', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'waybill-ca-'));
  try {
    const store = fileKeyStore(dir);
    const key = await store.openKey('root', 'p256');
    const { ca } = await openParts(fileKeyStore(dir));
    assert.equal(toHex(ca.root.publicKey.spki), toHex(key.publicKey.spki));
  } finally {
    await rm(dir, { recursive: true });
  }
});

const { code: opensslCode } = await run('openssl', ['version']);
if (opensslCode !== 0) process.stderr.write('ca: openssl is not installed, its verification did not run\n');
else {
  test('openssl verifies the issued chain strictly', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'waybill-ca-'));
    try {
      const { sign, ca } = await caFixture();
      const leaf = leafOf(await sign(await token()));
      await writeFile(join(dir, 'root.pem'), pemEncode('CERTIFICATE', ca.root.der));
      await writeFile(join(dir, 'mid.pem'), pemEncode('CERTIFICATE', ca.intermediate.der));
      await writeFile(join(dir, 'leaf.pem'), pemEncode('CERTIFICATE', leaf.der));
      const at = ['-attime', String(NOW / 1000 + 30)];
      const chain = ['-CAfile', 'root.pem', '-untrusted', 'mid.pem', 'leaf.pem'];
      const result = await run('openssl', ['verify', '-x509_strict', ...at, ...chain], { cwd: dir });
      assert.equal(result.code, 0, result.stdout + result.stderr);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
}

test('a path or method that is not there is told as the gateway tells it', async () => {
  const { app } = await caFixture();
  const nowhere = await app.inject('/api/v3/x');
  const wrong = await app.inject({ method: 'PUT', url: '/api/v2/trustBundle' });
  assert.deepEqual([nowhere.statusCode, nowhere.json<{ code: number }>().code], [404, 5]);
  assert.match(nowhere.json<{ message: string }>().message, /^Not Found: WB-207 /);
  assert.deepEqual([wrong.statusCode, wrong.json<{ code: number }>().code], [501, 12]);
  assert.match(wrong.json<{ message: string }>().message, /^Method Not Allowed: WB-207 /);
});
