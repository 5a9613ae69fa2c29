/**
 * Requests that no certificate is given for: the real Fulcio and our authority refuse each with the same status, the
 * same number and the same words, ours with its own code behind them.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { generateKeyPair, SignJWT } from 'jose';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import { buildCsr, emptyName } from '#formats/x509-build';
import { assertAlike, errorOf } from './bad-input.ts';
import { buildkite, codefresh, fulcioYaml, github, gitlab, ownJob } from './fulcio-issuers.ts';
import { type Asked, ask, type Claims, fulcioWorld, keyRequest, type SigningKey } from './fulcio-world.ts';

const world = await fulcioWorld(fulcioYaml);
const key = generateKey('p256');
const ADA = 'ada@example.com';
const person: Claims = { iss: `${world.origin}/people`, sub: '1', email: ADA, email_verified: true };
const good = await world.token(person);
const body = keyRequest(key, ADA);
const now = Math.floor(Date.now() / 1000);
const stranger = (await generateKeyPair('ES256')).privateKey;

interface Case {
  readonly name: string;
  readonly asked: Asked;
  /** Both refuse, but the words of the reader of JSON, or of the language, are other ones. */
  readonly words?: 'own';
}

/** A token that is not believed, or says what no certificate can. */
const bearer = async (
  name: string,
  claims: Claims,
  ...signed: [header?: object, key?: SigningKey]
): Promise<Case> => ({
  name,
  asked: {
    bearer: await world.token({ ...person, ...claims }, ...signed),
    body: keyRequest(key, `${claims['sub'] ?? ADA}`),
  },
});
const of = (path: string, name: string, claims: Claims): Promise<Case> =>
  bearer(`${path}: ${name}`, { iss: `${world.origin}/${path}`, email: undefined, ...claims });

const [head = '', payload = ''] = good.split('.');
const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
const symmetric = await new SignJWT({ ...person, aud: 'sigstore', exp: now + 300 })
  .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
  .sign(utf8('a secret of thirty-two characters'));

const tokens: readonly Case[] = [
  { name: 'no token', asked: { body } },
  { name: 'an empty token', asked: { body: { ...body, credentials: { oidcIdentityToken: '' } } } },
  { name: 'a token that is none', asked: { bearer: 'nonsense', body } },
  { name: 'a token of two parts', asked: { bearer: `${head}.${payload}`, body } },
  { name: 'a token without a signature', asked: { bearer: unsigned, body } },
  { name: 'a token with a shared secret', asked: { bearer: symmetric, body } },
  { name: 'a token with other claims', asked: { bearer: `${head}.${payload.slice(0, -2)}AA.AAAA`, body } },
  {
    name: 'a bad token in the body beside a good one',
    asked: { bearer: good, body: { ...body, credentials: { oidcIdentityToken: 'x' } } },
  },
  await bearer('another audience', { aud: 'others' }),
  await bearer('no audience', { aud: undefined }),
  await bearer('an issuer nobody configured', { iss: `${world.origin}/nobody` }),
  await bearer('an issuer that a pattern only begins', { iss: `${world.origin}/enterprises/acme/more` }),
  await bearer('an issuer elsewhere', { iss: 'http://127.0.0.1:9/people' }),
  await bearer('an expired token', { exp: now - 60 }),
  await bearer('a token without an end', { exp: undefined }),
  await bearer('a token that is not valid yet', { nbf: now + 3600 }),
  await bearer('a key of others', {}, {}, stranger),
  await bearer('a key id nobody has', {}, { kid: 'other' }, stranger),
  await bearer('an unverified e-mail address', { email_verified: false }),
  await bearer('an e-mail address without a word about it', { email_verified: undefined }),
  await bearer('no e-mail address', { email: undefined }),
  await bearer('an e-mail address that is none', { email: 'ada' }),
  await bearer('an e-mail address that is a number', { email: 7 }),
  await of('dex', 'no connector', { sub: '1', email: ADA }),
  await of('users', 'an exclamation mark', { sub: 'ada!example.com' }),
  await of('users', 'an e-mail address', { sub: ADA }),
  await of('spire', 'another trust domain', { sub: 'spiffe://other.example/ns/a' }),
  await of('spire', 'no SPIFFE ID', { sub: 'https://example.com/ns/a' }),
  await of('spire', 'a path that climbs', { sub: 'spiffe://example.com/a/../b' }),
  await of('uris', 'another host', { sub: 'http://127.0.0.2/users/ada' }),
  await of('uris', 'another scheme', { sub: 'https://127.0.0.1/users/ada' }),
  await of('uris', 'no URI', { sub: 'ada' }),
  await of('github-workflow', 'a claim missing', { ...github, job_workflow_ref: undefined }),
  await of('gitlab-pipeline', 'a claim missing', { ...gitlab, project_path: undefined }),
  await of('buildkite-job', 'a claim missing', { ...buildkite, pipeline_slug: undefined }),
  await of('codefresh-workflow', 'a claim missing', { ...codefresh, pipeline_id: undefined }),
];

// Of a template whose claim is missing Fulcio shows the words of Go's template engine.
const templates: readonly Case[] = [
  await of('provider-github-workflow', 'a claim missing', { ...github, job_workflow_ref: undefined }),
  await of('provider-gitlab-pipeline', 'a claim missing', { ...gitlab, ref_type: undefined }),
  await of('own', 'a claim missing', { ...ownJob, sha: undefined }),
].map((one) => ({ ...one, words: 'own' as const }));

