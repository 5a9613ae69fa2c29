/** Signs and opens the checkpoints of one log: an origin and a key, as a signed note. */
import type { KeyHolder, PublicKey, Signer } from '#base/crypto';
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import {
  formatCheckpoint,
  noteSigner,
  noteVerifier,
  parseCheckpoint,
  parseNote,
  signNote,
  verifyNote,
} from '#formats/note';
import { R } from './reasons.ts';

export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** The extension line of a log's last checkpoint is there. */
  readonly isFrozen?: boolean;
}

/** The extension line of a checkpoint after which nothing is logged. */
export const FROZEN_LINE = 'frozen';

export interface CheckpointVerifier {
  readonly origin: string;
  /** Full 32-byte id of the signing key (Rekor's log id). */
  readonly keyId: Uint8Array;
  /** Opens a checkpoint of this origin signed by this key; anything else is WB-408. */
  open(checkpoint: string): Result<TreeHead>;
}

/** `Signed` is `string` for a key at hand. */
export interface CheckpointSigner<Signed extends string | Promise<string> = string | Promise<string>>
  extends CheckpointVerifier {
  /** The signed note. Throws or rejects as its key does; the log then goes on as if it had not asked. */
  sign(head: TreeHead): Signed;
}

export interface CheckpointSignerOptions {
  /** First line of the checkpoint. */
  readonly origin: string;
  /** Name in the signature line; default: the origin. */
  readonly keyName?: string;
  /** ECDSA P-256 or Ed25519. */
  readonly signer: Signer | KeyHolder;
}

export function checkpointSigner(
  options: CheckpointSignerOptions & { readonly signer: Signer },
): CheckpointSigner<string>;
export function checkpointSigner(options: CheckpointSignerOptions): CheckpointSigner;
export function checkpointSigner(options: CheckpointSignerOptions): CheckpointSigner {
  const { origin, signer } = options;
  const writer = noteSigner(options.keyName ?? origin, signer);
  return {
    ...checkpointVerifier({ ...options, publicKey: signer.publicKey }),
    sign: ({ size, root, isFrozen }) =>
      signNote(formatCheckpoint(origin, size, root, isFrozen === true ? [FROZEN_LINE] : []), writer),
  };
}

/** Opens the checkpoints of a log whose public key is known. */
export function checkpointVerifier(
  options: Pick<CheckpointSignerOptions, 'origin' | 'keyName'> & { readonly publicKey: PublicKey },
): CheckpointVerifier {
  const { origin, publicKey } = options;
  const verifier = noteVerifier(options.keyName ?? origin, publicKey);
  return {
    origin,
    keyId: verifier.keyId,
    open: (checkpoint) => {
      const note = parseNote(checkpoint);
      if (!note.ok) return refuse(origin, note.error);
      const signed = verifyNote(note.value, [verifier]);
      if (!signed.ok) return refuse(origin, signed.error);
      const head = parseCheckpoint(note.value.text);
      if (!head.ok) return refuse(origin, head.error);
      if (head.value.origin !== origin)
        return mismatch(origin, `origin ${JSON.stringify(head.value.origin)}`);
      const { size, rootHash: root, extensions } = head.value;
      return ok({ size, root, isFrozen: extensions.includes(FROZEN_LINE) });
    },
  };
}

function refuse(origin: string, why: Reason): Result<never> {
  return mismatch(origin, `${why.check}: ${why.actual}`);
}

function mismatch(origin: string, actual: string): Result<never> {
  return err(reason(R.key, { expected: `a checkpoint of ${origin} signed by its key`, actual }));
}
