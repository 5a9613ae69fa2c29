/**
 * Cosignatures with ML-DSA-44 (c2sp.org/tlog-cosignature, `subtree/v1`), which the specification recommends for new
 * witnesses: unlike the Ed25519 form they hold against quantum computers and name the cosigner.
 */
import { concat, readUint, uintBytes, utf8, utf8Text } from '#base/bytes';
import { mlDsa44, sha256, verifyMlDsa44 } from '#base/crypto';
import { attempt } from '#base/result';
import { type NoteVerifier, parseCheckpoint, signatureLine } from './note.ts';

/** Signature type in key ids and verifier keys. */
export const ALG_SUBTREE_V1 = 0x06;

const TIME_BYTES = 8;
const NAME_BYTES_MAX = 255;
const label = utf8('subtree/v1\n\0');

/** SHA-256(name, newline, 6, 1312 key bytes). */
export function subtreeKeyId(name: string, key: Uint8Array): Uint8Array {
  return sha256(concat(utf8(`${name}\n`), Uint8Array.of(ALG_SUBTREE_V1), key));
}

/** The `cosigned_message` for a checkpoint: a subtree that starts at 0. Undefined where a name does not fit. */
function cosignedMessage(cosigner: string, seconds: number, text: Uint8Array): Uint8Array | undefined {
  const note = attempt(() => utf8Text(text));
  const checkpoint = note.ok ? parseCheckpoint(note.value) : note;
  if (!checkpoint.ok) return undefined;
  const { origin, size, rootHash } = checkpoint.value;
  const [name, log] = [utf8(cosigner), utf8(origin)];
  if (name.length === 0 || name.length > NAME_BYTES_MAX || log.length > NAME_BYTES_MAX) return undefined;
  return concat(
    label,
    uintBytes(name.length, 1),
    name,
    uintBytes(seconds, TIME_BYTES),
    uintBytes(log.length, 1),
    log,
    uintBytes(0, 8),
    uintBytes(size, 8),
    rootHash,
  );
}

/** What signs cosignatures of this form. */
export interface SubtreeSigner {
  /** 1312 bytes. */
  readonly publicKey: Uint8Array;
  sign(data: Uint8Array): Uint8Array;
}

/** The signature line of a witness for the text of a checkpoint. `seconds` since the epoch. */
export function cosignSubtree(name: string, signer: SubtreeSigner, text: string, seconds: number): string {
  const message = cosignedMessage(name, seconds, utf8(text));
  if (message === undefined) throw new RangeError('a checkpoint and a name of at most 255 bytes are needed');
  const signature = concat(uintBytes(seconds, TIME_BYTES), signer.sign(message));
  return signatureLine(name, subtreeKeyId(name, signer.publicKey), signature);
}

/** Verifies cosignatures of one witness as signatures of a checkpoint. */
export function subtreeVerifier(name: string, key: Uint8Array): NoteVerifier {
  return {
    name,
    keyId: subtreeKeyId(name, key),
    verify: (text, signature) => {
      if (signature.length !== TIME_BYTES + mlDsa44.signatureBytes) return false;
      const seconds = readUint(signature, 0, TIME_BYTES);
      // Time 0 says that nothing was observed; beyond safe integers no clock points.
      if (seconds === 0 || !Number.isSafeInteger(seconds)) return false;
      const message = cosignedMessage(name, seconds, text);
      return message !== undefined && verifyMlDsa44(key, message, signature.subarray(TIME_BYTES));
    },
  };
}
