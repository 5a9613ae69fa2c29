/**
 * What the webhook does, without HTTP: mutate pins tags to digests, validate judges images against the policies.
 * Mutation never refuses; validation refuses everything it cannot prove.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { type Reason, reason, reasonText } from '#base/reason';
import { ok, type Result } from '#base/result';
import type { Judge } from '#facts';
import { digestOfUse, judgeRequest, pinnedImage, type TagSource } from '#flows/judge-request';
import {
  type AdmissionRequest,
  changedUses,
  type Decision,
  denialText,
  type ExceptionUse,
  type ImageUse,
  imageUses,
  isBlocking,
  matchingChecks,
  type PolicySet,
  warningTexts,
} from '#policy';
import type { Unmatched } from './config.ts';
import type { ExceptionDesk } from './exceptions.ts';
import { R } from './reasons.ts';
import type { PatchStep, Review, ReviewAnswer } from './review.ts';

export interface AdmissionDeps {
  readonly policies: () => PolicySet;
  readonly judge: Judge;
  readonly tags: TagSource;
  readonly clock: Clock;
  /** Whether objects of a namespace are left alone. */
  readonly isExcluded: (namespace: string) => boolean;
  readonly unmatched: Unmatched;
  /** Absent: nothing is excused. */
  readonly exceptions?: Pick<ExceptionDesk, 'excuse'>;
}

export interface Outcome {
  readonly answer: ReviewAnswer;
  /** For the log and the counters; absent when nothing was judged. */
  readonly decision?: Decision;
  readonly kind: 'allowed' | 'denied' | 'unavailable' | 'excluded' | 'nothing';
  /** Images that came in by an exception; recorded in the outbox. */
  readonly uses?: readonly ExceptionUse[];
}

/** Pins every tag a policy wants pinned. Idempotent: a second call on the patched object has no patch. */
export async function mutate(review: Review, deadlineMs: number, deps: AdmissionDeps): Promise<Outcome> {
  const { request } = review;
  const skipped = leftAlone(review, deps);
  if (skipped !== undefined) return skipped;
  const uses = broughtUses(review);
  // An object that cannot be read is refused by validate, which says why.
  if (!uses.ok) return { answer: { allowed: true }, kind: 'nothing' };
  const wanted = uses.value.filter((use) =>
    matchingChecks(deps.policies(), request, use.image).some(({ check }) => check.mutateDigest),
  );
  const warnings: string[] = [];
  const steps = await Promise.all(
    wanted.map(async (use) => {
      if (use.image.includes('@')) return [];
      const found = await digestOfUse(use, { ...deps, deadlineMs });
      if ('reason' in found) {
        warnings.push(`${use.image} is not pinned: ${reasonText(found.reason)}`);
        return [];
      }
      return pinSteps(use, found.digest);
    }),
  );
  const patch = steps.flat();
  return { answer: { allowed: true, patch, warnings }, kind: patch.length > 0 ? 'allowed' : 'nothing' };
}

function pinSteps(use: ImageUse, digest: Digest): PatchStep[] {
  return [
    { op: 'test', path: use.pointer, value: use.image },
    { op: 'replace', path: use.pointer, value: pinnedImage(use.image, digest) },
  ];
}

/** Judges every image an object brings in. */
export async function validate(review: Review, deadlineMs: number, deps: AdmissionDeps): Promise<Outcome> {
  const { request } = review;
  const skipped = leftAlone(review, deps);
  if (skipped !== undefined) return skipped;
  const uses = broughtUses(review);
  if (!uses.ok) return denied(request, uses.error);
  if (uses.value.length === 0) return { answer: { allowed: true }, kind: 'nothing' };
  const policies = deps.policies();
  const judged = await judgeRequest(policies, request, uses.value, { ...deps, deadlineMs });
  const isRefusedAnyway = deps.unmatched === 'deny' && judged.unmatched.length > 0;
  // An exception that cannot let the object in is not used, and not recorded.
  const excused = isRefusedAnyway ? undefined : deps.exceptions?.excuse(judged, review);
  const outcome = answerOf(request, excused?.decision ?? judged, deps.unmatched, excused?.warnings ?? []);
  return excused === undefined ? outcome : { ...outcome, uses: excused.uses };
}

