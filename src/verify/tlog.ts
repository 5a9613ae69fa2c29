/** Does a transparency log vouch for the entry: by promise, by proof, at a time its key was valid? */
import { equalBytes, toHex } from '#base/bytes';
import { verifySignature } from '#base/crypto';
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { leafHash, verifyInclusion } from '#formats/merkle';
import { type Checkpoint, noteVerifier, parseCheckpoint, parseNote, verifyNote } from '#formats/note';
import { isRekorV1Origin, setPayload } from '#formats/rekor';
import type { InclusionProof, TransparencyLogEntry } from '#formats/tlog-entry';
import { isValidAt } from '#formats/trusted-root';
import { type Binding, checkBodyV1, checkBodyV2 } from './entry-body.ts';
import { logAt, type TrustedLog, type TrustMaterial } from './material.ts';
import { R } from './reasons.ts';

/** An entry that holds: bound to the signature, and promised or proven by a trusted log. */
export interface LoggedEntry {
  readonly entry: TransparencyLogEntry;
  readonly log: TrustedLog;
  readonly isProven: boolean;
  /** Milliseconds; only where a promise covers it. */
  readonly promisedAt: number | undefined;
}

/**
 * One entry. Undefined with a note when no trusted log has its id: such an entry counts for nothing.
 * Fails with WB-310–316.
 */
export function verifyEntry(
  entry: TransparencyLogEntry,
  binding: Binding,
  trust: TrustMaterial,
): Result<LoggedEntry> | undefined {
  const log = logOf(entry, trust);
  if (log === undefined) return undefined;
  if (entry.inclusionPromise === undefined && entry.inclusionProof === undefined) {
    return err(reason(R.entryUnproven, { expected: 'a promise or a proof', actual: 'neither' }));
  }
  const body = isV2(entry) ? checkBodyV2(entry, binding) : checkBodyV1(entry, binding);
  return body.ok ? prove(entry, log) : body;
}

/**
 * Whether a trusted log vouches for an entry, whatever the entry is about: for readers of the log. An entry
 * without an inclusion proof is refused here. Undefined when no trusted log has its id.
 */
export function verifyLogEntry(
  entry: TransparencyLogEntry,
  trust: TrustMaterial,
): Result<LoggedEntry> | undefined {
  const log = logOf(entry, trust);
  if (log === undefined) return undefined;
  const proven = prove(entry, log);
  if (!proven.ok || proven.value.isProven) return proven;
  return err(reason(R.entryUnproven, { expected: 'an inclusion proof', actual: 'a promise only' }));
}

/**
 * The size and root a trusted log signed in a checkpoint, for readers of the log. Undefined when no trusted log
 * signed it; which log that is, its origin says.
 */
export function verifyLogHead(checkpoint: string, trust: TrustMaterial): Checkpoint | undefined {
  for (const log of [...trust.tlogs.values()].flat()) {
    const head = checkCheckpoint({ checkpoint }, log);
    if (head.ok) return head.value;
  }
  return undefined;
}

function logOf(entry: TransparencyLogEntry, trust: TrustMaterial): TrustedLog | undefined {
  const logs = trust.tlogs.get(toHex(entry.logId));
  const time = entry.integratedTime === 0 ? undefined : entry.integratedTime * 1000;
  return logs === undefined ? undefined : logAt(logs, time);
}

function prove(entry: TransparencyLogEntry, log: TrustedLog): Result<LoggedEntry> {
  const promise = checkPromise(entry, log);
  if (!promise.ok) return promise;
  const proof = checkProof(entry, log);
  if (!proof.ok) return proof;
  if (promise.value !== undefined && !isValidAt(log.validFor, promise.value)) {
    return err(reason(R.entryWindow, windowDetail(log, promise.value)));
  }
  return ok({ entry, log, isProven: proof.value, promisedAt: promise.value });
}

