/** Hashedrekord entries that are not written the usual way: read, and compared part by part. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey, type HashName, hash, type PrivateKey, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { pemEncode } from '#formats/pem';
import { hashedRekordV1Body, hashedRekordV2Body, type VerifierV2 } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import type { Certificate } from '#formats/x509';
import { requireKey, type SignedEntity, verifyEntity } from '#verify';
import { EPOCH, MINUTE } from '../double/virtual-stack.ts';
import { codeOf, edit, stack } from './attack.ts';

const artifact = utf8('hello');
const trustedRoot = stack.trust();
const p384 = generateKey('p384');
const oddRsa = generateKey('rsa', 2056);

interface Signer {
  readonly key: PrivateKey;
  readonly certificate: Certificate | undefined;
  readonly hash: HashName;
}

/** P-384 with SHA-256, as old keys sign: not the usual pair, so entries are read. */
const keyless: Signer = { key: p384, certificate: stack.issue(p384, EPOCH), hash: 'sha256' };
const bare: Signer = { ...keyless, certificate: undefined };
const usual: Signer = { ...keyless, hash: 'sha384' };

/** `accepted`, or code and name of the check. */
function judged(signer: Signer, enter: (signature: Uint8Array) => TransparencyLogEntry): string {
  const { key, certificate } = signer;
  const signature = key.sign(artifact, signer.hash);
  const entity: SignedEntity = {
    material:
      certificate === undefined ? { kind: 'publicKey', hint: '' } : { kind: 'certificate', certificate },
    entries: [enter(signature)],
    timestamps: [stack.tsa.stamp(signature, EPOCH + MINUTE)],
    signature,
    content: { kind: 'message' },
  };
  const requirements = certificate === undefined ? unwrap(requireKey(key.publicKey)) : stack.requirements();
  const verdict = verifyEntity({ artifact, trustedRoot, requirements, now: EPOCH, entity });
  if (verdict.outcome === 'accepted') return 'accepted';
  const { code, check } = verdict.outcome === 'rejected' ? verdict.reason : verdict.cause;
  return `${code} ${check}`;
}

type LeafInput = Parameters<typeof hashedRekordV2Body>[0];

function leaf(
  signer: Signer,
  changes: Partial<LeafInput> & { readonly details?: string; readonly verifier?: VerifierV2 } = {},
  kind = 'hashedrekord',
) {
  const { key, certificate } = signer;
  const keyDetails = changes.details ?? 'PKIX_ECDSA_P384_SHA_256';
  const verifier: VerifierV2 =
    certificate === undefined
      ? { kind: 'publicKey', rawBytes: key.publicKey.spki, keyDetails }
      : { kind: 'x509Certificate', rawBytes: certificate.der, keyDetails };
  return (signature: Uint8Array): TransparencyLogEntry => {
    const value = { algorithm: signer.hash, value: hash(signer.hash, artifact) };
    const { details: _, ...parts } = changes;
    return stack.rekorV2.append(
      kind,
      '0.0.2',
      hashedRekordV2Body({ hash: value, signature, verifier, ...parts }),
      0,
    );
  };
}

for (const [name, signer] of Object.entries({ 'a certificate': keyless, 'a bare key': bare })) {
  test(`v2, by ${name}: P-384 with SHA-256 is accepted under its own name alone`, () => {
    assert.equal(judged(signer, leaf(signer)), 'accepted');
    for (const details of [
      'PKIX_ECDSA_P384_SHA_384',
      'PKIX_ECDSA_P256_SHA_256',
      'PKIX_ED25519',
      'NO_SUCH_NAME',
    ]) {
      assert.equal(judged(signer, leaf(signer, { details })), 'WB-310 tlog.entry.keyDetails', details);
    }
  });

  test(`v2, by ${name}: each part that differs is told by its name (WB-310)`, () => {
    const value = { algorithm: 'sha256' as const, value: sha256(utf8('other')) };
    assert.equal(judged(signer, leaf(signer, { hash: value })), 'WB-310 tlog.entry.digest');
    const signature = p384.sign(utf8('other'), 'sha256');
    assert.equal(judged(signer, leaf(signer, { signature })), 'WB-310 tlog.entry.signature');
    const stranger = generateKey('p384');
    const rawBytes =
      signer.certificate === undefined ? stranger.publicKey.spki : stack.issue(p384, EPOCH).der;
    const kind = signer.certificate === undefined ? 'publicKey' : 'x509Certificate';
    const verifier: VerifierV2 = { kind, rawBytes, keyDetails: 'PKIX_ECDSA_P384_SHA_256' };
    assert.equal(judged(signer, leaf(signer, { verifier })), 'WB-310 tlog.entry.verifier');
  });

  test(`v2, by ${name}: an entry of another kind is none, though its leaf reads the same (WB-172)`, () => {
    const usualSigner = { ...usual, certificate: signer.certificate };
    const details = 'PKIX_ECDSA_P384_SHA_384';
    assert.equal(judged(usualSigner, leaf(usualSigner, { details })), 'accepted');
    assert.match(judged(usualSigner, leaf(usualSigner, { details }, 'dsse')), /^WB-172/);
  });
}

