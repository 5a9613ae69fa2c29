/**
 * What the webhook does, without HTTP: mutate pins tags to digests, validate judges images against the policies.
 * Mutation never refuses; validation refuses everything it cannot prove.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { digest as digestOfText } from '#base/digest';
import { type Reason, reason, reasonText, WaybillError } from '#base/reason';
import type { Judge, Judgement } from '#facts';
import {
  type AdmissionRequest,
  changedUses,
  type Decision,
  denialText,
  evaluate,
  type ImageUse,
  imageUses,
  isBlocking,
  type JudgedImage,
  matchingChecks,
  type PolicySet,
  parseImageName,
  questionsFor,
  questionsHash,
  repositoryOf,
  warningTexts,
} from '#policy';
import type { Unmatched } from './config.ts';
import { within } from './deadline.ts';
import { R } from './reasons.ts';
import type { TagSource } from './resolver.ts';
import type { PatchStep, Review, ReviewAnswer } from './review.ts';

export interface AdmissionDeps {
  readonly policies: () => PolicySet;
  readonly judge: Judge;
  readonly tags: TagSource;
  readonly clock: Clock;
  /** Whether objects of a namespace are left alone. */
  readonly isExcluded: (namespace: string) => boolean;
  readonly unmatched: Unmatched;
}

export interface Outcome {
  readonly answer: ReviewAnswer;
  /** For the log and the counters; absent when nothing was judged. */
  readonly decision?: Decision;
  readonly kind: 'allowed' | 'denied' | 'unavailable' | 'excluded' | 'nothing';
}