export function windowDetail(log: TrustedLog, ms: number): { expected: string; actual: string } {
  const { start, end } = log.validFor;
  const until = end === undefined ? '' : ` until ${new Date(end).toISOString()}`;
  const expected = `a time from ${new Date(start).toISOString()}${until}`;
  return { expected, actual: new Date(ms).toISOString() };
}

/** The origin of the checkpoint decides the generation (sigstore-go); without one only promises exist: v1. */
function isV2(entry: TransparencyLogEntry): boolean {
  const { inclusionProof } = entry;
  if (inclusionProof === undefined || inclusionProof.checkpoint === '') return false;
  const origin = inclusionProof.checkpoint.slice(0, inclusionProof.checkpoint.indexOf('\n'));
  return !isRekorV1Origin(origin);
}

/** The promised time in milliseconds; undefined when there is no promise. */
function checkPromise(entry: TransparencyLogEntry, log: TrustedLog): Result<number | undefined> {
  const { inclusionPromise, integratedTime } = entry;
  if (inclusionPromise === undefined) return ok(undefined);
  if (integratedTime === 0 || !verifySignature(log.key, setPayload(entry), inclusionPromise, 'sha256')) {
    const expected = `a promise signed by ${log.host}`;
    return err(reason(R.entryPromise, { expected, actual: 'a signature that does not verify' }));
  }
  return ok(integratedTime * 1000);
}

/** Whether there is a proof; a proof that does not hold fails. */
function checkProof(entry: TransparencyLogEntry, log: TrustedLog): Result<boolean> {
  const proof = entry.inclusionProof;
  if (proof === undefined) return ok(false);
  // Bundles 0.1 may carry a proof without checkpoint: it proves nothing, the promise has to.
  if (proof.checkpoint === '') {
    if (entry.inclusionPromise !== undefined) return ok(false);
    return err(reason(R.entryCheckpoint, { expected: 'a checkpoint', actual: 'none' }));
  }
  const checkpoint = checkCheckpoint(proof, log);
  if (!checkpoint.ok) return checkpoint;
  const { size, rootHash } = checkpoint.value;
  const repeats =
    (proof.treeSize === 0 || proof.treeSize === size) &&
    (proof.rootHash.length === 0 || equalBytes(proof.rootHash, rootHash));
  if (!repeats) {
    const expected = `the size and root of the checkpoint, ${size} ${toHex(rootHash)}`;
    return err(reason(R.entryCheckpoint, { expected, actual: `${proof.treeSize} ${toHex(proof.rootHash)}` }));
  }
  const included = verifyInclusion({
    index: proof.logIndex,
    size,
    leaf: leafHash(entry.canonicalizedBody),
    hashes: proof.hashes,
    root: rootHash,
  });
  if (!included.ok) return err(reason(R.entryProof, included.error));
  return ok(true);
}

/** Signed by the log of the entry under its own name (design facts 0.6; c2sp.org/tlog-checkpoint). */
function checkCheckpoint(proof: Pick<InclusionProof, 'checkpoint'>, log: TrustedLog): Result<Checkpoint> {
  const refuse = (why: Reason): Result<never> => err(reason(R.entryCheckpoint, why));
  const note = parseNote(proof.checkpoint);
  if (!note.ok) return refuse(note.error);
  const checkpoint = parseCheckpoint(note.value.text);
  if (!checkpoint.ok) return refuse(checkpoint.error);
  const { origin } = checkpoint.value;
  const isV1 = isRekorV1Origin(origin);
  if (!isV1 && origin !== log.host) {
    return err(reason(R.entryCheckpoint, { expected: `origin ${log.host}`, actual: JSON.stringify(origin) }));
  }
  const verifier = isV1
    ? noteVerifier(origin.slice(0, origin.lastIndexOf(' - ')), log.key, log.namelessKeyId)
    : noteVerifier(log.host, log.key, log.checkpointKeyId);
  const signers = verifyNote(note.value, [verifier]);
  return signers.ok ? checkpoint : refuse(signers.error);
}
