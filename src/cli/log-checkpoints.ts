/** Checkpoints that somebody may have changed: what is wrong with one is a finding about the log, not about its key. */
import { equalBytes, utf8Text } from '#base/bytes';
import type { PublicKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { noteKeyId, parseNote } from '#formats/note';
import type { CheckpointVerifier } from '#tlog';
import { readInput } from './input.ts';

const CHECKPOINT_BYTES_MAX = 1024 * 1024;

/**
 * What is wrong with a checkpoint that this key signed, or that is none; undefined when nothing is. Throws WB-408 for
 * one that is signed by others alone: then it is the key that does not fit.
 */
export function checkpointFinding(
  text: string,
  verifier: CheckpointVerifier,
  key: PublicKey,
): string | undefined {
  const opened = verifier.open(text);
  if (opened.ok) return undefined;
  const note = parseNote(text);
  const isOurs =
    note.ok &&
    note.value.signatures.some(({ name, hint }) => equalBytes(noteKeyId(name, key).subarray(0, 4), hint));
  if (note.ok && !isOurs) throw new WaybillError(opened.error);
  return opened.error.actual;
}

/** The files of `--known`: the checkpoints of this log among them, and a finding for every other. */
export async function knownCheckpoints(
  files: readonly string[],
  verifier: CheckpointVerifier,
): Promise<{ readonly known: readonly string[]; readonly problems: readonly string[] }> {
  const [known, problems]: [string[], string[]] = [[], []];
  for (const file of files) {
    const text = utf8Text(await readInput(file, CHECKPOINT_BYTES_MAX));
    const opened = verifier.open(text);
    if (opened.ok) known.push(text);
    else problems.push(`${file}: no checkpoint of ${verifier.origin}: ${opened.error.actual}`);
  }
  return { known, problems };
}
