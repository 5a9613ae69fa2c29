/** Cosignatures of witnesses, and verifier keys as text (c2sp.org/tlog-cosignature, c2sp.org/signed-note). */
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { fromBase64, toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, generateMlDsa44, mlDsa44, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { cosign, formatVerifierKey, parseVerifierKey } from '#formats/cosignature';
import { cosignSubtree, subtreeKeyId, subtreeVerifier } from '#formats/cosignature-subtree';
import { formatCheckpoint, parseNote, verifyNote } from '#formats/note';

const text = formatCheckpoint('log.example/behind', 20_852_163, sha256(utf8('root')), ['extension']);
const name = 'witness.example/w1';
const SECONDS = 1_679_315_147;

/** `name+hint+key` of an ML-DSA-44 key. */
const verifierKey = (key: Uint8Array, keyName = name): string =>
  `${keyName}+${toHex(subtreeKeyId(keyName, key)).slice(0, 8)}+${toBase64(Uint8Array.of(6, ...key))}`;

test('an ML-DSA-44 cosignature of a checkpoint verifies, also by a key read from its text form', () => {
  const key = generateMlDsa44();
  assert.equal(key.publicKey.length, mlDsa44.publicKeyBytes);
  const note = unwrap(parseNote(`${text}\n${cosignSubtree(name, key, text, SECONDS)}`));
  const read = unwrap(parseVerifierKey(verifierKey(key.publicKey)));
  assert.equal(read.kind, 'witness');
  assert.equal(unwrap(verifyNote(note, [read.verifier]))[0].name, name);
});

test('the signed message is laid out as the specification says', () => {
  const key = generateMlDsa44();
  const line = cosignSubtree(name, key, text, SECONDS);
  const blob = Buffer.from(fromBase64(line.trim().split(' ')[2] as string));
  assert.equal(blob.length, 4 + 8 + 2420);
  assert.equal(blob.readBigUInt64BE(4), BigInt(SECONDS));
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes;
  };
  const named = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  const message = Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    named(name),
    number(SECONDS),
    named('log.example/behind'),
    number(0),
    number(20_852_163),
    sha256(utf8('root')),
  ]);
  const spki = Buffer.concat([
    Buffer.from('30820532300b06096086480165030403110382052100', 'hex'),
    key.publicKey,
  ]);
  const handle = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  assert.ok(verify(null, message, handle, blob.subarray(12)));
});

test('an ML-DSA-44 cosignature for another name, size, root, time or key is refused', () => {
  const key = generateMlDsa44();
  const line = cosignSubtree(name, key, text, SECONDS);
  const signature = fromBase64(line.trim().split(' ')[2] as string).subarray(4);
  const verifier = subtreeVerifier(name, key.publicKey);
  assert.ok(verifier.verify(utf8(text), signature));
  // The cosigner says nothing about extension lines.
  assert.ok(verifier.verify(utf8(text.replace('extension\n', '')), signature));
  const altered = (at: number): Uint8Array => {
    const bytes = Uint8Array.from(signature);
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes;
  };
  assert.equal(subtreeVerifier('witness.example/w2', key.publicKey).verify(utf8(text), signature), false);
  assert.equal(subtreeVerifier(name, generateMlDsa44().publicKey).verify(utf8(text), signature), false);
  assert.equal(verifier.verify(utf8(text.replace('20852163', '20852164')), signature), false);
  assert.equal(verifier.verify(utf8(text.replace('log.example', 'log2.example')), signature), false);
  for (const at of [7, 8, 2427]) assert.equal(verifier.verify(utf8(text), altered(at)), false, `${at}`);
  assert.equal(verifier.verify(utf8(text), signature.subarray(0, -1)), false);
  assert.equal(verifier.verify(utf8('no checkpoint\n'), signature), false);
  const untimed = fromBase64(cosignSubtree(name, key, text, 0).trim().split(' ')[2] as string).subarray(4);
  assert.equal(verifier.verify(utf8(text), untimed), false);
});

test('an Ed25519 cosignature and an ML-DSA-44 one stand side by side in one note', () => {
  const [old, young] = [generateKey('ed25519'), generateMlDsa44()];
  const lines = cosign(name, old, text, SECONDS) + cosignSubtree(name, young, text, SECONDS);
  const note = unwrap(parseNote(`${text}\n${lines}`));
  const verifiers = [formatVerifierKey(name, old.publicKey, 'witness'), verifierKey(young.publicKey)].map(
    (one) => unwrap(parseVerifierKey(one)).verifier,
  );
  assert.equal(unwrap(verifyNote(note, verifiers)).length, 2);
});

test('a verifier key of another length, type or hint is refused (WB-115)', () => {
  const key = generateMlDsa44().publicKey;
  const good = verifierKey(key);
  const [, hint = '', encoded = ''] = good.split('+');
  const bad = [
    good.replace(hint, '00000000'),
    `${name}+${hint}+${toBase64(Uint8Array.of(6, ...key.subarray(1)))}`,
    `${name}+${hint}+${toBase64(Uint8Array.of(4, ...key))}`,
    `${name}+${hint}+${encoded.slice(0, -4)}`,
  ];
  for (const one of bad) {
    const read = parseVerifierKey(one);
    assert.equal(read.ok ? 'read' : read.error.code, 'WB-115', one.slice(0, 60));
  }
});
