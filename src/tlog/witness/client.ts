/** Asks witnesses for cosignatures of a checkpoint that is in the lock, until the policy is met. */
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8, utf8Text } from '#base/bytes';
import { fail, type Reason, WaybillError } from '#base/reason';
import { addCheckpointBody } from '#formats/cosignature';
import { parseNote, parseSignatureLine, verifyNote } from '#formats/note';
import type { Transport } from '#platform/http-client';
import { R } from '../reasons.ts';
import type { Cosigner, CosignRequest } from '../types.ts';
import type { PolicyWitness, WitnessPolicy } from './policy.ts';

export interface CosignOptions {
  readonly policy: WitnessPolicy;
  readonly transport: Transport;
  /**
   * `closed`: nothing is published without the quorum; the log waits, submitters with it. `open`: after
   * `timeoutMs` a checkpoint is published with what was had.
   */
  readonly mode: 'closed' | 'open';
  /** For one question to one witness, and in `open` mode for all of them; default `TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /** Told of every witness that did not cosign. */
  readonly onFailure?: (witness: string, why: Reason) => void;
}

const TIMEOUT_MS = 5_000;
/** Pauses between rounds of asking those that failed: the first and the longest. */
const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;
const ANSWER_BYTES_MAX = 16 * 1024;

/**
 * A cosigner for one log. It remembers per witness what size it saw; a witness that knows better says so. Throws
 * WB-414 for a quorum that nobody could meet.
 */
export function cosignWith(options: CosignOptions): Cosigner {
  const seen = new Map<string, number>();
  const asked = options.policy.witnesses.filter((witness) => witness.url !== undefined);
  if (!options.policy.isMet(new Set(asked.map((witness) => witness.name)))) {
    const expected = `${options.policy.quorum} to be reachable with the witnesses that have a URL`;
    throw fail(R.policy, { expected, actual: asked.map((witness) => witness.name).join(', ') || 'none' });
  }
  return async (request) => {
    const lines = new Map<string, string>();
    const deadline =
      options.mode === 'open' ? AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS) : undefined;
    const signal = deadline === undefined ? request.signal : AbortSignal.any([request.signal, deadline]);
    for (let pause = RETRY_MS; ; pause = Math.min(2 * pause, RETRY_MS_MAX)) {
      const missing = asked.filter((witness) => !lines.has(witness.name));
      await askAll({ ...options, request: { ...request, signal }, seen, lines }, missing);
      if (options.policy.isMet(new Set(lines.keys())) || deadline?.aborted === true) break;
      if (missing.length === 0 && deadline !== undefined) break;
      await sleep(pause, undefined, { signal }).catch(() => {});
      if (request.signal.aborted) throw noQuorum(options.policy, lines);
    }
    return request.checkpoint + [...lines.values()].join('');
  };
}

function noQuorum({ quorum }: WitnessPolicy, lines: ReadonlyMap<string, string>): WaybillError {
  const actual = lines.size === 0 ? 'none' : `those of ${[...lines.keys()].join(', ')}`;
  return fail(R.quorum, { expected: `cosignatures that meet ${quorum}`, actual });
}

interface Round extends CosignOptions {
  readonly request: CosignRequest;
  readonly seen: Map<string, number>;
  readonly lines: Map<string, string>;
}

/** Asks all at once; settles when the policy is met, or when all have answered. */
async function askAll(round: Round, witnesses: readonly PolicyWitness[]): Promise<void> {
  const met = Promise.withResolvers<void>();
  const all = witnesses.map(async (witness) => {
    try {
      round.lines.set(witness.name, await ask(round, witness));
      if (round.policy.isMet(new Set(round.lines.keys()))) met.resolve();
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      round.onFailure?.(witness.name, error.reason);
    }
  });
  await Promise.race([met.promise, Promise.all(all)]);
}

async function ask(round: Round, witness: PolicyWitness): Promise<string> {
  const { request, seen } = round;
  let oldSize = Math.min(seen.get(witness.name) ?? 0, request.size);
  // A witness that saw another size says which; asked again with it, it has no reason to refuse.
  for (let attempt = 0; attempt < 2; attempt++) {
    const proof = oldSize === 0 ? [] : await request.consistency(oldSize);
    const body = utf8(addCheckpointBody({ oldSize, proof, note: request.checkpoint }));
    const answer = await round.transport.request({
      ...{ url: `${witness.url}/add-checkpoint`, method: 'POST', body, signal: request.signal },
      timeoutMs: round.timeoutMs ?? TIMEOUT_MS,
      maxBytes: ANSWER_BYTES_MAX,
    });
    if (answer.status === 200) {
      const line = cosignatureLine(request.checkpoint, utf8Text(answer.body), witness);
      seen.set(witness.name, request.size);
      return line;
    }
    const isSize = answer.status === 409 && answer.headers.get('content-type') === 'text/x.tlog.size';
    const size = isSize ? Number(utf8Text(answer.body).trim()) : Number.NaN;
    if (!Number.isSafeInteger(size) || size < 0) throw refused(witness, `status ${answer.status}`);
    if (size > request.size)
      throw refused(witness, `it saw size ${size} of this log, beyond ${request.size}`);
    oldSize = size;
  }
  throw refused(witness, 'a size that changes');
}

/** The one line of the answer that is this witness's valid cosignature; others it may send are left out. */
function cosignatureLine(checkpoint: string, answer: string, witness: PolicyWitness): string {
  for (const line of answer.split('\n').filter(Boolean)) {
    const parsed = parseLine(line);
    if (parsed !== witness.key.name) continue;
    const note = parseNote(`${checkpoint}${line}\n`);
    if (note.ok && verifyNote(note.value, [witness.key.verifier]).ok) return `${line}\n`;
  }
  throw refused(witness, 'no valid cosignature in its answer');
}

function parseLine(line: string): string | undefined {
  try {
    return parseSignatureLine(line).name;
  } catch {
    return undefined;
  }
}

function refused(witness: PolicyWitness, actual: string): WaybillError {
  return fail(R.quorum, {
    expected: `a cosignature of ${witness.name}`,
    actual,
    check: 'tlog.witness.answer',
  });
}
