/** Signed notes and checkpoints at their borders. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64, utf8 } from '#base/bytes';
import { generateKey } from '#base/crypto';
import { limits } from '#base/limits';
import { type Result, unwrap } from '#base/result';
import {
  formatCheckpoint,
  noteKeyId,
  noteSigner,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  parseSignatureLine,
  signatureLine,
  signNote,
  verifyNote,
} from '#formats/note';

const said = (result: Result<unknown>): string =>
  result.ok ? 'ok' : `${result.error.code} ${result.error.expected}`;
const note = (input: string | Uint8Array): string => said(parseNote(input));

const key = generateKey('ed25519');
const signer = noteSigner('log.example', key);
const text = 'log.example\n5\n';
const signed = signNote(text, signer);
const line = signed.slice(signed.lastIndexOf('\n\n') + 2);
const lineForm = 'WB-169 — name base64';
const parts = 'WB-169 text, a blank line, signature lines';

test('a note is text, a blank line and signature lines, each with its newline (WB-169)', () => {
  assert.equal(note(signed), 'ok');
  assert.equal(note(utf8(signed)), 'ok');
  assert.equal(unwrap(parseNote(signed)).text, text);
  assert.equal(note(`a\n\nb\n\n${line}`), 'ok');
  assert.equal(unwrap(parseNote(`a\n\nb\n\n${line}`)).text, 'a\n\nb\n');
  assert.equal(note(signed.slice(0, -1)), parts);
  assert.equal(note(`${text}${line}`), parts);
  assert.equal(note(`\n\n${line}`), parts);
  assert.equal(note(`a\n\n${line}`), 'ok');
  assert.equal(note(''), parts);
  assert.equal(note(`${text}\n`), lineForm);
  assert.equal(note(`${text}\nx\n`), lineForm);
  assert.equal(note(`${text}\n${line}${line}`), 'ok');
});

test('a note has no control characters and is text (WB-169)', () => {
  const words = 'WB-169 text without control characters';
  for (const control of ['\0', '\t', '\v', '\r', '\x1f', '\x7f']) {
    assert.equal(note(`a${control}b\n\n${line}`), words, JSON.stringify(control));
  }
  assert.equal(note(`a\ud800b\n\n${line}`), words);
  assert.equal(note(Uint8Array.of(0xff)), 'WB-101 valid UTF-8');
  assert.equal(note(`a\x20\x7e\x80b\n\n${line}`), 'ok');
});

test('a note is as long, and has as many signatures, as it may (WB-169)', () => {
  const filled = (length: number): string => `${'a'.repeat(length - line.length - 2)}\n\n${line}`;
  assert.equal(note(filled(limits.noteBytes)), 'ok');
  assert.equal(note(filled(limits.noteBytes + 1)), 'WB-169 at most 1 MiB');
  assert.equal(note(`a\n\n${line.repeat(limits.noteSignatures)}`), 'ok');
  const many = `a\n\n${line.repeat(limits.noteSignatures + 1)}`;
  assert.equal(note(many), `WB-169 at most ${limits.noteSignatures} signatures`);
});

test('a signature line is dash, name and base64 of more than a hint (WB-169)', () => {
  const read = (one: string): string => {
    try {
      return parseSignatureLine(one).name;
    } catch (error) {
      return (error as Error).message.includes('key hint') ? 'hint' : 'form';
    }
  };
  const good = toBase64(Uint8Array.of(1, 2, 3, 4, 5));
  assert.equal(read(`— a ${good}`), 'a');
  assert.equal(read(`— a ${toBase64(Uint8Array.of(1, 2, 3, 4))}`), 'hint');
  assert.equal(read(`— a ${good.slice(0, -1)}`), 'hint');
  for (const bad of [
    `x— a ${good}`,
    `— a ${good}x y`,
    `- a ${good}`,
    `— a+b ${good}`,
    `— a b ${good}`,
    `—  ${good}`,
    '— a ',
  ]) {
    assert.equal(read(bad), 'form', bad);
  }
  assert.equal(read(`— a ${good}\n`), 'form');
});

test('text that is signed ends with a newline', () => {
  assert.throws(() => signNote('a', signer), /newline/);
});

test('a key is found by name and hint together; one that fails spoils the note (WB-170)', () => {
  const verifier = noteVerifier('log.example', key.publicKey);
  const verify = (input: string, ...verifiers: (typeof verifier)[]) =>
    verifyNote(unwrap(parseNote(input)), verifiers);
  assert.deepEqual(unwrap(verify(signed, verifier)), [verifier]);
  assert.deepEqual(unwrap(verify(`${signed}${line}`, verifier)), [verifier], 'counted once');
  const none = 'WB-170 a signature by log.example';
  const elsewhere = noteVerifier('other.example', key.publicKey);
  assert.equal(said(verify(signed, elsewhere)), 'WB-170 a signature by other.example');
  const renamed = noteVerifier('other.example', key.publicKey, verifier.keyId);
  assert.equal(said(verify(signed, renamed)), 'WB-170 a signature by other.example');
  const otherHint = noteVerifier('log.example', generateKey('ed25519').publicKey);
  assert.equal(said(verify(signed, otherHint)), none);
  assert.equal(said(verify(signed)), 'WB-170 a signature by a known key');
  const forged = noteVerifier('log.example', generateKey('ed25519').publicKey, verifier.keyId);
  assert.equal(said(verify(signed, forged)), 'WB-170 a valid signature by log.example');
  assert.equal(said(verify(signed, verifier, forged)), 'WB-170 a valid signature by log.example');
  const wrong = `${text}\n${line}${signatureLine('log.example', verifier.keyId, new Uint8Array(64))}`;
  assert.equal(said(verify(wrong, verifier)), 'WB-170 a valid signature by log.example');
  const second = generateKey('p256');
  const both = signNote(text, signer, noteSigner('witness', second));
  const witness = noteVerifier('witness', second.publicKey);
  assert.deepEqual(unwrap(verify(both, witness, verifier)), [verifier, witness]);
});

test('key ids depend on the name for Ed25519 and RSA, on the key alone for ECDSA', () => {
  const rsa = generateKey('rsa', 2048).publicKey;
  const ec = generateKey('p256').publicKey;
  const differs = (one: typeof rsa): boolean =>
    Buffer.compare(noteKeyId('a', one), noteKeyId('b', one)) !== 0;
  assert.deepEqual([differs(key.publicKey), differs(rsa), differs(ec)], [true, true, false]);
});

test('a checkpoint is origin, size, root and extension lines (WB-171)', () => {
  const root = new Uint8Array(32).fill(7);
  const good = formatCheckpoint('log.example', 5, root);
  const read = (input: string): string => said(parseCheckpoint(input));
  assert.equal(read(good), 'ok');
  assert.deepEqual(unwrap(parseCheckpoint(formatCheckpoint('o', 0, root, ['x', 'y']))).extensions, [
    'x',
    'y',
  ]);
  assert.equal(read(good.slice(0, -1)), 'WB-171 text that ends with a newline');
  assert.equal(read(`\n5\n${toBase64(root)}\n`), 'WB-171 an origin line');
  for (const size of ['', '-1', '05', '5x', 'x5', '1.0', '9007199254740992', '12345678901234567']) {
    assert.equal(read(`o\n${size}\n${toBase64(root)}\n`), 'WB-171 a decimal tree size', size);
  }
  assert.equal(
    unwrap(parseCheckpoint(`o\n9007199254740991\n${toBase64(root)}\n`)).size,
    Number.MAX_SAFE_INTEGER,
  );
  for (const hash of [
    '',
    'x',
    toBase64(root.subarray(1)),
    toBase64(new Uint8Array(33)),
    `${toBase64(root)} `,
  ]) {
    assert.equal(read(`o\n5\n${hash}\n`), 'WB-171 base64 of a 32-byte root hash', hash);
  }
  assert.equal(read(`${good}\n`), 'WB-171 extension lines that are not empty');
  assert.equal(read(`${good}x\n\n`), 'WB-171 extension lines that are not empty');
});
