/**
 * A certificate log as anyone can read it (c2sp.org/static-ct-api): checkpoints signed with the tree head of RFC 6962
 * §3.5, and data tiles in the place of entry bundles. What is handed on for an entry is its MerkleTreeLeaf, so that
 * every reader of logs works on these as well.
 */
import { concat, equalBytes, readUint, uintBytes, utf8 } from '#base/bytes';
import { type PublicKey, sha256, verifySignature } from '#base/crypto';
import { fail, type Reason, reason } from '#base/reason';
import { attempt, err, ok, type Result } from '#base/result';
import { parseCheckpoint, parseNote } from '#formats/note';
import { digitallySigned } from '#formats/sct';
import { tilePath } from '#formats/tiles';
import { familyOf } from '#formats/x509-algorithms';
import type { CheckpointVerifier, TreeHead } from '../checkpoint.ts';
import { R } from '../reasons.ts';
import type { EntryBundles } from './source.ts';

/** Note signature type of an RFC 6962 tree head. */
const RFC6962_NOTE = 0x05;
const TREE_HASH = 1;
const TIME_BYTES = 8;

/** TileLeaf after TileLeaf. Each: TimestampedEntry, the precertificate of one, fingerprints of the chain. */
export const dataTiles: EntryBundles = {
  path: (tile) => tilePath(tile).replace('tile/entries/', 'tile/data/'),
  decode: (bytes, width) =>
    attempt(() => {
      const cursor = new Cursor(bytes);
      const leaves = Array.from({ length: width }, () => {
        const from = cursor.at;
        const entry = readTimestamped(cursor);
        const leaf = concat(Uint8Array.of(0, 0), bytes.subarray(from, cursor.at));
        if (entry.kind === 'precertificate') cursor.vector(3);
        if (cursor.vector(2).length % 32 !== 0) throw malformed('fingerprints of 32 bytes', 'others');
        return leaf;
      });
      if (cursor.at !== bytes.length)
        throw malformed(`${width} entries`, `${bytes.length - cursor.at} more bytes`);
      return leaves;
    }),
};

/** The TimestampedEntry of RFC 6962 §3.4. */
export interface CtEntry {
  /** Milliseconds since 1970, as the SCT says it. */
  readonly timestamp: number;
  readonly kind: 'certificate' | 'precertificate';
  /** The certificate, or the TBSCertificate of a precertificate. */
  readonly content: Uint8Array;
  readonly extensions: Uint8Array;
}

/** Reads a MerkleTreeLeaf. Refuses with WB-416. */
export function parseCtLeaf(leaf: Uint8Array): Result<CtEntry> {
  return attempt(() => {
    const cursor = new Cursor(leaf);
    if (cursor.uint(2) !== 0) throw malformed('a leaf of version 1', 'another');
    const entry = readTimestamped(cursor);
    if (cursor.at !== leaf.length) throw malformed('one entry', `${leaf.length - cursor.at} more bytes`);
    return entry;
  });
}

function readTimestamped(cursor: Cursor): CtEntry {
  const timestamp = cursor.uint(TIME_BYTES);
  const type = cursor.uint(2);
  if (type > 1) throw malformed('an entry of type 0 or 1', String(type));
  if (type === 1) cursor.take(32);
  const content = cursor.vector(3);
  const kind = type === 1 ? 'precertificate' : 'certificate';
  return { timestamp, kind, content, extensions: cursor.vector(2) };
}

class Cursor {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.bytes.length) throw malformed(`${length} more bytes`, `${this.bytes.length - this.at}`);
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  uint(width: number): number {
    return readUint(this.take(width), 0, width);
  }

  /** Bytes behind their length of `width` bytes. */
  vector(width: number): Uint8Array {
    return this.take(this.uint(width));
  }
}

function malformed(expected: string, actual: string) {
  return fail(R.source, { expected: `certificate entries: ${expected}`, actual });
}

export interface StaticCtNames {
  /** First line of the checkpoint, and the name it is signed under. */
  readonly origin: string;
  readonly publicKey: PublicKey;
}

/** Whether a checkpoint carries a signature of this kind by this name and key. */
export function isStaticCt(checkpoint: string, { origin, publicKey }: StaticCtNames): boolean {
  const note = parseNote(checkpoint);
  const hint = keyIdOf(origin, publicKey).subarray(0, 4);
  return note.ok && note.value.signatures.some((one) => one.name === origin && equalBytes(one.hint, hint));
}

/** Opens the checkpoints of a certificate log whose public key is known; everything else is WB-408. */
export function staticCtVerifier({ origin, publicKey }: StaticCtNames): CheckpointVerifier {
  const keyId = keyIdOf(origin, publicKey);
  const refuse = (actual: string): Result<never> =>
    err(reason(R.key, { expected: `a checkpoint of ${origin} with a tree head signed by its key`, actual }));
  const why = ({ check, actual }: Reason): Result<never> => refuse(`${check}: ${actual}`);
  return {
    origin,
    keyId,
    open: (checkpoint): Result<TreeHead> => {
      const note = parseNote(checkpoint);
      if (!note.ok) return why(note.error);
      const head = parseCheckpoint(note.value.text);
      if (!head.ok) return why(head.error);
      const { size, rootHash: root, extensions } = head.value;
      if (head.value.origin !== origin) return refuse(`origin ${JSON.stringify(head.value.origin)}`);
      // They are not signed: a tree head has no place for them.
      if (extensions.length > 0) return refuse(`an extension line ${JSON.stringify(extensions[0])}`);
      const signed = note.value.signatures.filter(
        ({ name, hint }) => name === origin && equalBytes(hint, keyId.subarray(0, 4)),
      );
      if (signed.length === 0)
        return refuse(`signatures by ${note.value.signatures.map(({ name }) => name)}`);
      const isSigned = signed.every(({ signature }) => isTreeHead(signature, { size, root }, publicKey));
      return isSigned ? ok({ size, root }) : refuse('a signature that does not verify');
    },
  };
}

function keyIdOf(origin: string, publicKey: PublicKey): Uint8Array {
  return sha256(concat(utf8(`${origin}\n`), Uint8Array.of(RFC6962_NOTE), sha256(publicKey.spki)));
}

/** RFC6962NoteSignature: the time of the head, then DigitallySigned. */
function isTreeHead(note: Uint8Array, { size, root }: TreeHead, publicKey: PublicKey): boolean {
  const signature = note.subarray(TIME_BYTES + 4);
  const algorithm = familyOf(publicKey.kind);
  if (algorithm !== 'ecdsa' && algorithm !== 'rsa') return false;
  if (!equalBytes(note.subarray(TIME_BYTES), digitallySigned(algorithm, signature))) return false;
  const head = concat(Uint8Array.of(0, TREE_HASH), note.subarray(0, TIME_BYTES), uintBytes(size, 8), root);
  return verifySignature(publicKey, head, signature, 'sha256');
}
