/** Who signed, at the borders: names that are none, the nearest miss, patterns of every length; Ed25519ph; layers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { limits } from '#base/limits';
import { type Result, unwrap } from '#base/result';
import { der } from '#formats/der';
import { envelopeJson } from '#formats/dsse';
import { pemDecode } from '#formats/pem';
import { buildName } from '#formats/x509';
import type { CertificateTemplate } from '#formats/x509-build';
import {
  DSSE_MEDIA_TYPE,
  type IdentityInput,
  identity,
  legacyAnnotations,
  matcher,
  type Pattern,
  parseLegacyLayer,
  requireKey,
  requireKeyless,
  SIMPLE_SIGNING_MEDIA_TYPE,
  signEd25519phDigest,
  type Verdict,
} from '#verify';
import { ISSUER, SUBJECT } from '../double/virtual-stack.ts';
import { codeOf, outcomeOf, stack } from './attack.ts';

const SAN = '2.5.29.17';

/** A signature by a leaf with this alternative name, or with none; identities in the order given. */
function signedBy(name: Uint8Array | undefined, ...wanted: IdentityInput[]): Verdict {
  const alter = (one: CertificateTemplate): CertificateTemplate => ({
    ...one,
    subject: buildName([{ type: 'CN', value: 'leaf' }]),
    extensions: [
      ...one.extensions.filter(({ oid }) => oid !== SAN),
      ...(name === undefined ? [] : [{ oid: SAN, critical: true, value: der.seq(name) }]),
    ],
  });
  const { bytes, artifact } = stack.sign({ leaf: { alter } });
  const identities = wanted.map((one) => unwrap(identity(one)));
  return outcomeOf({ bundle: bytes, artifact, requirements: unwrap(requireKeyless({ identities })) });
}

const email = der.implicit(1, der.ia5(SUBJECT));

test('a certificate without a name is nobody’s (WB-353)', () => {
  assert.equal(codeOf(signedBy(email, { issuer: ISSUER, san: SUBJECT })), 'accepted');
  assert.equal(codeOf(signedBy(undefined, { issuer: ISSUER, san: SUBJECT })), 'WB-353');
});

test('a name of a kind that is not read matches nothing, not even its own bytes (WB-351)', () => {
  const odd = der.implicit(8, der.oid('1.2.3'));
  assert.equal(codeOf(signedBy(odd, { issuer: ISSUER, san: toHex(odd) })), 'WB-351');
  assert.equal(codeOf(signedBy(odd, { issuer: ISSUER, san: { regexp: '[0-9a-f]+' } })), 'WB-351');
});

const told = (verdict: Verdict): string =>
  verdict.outcome === 'rejected' ? `${verdict.reason.code} ${verdict.reason.expected}` : verdict.outcome;

test('the miss that is told is the nearest, and of equal ones the first', () => {
  const elsewhere = { issuer: 'https://other.example', san: SUBJECT };
  const another = { issuer: ISSUER, san: 'eve@evil.example' };
  const third = { issuer: ISSUER, san: 'mallory@evil.example' };
  assert.equal(told(signedBy(email, another, elsewhere)), 'WB-351 "eve@evil.example"');
  assert.equal(told(signedBy(email, elsewhere, another)), 'WB-351 "eve@evil.example"');
  assert.equal(told(signedBy(email, another, third)), 'WB-351 "eve@evil.example"');
  assert.equal(told(signedBy(email, third, another)), 'WB-351 "mallory@evil.example"');
  assert.equal(told(signedBy(email, another, { issuer: ISSUER, san: SUBJECT })), 'accepted');
});

test('the kind of name that is required is compared, and told', () => {
  const as = (sanType: 'email' | 'uri', san = SUBJECT) => ({ issuer: ISSUER, san, sanType });
  assert.equal(told(signedBy(email, as('email'))), 'accepted');
  assert.equal(told(signedBy(email, as('uri'))), `WB-351 uri ${JSON.stringify(SUBJECT)}`);
  assert.equal(told(signedBy(email, as('email', 'x'))), 'WB-351 email "x"');
});

const { identityChars, regexpChars } = limits;
const said = (result: Result<unknown>): string => (result.ok ? 'ok' : result.error.code);

test('patterns are as long as they may be, and say of what kind they are (WB-361)', () => {
  assert.equal(said(matcher('')), 'WB-361');
  assert.equal(said(matcher('x'.repeat(identityChars))), 'ok');
  assert.equal(said(matcher('x'.repeat(identityChars + 1))), 'WB-361');
  for (const make of [
    (source: string) => ({ regexp: source }),
    (source: string) => ({ glob: source }),
    (source: string) => ({ regexpUnanchoredUnsafe: source }),
  ]) {
    assert.equal(said(matcher(make(''))), 'WB-361');
    assert.equal(said(matcher(make('x'.repeat(regexpChars)))), 'ok');
    assert.equal(said(matcher(make('x'.repeat(regexpChars + 1)))), 'WB-361');
  }
  assert.equal(unwrap(matcher('a')).text, '"a"');
  assert.equal(unwrap(matcher({ glob: 'acme*' })).text, 'glob "acme*"');
  assert.equal(unwrap(matcher({ regexp: 'acme+' })).text, 'regexp "acme+"');
  assert.equal(unwrap(matcher({ regexpUnanchoredUnsafe: 'acme+' })).text, 'regexp "acme+"');
});

