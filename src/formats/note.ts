/** Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint, transparency-dev formats). */
import { concat, equalBytes, fromBase64, toBase64, utf8, utf8Text } from '#base/bytes';
import { type KeyHolder, type PublicKey, type Signer, sha256, verifySignature } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { attempt, err, isNonEmpty, type NonEmpty, ok, type Result } from '#base/result';
import { R } from './sigstore-reasons.ts';

export interface NoteSignature {
  readonly name: string;
  /** The four bytes that precede the signature. */
  readonly hint: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Note {
  /** The signed text, with its final newline. */
  readonly text: string;
  readonly signatures: NonEmpty<NoteSignature>;
}

/** `Made` is a promise where the key may lie elsewhere. */
export interface NoteSigner<Made extends Uint8Array | Promise<Uint8Array> = Uint8Array> {
  readonly name: string;
  /** Full 32-byte key id; its first four bytes are the hint. */
  readonly keyId: Uint8Array;
  sign(text: Uint8Array): Made;
}

type AnyNoteSigner = NoteSigner<Uint8Array | Promise<Uint8Array>>;

export interface NoteVerifier {
  readonly name: string;
  readonly keyId: Uint8Array;
  verify(text: Uint8Array, signature: Uint8Array): boolean;
}

const ALG_ED25519 = 0x01;

/** Key id by key kind: Ed25519 by name and key; ECDSA by key alone; RSA by name, label and key. */
export function noteKeyId(name: string, key: PublicKey): Uint8Array {
  if (key.kind === 'ed25519') return ed25519KeyId(name, ALG_ED25519, key);
  if (key.kind === 'rsa') {
    return sha256(concat(utf8(`${name}\n`), Uint8Array.of(0xff), utf8('PKIX-RSA-PKCS#1v1.5'), key.spki));
  }
  return sha256(key.spki);
}

/** Key id of an Ed25519 key for signature type `type`: SHA-256(name, newline, type, 32 key bytes). */
export function ed25519KeyId(name: string, type: number, key: PublicKey): Uint8Array {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), key.spki.subarray(-32)));
}

/** A signer of notes. ECDSA and RSA keys sign with SHA-256, as Rekor v1 does. */
export function noteSigner(name: string, signer: Signer): NoteSigner;
export function noteSigner(name: string, signer: Signer | KeyHolder): AnyNoteSigner;
export function noteSigner(name: string, signer: Signer | KeyHolder): AnyNoteSigner {
  return {
    name,
    keyId: noteKeyId(name, signer.publicKey),
    sign: (text) => signer.sign(text, 'sha256'),
  };
}

export function noteVerifier(name: string, key: PublicKey, keyId = noteKeyId(name, key)): NoteVerifier {
  return { name, keyId, verify: (text, signature) => verifySignature(key, text, signature, 'sha256') };
}

/** Parses a note. Fails with WB-169. */
export function parseNote(input: string | Uint8Array): Result<Note> {
  return attempt(() => {
    if (input.length > limits.noteBytes) throw malformed('at most 1 MiB', `${input.length} bytes`);
    const note = typeof input === 'string' ? input : utf8Text(input);
    if (!note.isWellFormed() || /[\x00-\x09\x0b-\x1f\x7f]/.test(note)) {
      throw malformed('text without control characters', 'control characters');
    }
    const split = note.lastIndexOf('\n\n');
    if (split <= 0 || !note.endsWith('\n')) throw malformed('text, a blank line, signature lines', 'other');
    const lines = note.slice(split + 2, -1).split('\n');
    if (lines.length > limits.noteSignatures) {
      throw malformed(`at most ${limits.noteSignatures} signatures`, `${lines.length}`);
    }
    const signatures = lines.map(parseSignatureLine);
    if (!isNonEmpty(signatures)) throw malformed('at least one signature', 'none');
    return { text: note.slice(0, split + 1), signatures };
  });
}