/**
 * The images this request brings in. Of an update those that change: an image that runs already is neither
 * judged again nor pinned, which would restart its container, or make the API server refuse the whole update.
 */
function broughtUses({ request, oldObject }: Review): Result<readonly ImageUse[]> {
  const uses = imageUses(request.object);
  if (!uses.ok || request.operation !== 'UPDATE') return uses;
  const before = imageUses(oldObject);
  return before.ok ? ok(changedUses(uses.value, before.value)) : uses;
}

function leftAlone(review: Review, deps: AdmissionDeps): Outcome | undefined {
  const { operation, namespace } = review.request;
  if (operation === 'DELETE' || operation === 'CONNECT')
    return { answer: { allowed: true }, kind: 'nothing' };
  if (!deps.isExcluded(namespace)) return undefined;
  const auditAnnotations = { decision: 'excluded', namespace };
  return { answer: { allowed: true, auditAnnotations }, kind: 'excluded' };
}

function denied(request: AdmissionRequest, why: Reason): Outcome {
  const message = `${request.kind.kind}/${request.namespace}/${request.name}: ${reasonText(why)}`;
  return { answer: { allowed: false, status: { code: 403, reason: 'Forbidden', message } }, kind: 'denied' };
}

function answerOf(
  request: AdmissionRequest,
  decision: Decision,
  unmatched: Unmatched,
  aboutExceptions: readonly string[],
): Outcome {
  const auditAnnotations = auditOf(decision);
  const uncovered = decision.unmatched.map((use) => `no policy covers image ${use.image}`);
  const warnings = [
    ...aboutExceptions,
    ...warningTexts(decision),
    ...(unmatched === 'warn' ? uncovered : []),
  ];
  const blocking = decision.results.filter(isBlocking);
  if (decision.isAllowed && (unmatched !== 'deny' || uncovered.length === 0)) {
    return { answer: { allowed: true, warnings, auditAnnotations }, decision, kind: 'allowed' };
  }
  if (decision.isAllowed) {
    const images = decision.unmatched.map((use) => use.image).join(', ');
    const why = reason(R.unmatched, { expected: 'a policy for every image', actual: `none for ${images}` });
    return { ...denied(request, why), decision };
  }
  // Nothing is known against the object while a check is only unavailable: callers may tell the two apart.
  const isUnknown = blocking.every((result) => result.status === 'unavailable');
  const message = denialText(request.kind.kind, request.namespace, request.name, decision);
  const status = isUnknown
    ? { code: 503, reason: 'ServiceUnavailable', message }
    : { code: 403, reason: 'Forbidden', message };
  return {
    answer: { allowed: false, status, warnings, auditAnnotations },
    decision,
    kind: isUnknown ? 'unavailable' : 'denied',
  };
}

const AUDIT_CHARS_MAX = 4096;

/** One annotation with the whole decision in it; the API server puts the webhook's name before the key. */
function auditOf(decision: Decision): Record<string, string> {
  const checks = decision.results.map(
    ({ policy, rule, image, digest, status, reasons, degraded, exception, message }) => ({
      policy,
      rule,
      image,
      ...(digest === undefined ? {} : { digest }),
      status,
      ...(reasons.length === 0 ? {} : { classes: [...new Set(reasons.map((why) => why.class))] }),
      ...(degraded.length === 0 ? {} : { degraded }),
      ...(exception === undefined ? {} : { exception: { name: exception.name, id: exception.id } }),
      message,
    }),
  );
  return { decision: JSON.stringify(checks).slice(0, AUDIT_CHARS_MAX) };
}