const proof = (pem: string, signature: Uint8Array): object => ({
  publicKeyRequest: {
    publicKey: { algorithm: 'ECDSA', content: pem },
    proofOfPossession: toBase64(signature),
  },
});
const pemOf = (made: { publicKey: KeyObject }): string =>
  made.publicKey.export({ format: 'pem', type: 'spki' }).toString();
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const odd = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 });
const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const small = generateKeyPairSync('ec', { namedCurve: 'P-224' });
const csr = (pem: string): object => ({ certificateSigningRequest: toBase64(utf8(pem)) });
const request = buildCsr(emptyName, key);
const broken = request.slice();
broken[broken.length - 1] = (broken[broken.length - 1] as number) ^ 1;

const ask1 = (name: string, more: object | string | undefined, words?: 'own'): Case => ({
  name,
  asked: { bearer: good, ...(more === undefined ? {} : { body: more }) },
  ...(words === undefined ? {} : { words }),
});
const keys: readonly Case[] = [
  ask1('a proof over another name', keyRequest(key, 'eve@example.com')),
  ask1('a proof by another key', proof(publicKeyPem(generateKey('p256').publicKey), key.sign(utf8(ADA)))),
  ask1('no proof', proof(publicKeyPem(key.publicKey), new Uint8Array())),
  ask1('an RSA key of 1024 bits', proof(pemOf(weak), new Uint8Array(128))),
  ask1('an RSA key with exponent 3', proof(pemOf(odd), new Uint8Array(256))),
  ask1('a key on another curve', proof(pemOf(curve), new Uint8Array(70)), 'own'),
  ask1('a key on a small curve', proof(pemOf(small), new Uint8Array(70))),
  ask1('no key', proof('', key.sign(utf8(ADA)))),
  ask1('a key that is none', proof('a key', key.sign(utf8(ADA)))),
  ask1('a private key', proof(key.exportPem(), key.sign(utf8(ADA)))),
  ask1('a request for a certificate whose signature fails', csr(pemEncode('CERTIFICATE REQUEST', broken))),
  ask1('a request for a certificate that is none', csr('hello')),
  ask1(
    'a request for a certificate with other content',
    csr(pemEncode('CERTIFICATE REQUEST', utf8('hello'))),
  ),
  ask1('neither key nor request', {}),
  ask1('a key request without a key', { publicKeyRequest: { proofOfPossession: 'AA==' } }),
  ask1('a key request without anything', { publicKeyRequest: {} }),
];

const text = JSON.stringify(body);
const bodies: readonly Case[] = [
  ask1('no body', undefined),
  ask1('an empty body', ''),
  ask1('a body cut off', text.slice(0, -10), 'own'),
  ask1('a body that is no JSON', 'hello', 'own'),
  ask1('a list', '[]', 'own'),
  ask1('a field of another type', { publicKeyRequest: 'x' }, 'own'),
  ask1(
    'a proof that is not base64',
    { publicKeyRequest: { publicKey: { content: 'x' }, proofOfPossession: '*' } },
    'own',
  ),
  ask1(
    'a body that is too large',
    { ...body, certificateSigningRequest: 'A'.repeat(5 * 1024 * 1024) },
    'own',
  ),
];

const doors: readonly Case[] = [
  { name: 'another method', asked: { method: 'GET', bearer: good } },
  { name: 'PUT', asked: { method: 'PUT', bearer: good, body } },
  { name: 'a path that is not there', asked: { path: '/api/v2/nothing', method: 'GET' } },
  { name: 'a path outside', asked: { path: '/nothing', method: 'GET' } },
  {
    name: 'a form',
    asked: { bearer: good, body: 'a=b', type: 'application/x-www-form-urlencoded' },
    words: 'own',
  },
];

for (const { name, asked, words } of [...tokens, ...templates, ...keys, ...bodies, ...doors]) {
  test(`refused alike: ${name}`, async () => {
    const [theirs, ours] = [await ask(world.theirs, asked), await ask(world.ours, asked)];
    assert.ok(theirs.status >= 400, `taken: ${theirs.text}`);
    assertAlike(ours, theirs, words);
    assert.equal(ours.text.includes(good.split('.')[2] ?? '-'), false, 'the token stays secret');
  });
}

test('taken alike: a field that nobody knows', async () => {
  const asked: Asked = { bearer: good, body: { ...body, more: 1 } };
  assert.deepEqual(
    [(await ask(world.theirs, asked)).status, (await ask(world.ours, asked)).status],
    [200, 200],
  );
});

// What Fulcio makes a certificate of and we do not: a name with holes in it, or not the text of the claim.
const stricter: readonly (readonly [Case, string])[] = [
  [await of('cluster', 'no cluster', { sub: 'system:serviceaccount:a:b' }), 'WB-1007'],
  [await of('own', 'a number with a fraction', { ...ownJob, number: 1.5 }), 'WB-1007'],
  [ask1('more than one document', `${text}{}`), 'WB-1001'],
];
for (const [{ name, asked }, code] of stricter) {
  test(`refused by us alone: ${name}`, async () => {
    const [theirs, ours] = [await ask(world.theirs, asked), await ask(world.ours, asked)];
    assert.deepEqual([theirs.status, ours.status], [200, 400], `${theirs.text}\n${ours.text}`);
    assert.ok(errorOf(ours).message?.includes(code), ours.text);
  });
}