test('a pattern is asked about names as long as names may be, and no longer', () => {
  for (const pattern of [{ regexp: 'x+' }, { glob: 'x**' }, { regexpUnanchoredUnsafe: 'xxxx' }]) {
    const { matches } = unwrap(matcher(pattern));
    assert.equal(matches('x'.repeat(identityChars)), true);
    assert.equal(matches('x'.repeat(identityChars + 1)), false);
  }
});

test('a pattern that takes everybody is refused, one that excludes somebody is not (WB-361)', () => {
  for (const bad of [
    { regexp: '.*' },
    { glob: '**' },
    { regexpUnanchoredUnsafe: '' },
    { regexpUnanchoredUnsafe: 'x*' },
    { regexpUnanchoredUnsafe: '@' },
    { regexpUnanchoredUnsafe: 'https://' },
    ...['*', '?*', '*@*', '*.*', 'https://**'].map((glob) => ({ glob })),
    ...['.+@.+', '[[:print:]]*', '(?i)[a-z].*', '.*(\\.|:|@).*', '(.*@.*)|(https?://.*)', 'https://.*'].map(
      (regexp) => ({ regexp }),
    ),
  ]) {
    assert.equal(said(matcher(bad)), 'WB-361', JSON.stringify(bad));
  }
  for (const good of [
    ...['a**', '*@acme.example', 'https://github.com/**', '**/release.yml@refs/heads/main'].map((glob) => ({
      glob,
    })),
    ...['.+@acme\\.example', 'https://github\\.com/.+'].map((regexp) => ({ regexp })),
    ...['github.com/acme', 'a', 'acme.example'].map((text) => ({ regexpUnanchoredUnsafe: text })),
  ]) {
    assert.equal(said(matcher(good)), 'ok', JSON.stringify(good));
  }
  assert.equal(said(matcher({ regexp: '(' })), 'WB-361');
  const [free, bound] = [true, false].map((mayAdmitEverybody) => ({
    regexpUnanchoredUnsafe: '.*',
    mayAdmitEverybody,
  }));
  assert.equal(said(matcher(free as Pattern)), 'ok', 'whoever calls has said so to the user');
  assert.equal(said(matcher(bound as Pattern)), 'WB-361');
});

test('a pattern that takes one stranger of a kind still excludes others', () => {
  for (const one of ['q@zz\\.qq', 'w7\\.k\\+v@.*', 'https://zz\\.qq/.*', 'https://u4-k\\..*']) {
    assert.equal(said(matcher({ regexp: one })), 'ok', one);
  }
});

test('Ed25519ph is of an Ed25519 key over a hash of 64 bytes', () => {
  const key = generateKey('ed25519');
  const seed = unwrap(pemDecode(key.exportPem()))[0].der.subarray(-32);
  const artifact = utf8('hello');
  const judge = (replaceSignature: Uint8Array, by: Uint8Array | ReturnType<typeof digestOf>): string => {
    const sample = stack.sign({ artifact, key, replaceSignature, logs: [] });
    const requirements = unwrap(requireKey(key.publicKey, { tlog: 'notRequiredUnsafe' }));
    return codeOf(outcomeOf({ bundle: sample.bytes, artifact: by, requirements }));
  };
  const sha512 = Buffer.from(digestOf(artifact, 'sha512').slice('sha512:'.length), 'hex');
  assert.equal(judge(signEd25519phDigest(sha512, seed), artifact), 'accepted');
  assert.equal(judge(signEd25519phDigest(sha512, seed), digestOf(artifact, 'sha512')), 'accepted');
  assert.equal(judge(signEd25519phDigest(sha256(artifact), seed), artifact), 'WB-340');
  assert.equal(judge(signEd25519phDigest(sha512, seed).subarray(1), artifact), 'WB-340');
});

test('a layer with an envelope has exactly one signature (WB-380)', () => {
  const signature = { sig: Uint8Array.of(1) };
  const layer = (...signatures: (typeof signature)[]) => ({
    mediaType: DSSE_MEDIA_TYPE,
    payload: utf8(envelopeJson({ payloadType: 't', payload: utf8('{}'), signatures })),
    annotations: {},
  });
  assert.equal(said(parseLegacyLayer(layer(signature), 'key')), 'ok');
  assert.equal(said(parseLegacyLayer(layer(signature, signature), 'key')), 'WB-380');
  assert.equal(said(parseLegacyLayer(layer(signature, signature, signature), 'key')), 'WB-380');
  assert.equal(said(parseLegacyLayer(layer(), 'key')), 'WB-155');
});

test('a layer’s signature is base64 of something (WB-380)', () => {
  const layer = (signature: string | undefined) => ({
    mediaType: SIMPLE_SIGNING_MEDIA_TYPE,
    payload: utf8('{}'),
    annotations: signature === undefined ? {} : { [legacyAnnotations.signature]: signature },
  });
  assert.equal(said(parseLegacyLayer(layer(toBase64(Uint8Array.of(1))), 'key')), 'ok');
  for (const bad of ['', 'A', '====', undefined])
    assert.equal(said(parseLegacyLayer(layer(bad), 'key')), 'WB-380');
});

test('a number of witnesses is between 1 and 32 (WB-360)', () => {
  const { publicKey } = generateKey('p256');
  for (const count of [1, 32]) {
    assert.equal(said(requireKey(publicKey, { tlog: count })), 'ok');
    assert.equal(said(requireKey(publicKey, { time: { kind: 'signed', atLeast: count } })), 'ok');
  }
  for (const count of [0, 33, 1.5, -1, Number.NaN]) {
    assert.equal(said(requireKey(publicKey, { tlog: count })), 'WB-360');
    assert.equal(said(requireKey(publicKey, { time: { kind: 'signed', atLeast: count } })), 'WB-360');
  }
});