/** Reads one signature line, without its newline; throws WB-169. */
export function parseSignatureLine(line: string): NoteSignature {
  const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line);
  if (match === null) throw malformed('— name base64', JSON.stringify(line.slice(0, 200)));
  const [, name, encoded] = match as unknown as [string, string, string];
  const bytes = attempt(() => fromBase64(encoded));
  if (!bytes.ok || bytes.value.length <= 4) throw malformed('base64 of key hint and signature', encoded);
  return { name, hint: bytes.value.subarray(0, 4), signature: bytes.value.subarray(4) };
}

function malformed(expected: string, actual: string) {
  return fail(R.note, { expected, actual });
}

/** Signs `text`, which must end in a newline, and returns the note: at once where every key is at hand. */
export function signNote(text: string, ...signers: NonEmpty<NoteSigner>): string;
export function signNote(text: string, ...signers: NonEmpty<AnyNoteSigner>): string | Promise<string>;
export function signNote(text: string, ...signers: NonEmpty<AnyNoteSigner>): string | Promise<string> {
  if (!text.endsWith('\n')) throw malformed('text that ends with a newline', 'other');
  const bytes = utf8(text);
  const made = signers.map((signer) => signer.sign(bytes));
  const note = (all: readonly Uint8Array[]): string => {
    const lines = signers.map(({ name, keyId }, i) => signatureLine(name, keyId, all[i] as Uint8Array));
    return `${text}\n${lines.join('')}`;
  };
  if (made.every((one) => one instanceof Uint8Array)) return note(made);
  return Promise.all(made.map(async (one) => one)).then(note);
}

/** One signature line with its newline. */
export function signatureLine(name: string, keyId: Uint8Array, signature: Uint8Array): string {
  return `— ${name} ${toBase64(concat(keyId.subarray(0, 4), signature))}\n`;
}

/**
 * The verifiers whose signatures the note carries, each once. Signatures of other keys are ignored; a signature
 * that names a given key and fails makes the note invalid (WB-170), and so does the absence of any.
 */
export function verifyNote(note: Note, verifiers: readonly NoteVerifier[]): Result<NonEmpty<NoteVerifier>> {
  const text = utf8(note.text);
  const found = new Set<NoteVerifier>();
  for (const { name, hint, signature } of note.signatures) {
    for (const verifier of verifiers) {
      if (verifier.name !== name || !equalBytes(verifier.keyId.subarray(0, 4), hint)) continue;
      if (!verifier.verify(text, signature)) {
        return err(
          reason(R.noteSignature, { expected: `a valid signature by ${name}`, actual: 'an invalid one' }),
        );
      }
      found.add(verifier);
    }
  }
  const list = [...found];
  if (isNonEmpty(list)) return ok(list);
  const expected = `a signature by ${verifiers.map((verifier) => verifier.name).join(' or ') || 'a known key'}`;
  const actual = `signatures by ${note.signatures.map((signature) => signature.name).join(', ')}`;
  return err(reason(R.noteSignature, { expected, actual }));
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** Lines after the root hash, without newlines. */
  readonly extensions: readonly string[];
}

/** The text of a checkpoint, to be signed as a note. */
export function formatCheckpoint(
  origin: string,
  size: number,
  rootHash: Uint8Array,
  extensions: readonly string[] = [],
): string {
  return [origin, String(size), toBase64(rootHash), ...extensions].map((line) => `${line}\n`).join('');
}

/** Parses the text of a checkpoint (the text of a note). Fails with WB-171. */
export function parseCheckpoint(text: string): Result<Checkpoint> {
  const refuse = (expected: string, actual: string) => err(reason(R.checkpoint, { expected, actual }));
  if (!text.endsWith('\n')) return refuse('text that ends with a newline', JSON.stringify(text.slice(-40)));
  const [origin = '', size = '', root = '', ...extensions] = text.slice(0, -1).split('\n');
  if (origin === '') return refuse('an origin line', 'an empty line');
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) {
    return refuse('a decimal tree size', JSON.stringify(size));
  }
  const rootHash = attempt(() => fromBase64(root));
  if (!rootHash.ok || rootHash.value.length !== 32) {
    return refuse('base64 of a 32-byte root hash', JSON.stringify(root));
  }
  if (extensions.includes('')) return refuse('extension lines that are not empty', 'an empty line');
  return ok({ origin, size: Number(size), rootHash: rootHash.value, extensions });
}