test('v2: a bare key under a certificate, and a certificate under a bare key, are noticed', () => {
  const keyDetails = 'PKIX_ECDSA_P384_SHA_256';
  const key: VerifierV2 = { kind: 'publicKey', rawBytes: p384.publicKey.spki, keyDetails };
  assert.equal(judged(keyless, leaf(keyless, { verifier: key })), 'WB-310 tlog.entry.verifier');
  const rawBytes = (keyless.certificate as Certificate).der;
  const certificate: VerifierV2 = { kind: 'x509Certificate', rawBytes, keyDetails };
  assert.match(judged(bare, leaf(bare, { verifier: certificate })), /^WB-302/);
  const other: VerifierV2 = { kind: 'x509Certificate', rawBytes: p384.publicKey.spki, keyDetails };
  assert.equal(judged(keyless, leaf(keyless, { verifier: other })), 'WB-310 tlog.entry.verifier');
});

test('v2: an RSA key whose length has no name of its own is accepted under the name of all', () => {
  const key = oddRsa;
  const signer: Signer = { key, certificate: undefined, hash: 'sha256' };
  assert.equal(judged(signer, leaf(signer, { details: 'PKIX_RSA_PKCS1V5' })), 'accepted');
  const other = leaf(signer, { details: 'PKIX_RSA_PKCS1V15_2048_SHA256' });
  assert.equal(judged(signer, other), 'WB-310 tlog.entry.keyDetails');
});

type BodyInput = Parameters<typeof hashedRekordV1Body>[0];
const p256 = generateKey('p256');
const plain: Signer = { key: p256, certificate: stack.issue(p256, EPOCH), hash: 'sha256' };

const body =
  ({ key, certificate }: Signer, changes: Partial<BodyInput> = {}, kind = 'hashedrekord') =>
  (signature: Uint8Array): TransparencyLogEntry => {
    const verifier =
      certificate === undefined
        ? pemEncode('PUBLIC KEY', key.publicKey.spki)
        : pemEncode('CERTIFICATE', certificate.der);
    const value = { algorithm: 'sha256', value: sha256(artifact) } as const;
    const bytes = hashedRekordV1Body({ hash: value, signature, verifier, ...changes });
    return stack.rekorV1.append(kind, '0.0.1', bytes, EPOCH);
  };

test('v1: the verifier is the one block with the one label that holds what signed (WB-310)', () => {
  const { der } = plain.certificate as Certificate;
  assert.equal(judged(plain, body(plain)), 'accepted');
  assert.equal(
    judged({ ...plain, certificate: undefined }, body({ ...plain, certificate: undefined })),
    'accepted',
  );
  const one = pemEncode('CERTIFICATE', der);
  for (const verifier of [
    pemEncode('PUBLIC KEY', p256.publicKey.spki),
    pemEncode('CERTIFICATE', p256.publicKey.spki),
    pemEncode('PUBLIC KEY', der),
    pemEncode('CERTIFICATE', stack.issue(p256, EPOCH).der),
    `${one}${one}`,
  ]) {
    assert.equal(judged(plain, body(plain, { verifier })), 'WB-310 tlog.entry.verifier', verifier);
  }
  assert.match(judged(plain, body(plain, { verifier: 'no PEM' })), /^WB-120/);
  // The same block written another way is the same verifier.
  assert.equal(judged(plain, body(plain, { verifier: `note\n${one}` })), 'accepted');
});

test('v1: digest and signature are each compared (WB-310)', () => {
  const value = { algorithm: 'sha256', value: sha256(utf8('other')) } as const;
  assert.equal(judged(plain, body(plain, { hash: value })), 'WB-310 tlog.entry.digest');
  const signature = p256.sign(utf8('other'));
  assert.equal(judged(plain, body(plain, { signature })), 'WB-310 tlog.entry.signature');
  const long = { algorithm: 'sha512', value: hash('sha512', artifact) } as const;
  assert.equal(judged(plain, body(plain, { hash: long })), 'accepted');
});

test('v1: an entry of another kind or version is none, though its body reads the same', () => {
  assert.match(judged(plain, body(plain, {}, 'rekord')), /^WB-173/);
  assert.match(judged(plain, body(plain, {}, 'helm')), /^WB-172/);
});

test('an entry over another hash than the digest at hand is not judged, in either generation (WB-304)', () => {
  for (const log of [stack.rekorV1, stack.rekorV2]) {
    const sample = stack.sign({ logs: [log] });
    const bundle = edit(sample.json, { 'messageSignature.messageDigest': undefined });
    assert.equal(codeOf(stack.verify(bundle, digestOf(sample.artifact))), 'accepted');
    assert.equal(codeOf(stack.verify(bundle, digestOf(sample.artifact, 'sha512'))), 'WB-304');
  }
});
