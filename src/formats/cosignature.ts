/**
 * Cosignatures of witnesses (c2sp.org/tlog-cosignature, `cosignature/v1`), verifier keys as text
 * (c2sp.org/signed-note), and the body of `add-checkpoint` (c2sp.org/tlog-witness).
 */
import {
  concat,
  fromBase64,
  readUint,
  toBase64,
  toHex,
  tryBase64,
  uintBytes,
  utf8,
  utf8Text,
} from '#base/bytes';
import { mlDsa44, type PublicKey, publicKeyFromSpki, type Signer, verifySignature } from '#base/crypto';
import { limits } from '#base/limits';
import { reason } from '#base/reason';
import { attempt, err, ok, type Result, unwrap } from '#base/result';
import { ALG_SUBTREE_V1, subtreeVerifier } from './cosignature-subtree.ts';
import { R as logReasons } from './log-reasons.ts';
import { ed25519KeyId, type NoteVerifier, noteKeyId, noteVerifier, signatureLine } from './note.ts';

const ALG_ED25519 = 0x01;
const ALG_COSIGNATURE_V1 = 0x04;
const TIME_BYTES = 8;
const KEY_HINT_BYTES = 4;
const ED25519_KEY_BYTES = 32;
/** SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410). */
const ED25519_SPKI_HEAD = Uint8Array.of(
  0x30,
  0x2a,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x03,
  0x21,
  0x00,
);

/** What a cosignature is over: time in seconds, then the text of the note. */
function cosigned(seconds: number, text: Uint8Array): Uint8Array {
  return concat(utf8(`cosignature/v1\ntime ${seconds}\n`), text);
}

/** The signature line of a witness for a note's text. `seconds` since the epoch. The key is Ed25519. */
export function cosign(name: string, signer: Signer, text: string, seconds: number): string {
  const keyId = ed25519KeyId(name, ALG_COSIGNATURE_V1, signer.publicKey);
  const signature = signer.sign(cosigned(seconds, utf8(text)), 'sha256');
  return signatureLine(name, keyId, concat(uintBytes(seconds, TIME_BYTES), signature));
}

/** Verifies cosignatures of one witness as signatures of a note. */
export function cosignatureVerifier(name: string, key: PublicKey): NoteVerifier {
  return {
    name,
    keyId: ed25519KeyId(name, ALG_COSIGNATURE_V1, key),
    verify: (text, signature) =>
      signature.length > TIME_BYTES &&
      // Time 0 says that nothing was observed.
      cosignatureTime(signature) > 0 &&
      verifySignature(
        key,
        cosigned(cosignatureTime(signature), text),
        signature.subarray(TIME_BYTES),
        'sha256',
      ),
  };
}

/** When a witness saw a checkpoint, in seconds since the epoch. */
export const cosignatureTime = (signature: Uint8Array): number => readUint(signature, 0, TIME_BYTES);

/** `name+hint+key` of a log's Ed25519 key, or of a witness's. */
export function formatVerifierKey(name: string, key: PublicKey, kind: 'log' | 'witness'): string {
  const type = kind === 'log' ? ALG_ED25519 : ALG_COSIGNATURE_V1;
  const keyId = ed25519KeyId(name, type, key);
  const encoded = toBase64(concat(Uint8Array.of(type), key.spki.subarray(-ED25519_KEY_BYTES)));
  return `${name}+${toHex(keyId.subarray(0, KEY_HINT_BYTES))}+${encoded}`;
}

export interface VerifierKey {
  readonly name: string;
  readonly kind: 'log' | 'witness';
  /** Undefined for ML-DSA-44, whose keys only cosignatures use. */
  readonly key: PublicKey | undefined;
  readonly verifier: NoteVerifier;
}

/** Reads `name+hint+key`; the hint must be the key's. WB-115. */
export function parseVerifierKey(text: string): Result<VerifierKey> {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  const bytes = match === null ? undefined : tryBase64(match[3] as string);
  const length = bytes?.[0] === ALG_SUBTREE_V1 ? mlDsa44.publicKeyBytes : ED25519_KEY_BYTES;
  if (match === null || bytes?.length !== 1 + length) {
    return refuse('name+8 hex digits+base64 of an Ed25519 or ML-DSA-44 key', text.slice(0, 200));
  }
  const [, name, hint] = match as unknown as [string, string, string];
  const read = verifierOf(name, bytes);
  if (!read.ok) return read;
  const own = toHex(read.value.verifier.keyId.subarray(0, KEY_HINT_BYTES));
  if (own !== hint) return refuse(`hint ${own} for this key and name`, hint);
  return ok({ name, kind: bytes[0] === ALG_ED25519 ? 'log' : 'witness', ...read.value });
}

/** `bytes`: the signature type, then the key. */
function verifierOf(name: string, bytes: Uint8Array): Result<Pick<VerifierKey, 'key' | 'verifier'>> {
  const [type] = bytes;
  if (type === ALG_SUBTREE_V1) {
    return ok({ key: undefined, verifier: subtreeVerifier(name, bytes.subarray(1)) });
  }
  const read = publicKeyFromSpki(concat(ED25519_SPKI_HEAD, bytes.subarray(1)));
  if (!read.ok) return read;
  const key = read.value;
  if (type === ALG_ED25519) return ok({ key, verifier: noteVerifier(name, key, noteKeyId(name, key)) });
  if (type === ALG_COSIGNATURE_V1) return ok({ key, verifier: cosignatureVerifier(name, key) });
  return refuse('a log key (1) or a witness key (4, 6)', `key type ${type}`);
}

export interface AddCheckpoint {
  /** The size the log believes the witness saw last. */
  readonly oldSize: number;
  readonly proof: readonly Uint8Array[];
  /** The signed note, as it came. */
  readonly note: string;
}

export function addCheckpointBody({ oldSize, proof, note }: AddCheckpoint): string {
  return [`old ${oldSize}`, ...proof.map(toBase64), '', note].join('\n');
}

/** Reads the body of `add-checkpoint`: `old N`, up to 63 lines of proof, an empty line, the note. WB-115. */
export function parseAddCheckpoint(body: Uint8Array): Result<AddCheckpoint> {
  const text = attempt(() => utf8Text(body));
  if (!text.ok) return refuse('UTF-8', 'other bytes');
  const split = text.value.indexOf('\n\n');
  const [first = '', ...lines] = text.value.slice(0, Math.max(0, split)).split('\n');
  const match = /^old (0|[1-9][0-9]{0,15})$/.exec(first);
  const oldSize = Number(match?.[1]);
  if (match === null || !Number.isSafeInteger(oldSize)) return refuse('old <size>', first.slice(0, 80));
  if (lines.length > limits.proofHashes) {
    return refuse(`at most ${limits.proofHashes} proof lines`, `${lines.length}`);
  }
  return attempt(() => {
    const proof = lines.map((line) => {
      const hash = fromBase64(line);
      if (hash.length === 32) return hash;
      return unwrap(refuse('hashes of 32 bytes', `${hash.length} bytes`));
    });
    return { oldSize, proof, note: text.value.slice(split + 2) };
  });
}

function refuse(expected: string, actual: string): Result<never> {
  return err(reason(logReasons.witness, { expected, actual }));
}
