/** Signatures over bytes and over digests alone, the reasons that are told, and what is only noted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { generateKey, type PrivateKey } from '#base/crypto';
import { digestOf } from '#base/digest';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { parseSimpleSigning, requireKey, signEd25519phDigest, verifyHashSignature } from '#verify';
import { VirtualTsa } from '../double/virtual-ca.ts';
import { VirtualLog } from '../double/virtual-log.ts';
import { EPOCH, MINUTE, YEAR } from '../double/virtual-stack.ts';
import { codeOf, edit, outcomeOf, stack } from './attack.ts';

const artifact = utf8('hello');
const { validFor } = stack;

function judged(
  key: PrivateKey,
  signature: Uint8Array,
  by: Uint8Array | ReturnType<typeof digestOf>,
): string {
  const { json } = stack.sign({ artifact, key, replaceSignature: signature, logs: [] });
  const bundle = edit(json, { 'messageSignature.messageDigest': undefined });
  const requirements = unwrap(requireKey(key.publicKey, { tlog: 'notRequiredUnsafe' }));
  return codeOf(outcomeOf({ bundle, artifact: by, requirements }));
}

test('over a digest alone a signature is still judged, and not judged over another hash (WB-340, WB-304)', () => {
  const key = generateKey('p256');
  const [good, forged] = [key.sign(artifact), key.sign(utf8('other'))];
  assert.equal(judged(key, good, digestOf(artifact)), 'accepted');
  assert.equal(judged(key, forged, digestOf(artifact)), 'WB-340');
  assert.equal(judged(key, good, digestOf(artifact, 'sha512')), 'WB-304');
  assert.equal(judged(key, forged, artifact), 'WB-340');
});

test('Ed25519 is pure over bytes, prehashed over bytes or their SHA-512', () => {
  const key = generateKey('ed25519');
  const seed = unwrap(pemDecode(key.exportPem()))[0].der.subarray(-32);
  const sha512 = Buffer.from(digestOf(artifact, 'sha512').slice('sha512:'.length), 'hex');
  const prehashed = signEd25519phDigest(sha512, seed);
  assert.equal(judged(key, key.sign(artifact), artifact), 'accepted');
  assert.equal(judged(key, prehashed, artifact), 'accepted');
  assert.equal(judged(key, prehashed, digestOf(artifact, 'sha512')), 'accepted');
  assert.equal(judged(key, key.sign(artifact), digestOf(artifact, 'sha512')), 'WB-340');
  assert.equal(judged(key, prehashed, digestOf(artifact)), 'WB-304');
  assert.equal(judged(key, key.sign(utf8('other')), artifact), 'WB-340');
});

const rsa = generateKey('rsa', 2048);

test('a signature over a hash value is of its kind of key, and of a value of its length', () => {
  const bytesOf = (name: 'sha256' | 'sha512'): Uint8Array =>
    Buffer.from(digestOf(artifact, name).slice(`${name}:`.length), 'hex');
  const [short, long] = [bytesOf('sha256'), bytesOf('sha512')];
  const ec = generateKey('p256');
  assert.equal(verifyHashSignature(ec.publicKey, 'sha256', short, ec.sign(artifact)), true);
  assert.equal(verifyHashSignature(ec.publicKey, 'sha512', short, ec.sign(artifact)), false);
  assert.equal(verifyHashSignature(rsa.publicKey, 'sha256', short, rsa.sign(artifact)), true);
  assert.equal(verifyHashSignature(rsa.publicKey, 'sha256', short, rsa.sign(utf8('other'))), false);
  const ed = generateKey('ed25519');
  const seed = unwrap(pemDecode(ed.exportPem()))[0].der.subarray(-32);
  assert.equal(verifyHashSignature(ed.publicKey, 'sha512', long, signEd25519phDigest(long, seed)), true);
  assert.equal(verifyHashSignature(ed.publicKey, 'sha512', long, ed.sign(artifact)), false);
  assert.equal(verifyHashSignature(ed.publicKey, 'sha256', short, signEd25519phDigest(short, seed)), false);
});

const image = { 'docker-manifest-digest': digestOf(artifact) };
const simple = (given: object, more: object = {}): string => {
  const critical = { identity: {}, image: given, type: 'cosign container image signature' };
  const parsed = parseSimpleSigning(utf8(JSON.stringify({ critical, ...more })));
  return parsed.ok ? 'ok' : parsed.error.code;
};

test('a document of an image names one digest, and may have no other member (WB-346)', () => {
  assert.equal(simple(image), 'ok');
  assert.equal(simple(image, { optional: null }), 'ok');
  assert.equal(simple(image, { optional: {} }), 'ok');
  assert.equal(simple({ 'Docker-manifest-digest': digestOf(artifact) }), 'ok');
  assert.equal(simple({}), 'WB-346');
  assert.equal(simple({ ...image, 'Docker-manifest-digest': digestOf(artifact) }), 'WB-346');
});

test('of two failures of a timestamp the one that got further is told, in either order (WB-325)', () => {
  const serial = Uint8Array.of(0x41, 1);
  const twin = () => new VirtualTsa({ name: 'twin', validFor, alter: (one) => ({ ...one, serial }) });
  const [tsa, other] = [twin(), twin()];
  const late = { ...tsa.authority, validFor: { start: EPOCH - YEAR, end: EPOCH - YEAR / 2 } };
  const { bytes, artifact: signed } = stack.sign({ logs: [stack.rekorV2], tsas: [tsa] });
  for (const timestampAuthorities of [
    [late, other.authority],
    [other.authority, late],
  ]) {
    const trust = stack.trust({ ...stack.root, timestampAuthorities });
    assert.equal(codeOf(outcomeOf({ bundle: bytes, artifact: signed, trust })), 'WB-325');
  }
});

test('a log of the first generation is found by its key, whatever key id the root names for checkpoints', () => {
  const log = { ...stack.rekorV1.authority, checkpointKeyId: new Uint8Array(32) };
  const { bytes, artifact: signed } = stack.sign();
  const trust = stack.trust({ ...stack.root, tlogs: [log] });
  assert.equal(codeOf(outcomeOf({ bundle: bytes, artifact: signed, trust })), 'accepted');
});

test('an entry of a log that is not trusted is noted', () => {
  const strange = new VirtualLog({
    generation: 'v2',
    host: 'x.example',
    key: generateKey('ed25519'),
    validFor,
  });
  const { bytes, artifact: signed } = stack.sign({ logs: [stack.rekorV1, strange] });
  const verdict = outcomeOf({ bundle: bytes, artifact: signed });
  assert.ok(verdict.outcome === 'accepted');
  assert.match(verdict.notes[0]?.actual ?? '', /a log that is not in the trusted root/);
});

test('a log that gives no time was valid at one trusted time, which is enough', () => {
  const log = { ...stack.rekorV2.authority, validFor: { start: EPOCH - YEAR, end: EPOCH + 2 * MINUTE } };
  const trust = stack.trust({ ...stack.root, tlogs: [log] });
  const sample = stack.sign({ logs: [stack.rekorV2] });
  const stamp = (minutes: number): Uint8Array => stack.tsa.stamp(sample.signature, EPOCH + minutes * MINUTE);
  const outcome = (...minutes: number[]): string => {
    const timestamps = minutes.map((at) => ({ signedTimestamp: Buffer.from(stamp(at)).toString('base64') }));
    const place = 'verificationMaterial.timestampVerificationData.rfc3161Timestamps';
    return codeOf(
      outcomeOf({ bundle: edit(sample.json, { [place]: timestamps }), artifact: sample.artifact, trust }),
    );
  };
  assert.equal(outcome(1, 5), 'accepted');
  assert.equal(outcome(5, 1), 'accepted');
  assert.equal(outcome(5), 'WB-316');
});