/** Pins every tag a policy wants pinned. Idempotent: a second call on the patched object has no patch. */
export async function mutate(review: Review, deadlineMs: number, deps: AdmissionDeps): Promise<Outcome> {
  const { request } = review;
  const skipped = leftAlone(review, deps);
  if (skipped !== undefined) return skipped;
  const uses = imageUses(request.object);
  // An object that cannot be read is refused by validate, which says why.
  if (!uses.ok) return { answer: { allowed: true }, kind: 'nothing' };
  const wanted = uses.value.filter((use) =>
    matchingChecks(deps.policies(), request, use.image).some(({ check }) => check.mutateDigest),
  );
  const warnings: string[] = [];
  const steps = await Promise.all(
    wanted.map(async (use) => {
      const name = parseImageName(use.image);
      if (!name.ok || name.value.digest !== '') return [];
      const found = await resolveTag(use, deadlineMs, deps);
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

/** `repo:tag` → `repo:tag@digest`; an implicit tag is written out, so that the object says what was meant. */
function pinSteps(use: ImageUse, digest: Digest): PatchStep[] {
  const last = use.image.slice(use.image.lastIndexOf('/') + 1);
  const tagged = last.includes(':') ? use.image : `${use.image}:latest`;
  return [
    { op: 'test', path: use.pointer, value: use.image },
    { op: 'replace', path: use.pointer, value: `${tagged}@${digest}` },
  ];
}

/** Judges every image an object brings in. */
export async function validate(review: Review, deadlineMs: number, deps: AdmissionDeps): Promise<Outcome> {
  const { request } = review;
  const skipped = leftAlone(review, deps);
  if (skipped !== undefined) return skipped;
  const uses = imageUses(request.object);
  if (!uses.ok) return denied(request, uses.error);
  const before = review.request.operation === 'UPDATE' ? imageUses(review.oldObject) : undefined;
  const brought = before?.ok === true ? changedUses(uses.value, before.value) : uses.value;
  if (brought.length === 0) return { answer: { allowed: true }, kind: 'nothing' };
  const policies = deps.policies();
  const images = await Promise.all(brought.map((use) => judgeUse(use, request, policies, deadlineMs, deps)));
  const decision = evaluate(policies, request, images, { nowMs: deps.clock.now() });
  return answerOf(request, decision, deps.unmatched);
}

function leftAlone(review: Review, deps: AdmissionDeps): Outcome | undefined {
  const { operation, namespace } = review.request;
  if (operation === 'DELETE' || operation === 'CONNECT')
    return { answer: { allowed: true }, kind: 'nothing' };
  if (!deps.isExcluded(namespace)) return undefined;
  const auditAnnotations = { decision: 'excluded', namespace };
  return { answer: { allowed: true, auditAnnotations }, kind: 'excluded' };
}

async function judgeUse(
  use: ImageUse,
  request: AdmissionRequest,
  policies: PolicySet,
  deadlineMs: number,
  deps: AdmissionDeps,
): Promise<JudgedImage> {
  const questions = questionsFor(matchingChecks(policies, request, use.image));
  const name = parseImageName(use.image);
  if (!name.ok) return { use, evidence: { kind: 'refused', reason: name.error } };
  const nothing: JudgedImage['evidence'] = { kind: 'facts', facts: { answers: new Map() } };
  if (questions.length === 0) {
    const { digest } = name.value;
    return { use, ...(digest === '' ? {} : { digest: digestOfText(digest) }), evidence: nothing };
  }
  const resolved: { digest: Digest } | { reason: Reason } =
    name.value.digest === ''
      ? await resolveTag(use, deadlineMs, deps)
      : { digest: digestOfText(name.value.digest) };
  if ('reason' in resolved) return { use, evidence: evidenceOf(resolved.reason) };
  const { digest } = resolved;
  const set = { hash: questionsHash(questions.map(({ id }) => id)), questions };
  const image = { repository: repositoryOf(name.value), digest };
  const judged = await within(
    deps.judge.judgeImage(image, set),
    deadlineMs - deps.clock.now(),
    (): Judgement => ({ kind: 'unavailable', cause: late(use) }),
  );
  return { use, digest, evidence: judged.kind === 'facts' ? judged : evidenceOf(judged.cause) };
}

const late = (use: ImageUse): Reason =>
  reason(R.deadline, { expected: `the evidence of ${use.image} in time`, actual: 'not there yet' });

/** Trouble on the way is not a judgement; everything else is a refusal. */
function evidenceOf(why: Reason): JudgedImage['evidence'] {
  return why.side === 'environment' || why.side === 'defect'
    ? { kind: 'unavailable', cause: why }
    : { kind: 'refused', reason: why };
}

async function resolveTag(
  use: ImageUse,
  deadlineMs: number,
  deps: AdmissionDeps,
): Promise<{ digest: Digest } | { reason: Reason }> {
  const name = parseImageName(use.image);
  if (!name.ok) return { reason: name.error };
  const asked = deps.tags
    .resolve({ repository: repositoryOf(name.value), tag: name.value.tag })
    .then((digest) => ({ digest }))
    .catch((error: unknown) => ({ reason: asReason(error, use) }));
  return within(asked, deadlineMs - deps.clock.now(), () => ({ reason: late(use) }));
}

function asReason(error: unknown, use: ImageUse): Reason {
  if (error instanceof WaybillError) return error.reason;
  const actual = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return reason(R.defect, { expected: `the digest of ${use.image}`, actual });
}

function denied(request: AdmissionRequest, why: Reason): Outcome {
  const message = `${request.kind.kind}/${request.namespace}/${request.name}: ${reasonText(why)}`;
  return { answer: { allowed: false, status: { code: 403, reason: 'Forbidden', message } }, kind: 'denied' };
}

function answerOf(request: AdmissionRequest, decision: Decision, unmatched: Unmatched): Outcome {
  const auditAnnotations = auditOf(decision);
  const uncovered = decision.unmatched.map((use) => `no policy covers image ${use.image}`);
  const warnings = [...warningTexts(decision), ...(unmatched === 'warn' ? uncovered : [])];
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
  const checks = decision.results.map(({ policy, rule, image, digest, status, message }) => ({
    policy,
    rule,
    image,
    ...(digest === undefined ? {} : { digest }),
    status,
    message,
  }));
  return { decision: JSON.stringify(checks).slice(0, AUDIT_CHARS_MAX) };
}
