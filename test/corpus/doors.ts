/**
 * The doors through which every case goes: the library with the bytes and with their digest, the admission
 * verifier over evidence in memory, and the command line over an image layout and over a file. Each answers
 * with a verdict and the class of its reason; all must say the same.
 */
import { digestOf } from '#base/digest';
import { type Reason, reason, WaybillError } from '#base/reason';
import { type AttachedItem, createJudge } from '#facts';
import { parseBundle } from '#formats/bundle';
import { policyReasons } from '#policy';
import { type LegacyLayer, parseLegacyLayer, type Verdict, verifyBundle, verifyEntity } from '#verify';
import { type Exhibit, requirementsOf, trustOf } from './draft.ts';

export interface Answer {
  readonly verdict: 'accept' | 'reject' | 'indeterminate';
  readonly reason?: Reason;
  readonly degraded?: readonly string[];
  readonly notes?: readonly string[];
}

export type Door = (exhibit: Exhibit) => Promise<Answer>;

export function answerOf(verdict: Verdict): Answer {
  if (verdict.outcome === 'accepted') {
    const notes = verdict.notes.map(({ code }) => code);
    return { verdict: 'accept', degraded: verdict.degraded.map(String), notes };
  }
  if (verdict.outcome === 'rejected') return { verdict: 'reject', reason: verdict.reason };
  return { verdict: 'indeterminate', reason: verdict.cause };
}

/** A reason that was thrown: trouble and defects are no verdict on the evidence. */
export function answerOfReason(reason: Reason): Answer {
  const isVerdict = reason.side !== 'environment' && reason.side !== 'defect';
  return { verdict: isVerdict ? 'reject' : 'indeterminate', reason };
}

export async function caught(body: () => Promise<Answer> | Answer): Promise<Answer> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof WaybillError) return answerOfReason(error.reason);
    throw error;
  }
}

function judged(exhibit: Exhibit, artifact: Uint8Array | Exhibit['digest']): Answer {
  const { evidence, ask, trustedRoot, now } = exhibit;
  const question = { artifact, trustedRoot: trustOf(trustedRoot), requirements: requirementsOf(ask), now };
  if (evidence instanceof Uint8Array) {
    const bundle = parseBundle(evidence);
    if (!bundle.ok) return { verdict: 'reject', reason: bundle.error };
    return answerOf(verifyBundle({ ...question, bundle: bundle.value }));
  }
  const entity = parseLegacyLayer(evidence, ask.key === undefined ? 'certificate' : 'key');
  if (!entity.ok) return { verdict: 'reject', reason: entity.error };
  return answerOf(verifyEntity({ ...question, entity: entity.value }));
}

export const library: Door = (exhibit) => caught(() => judged(exhibit, exhibit.artifact));
export const libraryByDigest: Door = (exhibit) => caught(() => judged(exhibit, digestOf(exhibit.artifact)));

export const itemOf = (evidence: Uint8Array | LegacyLayer, name = 'attached'): AttachedItem =>
  evidence instanceof Uint8Array
    ? { kind: 'bundle', name, bytes: evidence }
    : {
        kind: 'legacy',
        name,
        mediaType: evidence.mediaType,
        bytes: evidence.payload,
        annotations: evidence.annotations,
      };

/** As the webhook asks: everything attached to a digest, through the judge with its caches. */
export const admission: Door = (exhibit) =>
  caught(async () => {
    const { ask, digest, now, trustedRoot } = exhibit;
    const judge = createJudge({
      source: { attached: async () => [itemOf(exhibit.evidence)] },
      trust: () => ({ material: trustOf(trustedRoot), hash: 'corpus' }),
      clock: { now: () => now },
    });
    const questions = [{ id: 'case', requirements: requirementsOf(ask) }];
    const image = { repository: 'registry.example/app', digest };
    const judgement = await judge.judgeImage(image, { hash: 'case', questions });
    if (judgement.kind === 'unavailable') return answerOfReason(judgement.cause);
    const verdicts = judgement.facts.answers.get('case') ?? [];
    const [only] = verdicts;
    if (verdicts.length > 1) throw new Error('one item, several verdicts');
    // What the policy makes of it: nothing of the type asked for is attached.
    if (only !== undefined) return answerOf(only);
    const detail = { expected: 'evidence of the type asked for', actual: 'none is attached' };
    return { verdict: 'reject', reason: reason(policyReasons.attestation, detail) };
  });
