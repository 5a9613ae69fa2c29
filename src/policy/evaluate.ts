/**
 * Facts against policies. Pure: what is attached to an image was verified elsewhere and arrives as verdicts,
 * one list a question. An empty list is "nothing attached", never a pass; what could not be read is
 * `unavailable`, which Enforce refuses like a failure and never mistakes for one.
 */
import type { Digest } from '#base/brand';
import { toBase64Url } from '#base/bytes';
import { type Reason, reason } from '#base/reason';
import { attempt, isNonEmpty, type NonEmpty } from '#base/result';
import type { Accepted, Verdict } from '#verify';
import { failedCondition } from './condition/conditions.ts';
import type { Surroundings } from './condition/functions.ts';
import type { CheckResult, Decision } from './decision.ts';
import type { Json } from './document.ts';
import { checkMessage } from './explain.ts';
import { parseImageName, repositoryOf } from './image/name.ts';
import type { Demand, EvidenceDemand, EvidenceQuestion, ImageCheck, PolicySet, Threshold } from './ir.ts';
import { type AdmissionRequest, type MatchedCheck, matchingChecks } from './match.ts';
import { R } from './reasons.ts';
import type { ImageUse } from './workload.ts';

/** Verdicts by question id. A question that was not asked is not in the map. */
export interface ImageFacts {
  readonly answers: ReadonlyMap<string, readonly Verdict[]>;
}

export interface JudgedImage {
  readonly use: ImageUse;
  /** The digest that was judged; absent when the tag could not be resolved. */
  readonly digest?: Digest;
  readonly evidence:
    | { readonly kind: 'facts'; readonly facts: ImageFacts }
    | { readonly kind: 'unavailable'; readonly cause: Reason }
    /** The image does not exist, or its name cannot be read: nothing to verify, a refusal. */
    | { readonly kind: 'refused'; readonly reason: Reason };
}

/** Everything a policy asks about one image. Equal ids appear once. */
export function questionsFor(checks: readonly MatchedCheck[]): EvidenceQuestion[] {
  const all = checks.flatMap(({ check }) => questionsIn(check.demand));
  return [...new Map(all.map((question) => [question.id, question])).values()];
}

function questionsIn(demand: Demand): EvidenceQuestion[] {
  if (demand.kind === 'threshold') return demand.of.flatMap(questionsIn);
  return demand.kind === 'evidence' ? [demand.question] : [];
}

/** Judges every image of a request. Denied when a check in Enforce does not pass, whatever the others say. */
export function evaluate(
  set: PolicySet,
  request: AdmissionRequest,
  images: readonly JudgedImage[],
  surroundings: Surroundings,
): Decision {
  const results: CheckResult[] = [];
  const unmatched: ImageUse[] = [];
  for (const image of images) {
    const checks = matchingChecks(set, request, image.use.image);
    if (checks.length === 0) unmatched.push(image.use);
    for (const matched of checks) results.push(judgeCheck(matched, image, request, surroundings));
  }
  const isAllowed = results.every((result) => result.status === 'pass' || result.mode === 'audit');
  return { isAllowed, results, unmatched };
}

interface Judging {
  readonly facts: ImageFacts;
  readonly context: { [name: string]: Json };
  readonly surroundings: Surroundings;
}

/** What a demand came to. `found` are the accepted pieces of evidence by authority, for spec.policy. */
type Outcome =
  | { readonly status: 'pass'; readonly found: readonly Found[] }
  | { readonly status: 'fail' | 'unavailable'; readonly reasons: NonEmpty<Reason> };

interface Found {
  readonly demand: Demand;
  readonly accepted: readonly Accepted[];
}

function judgeCheck(
  matched: MatchedCheck,
  image: JudgedImage,
  request: AdmissionRequest,
  surroundings: Surroundings,
): CheckResult {
  const outcome = judgeImage(matched.check, image, request, surroundings);
  const reasons = outcome.status === 'pass' ? [] : outcome.reasons;
  const signers = outcome.status === 'pass' ? outcome.found.flatMap(signersOf) : [];
  return {
    policy: matched.policy.name,
    rule: matched.rule.name,
    mode: matched.check.mode,
    image: image.use.image,
    ...(image.digest === undefined ? {} : { digest: image.digest }),
    status: outcome.status,
    reasons,
    degraded: outcome.status === 'pass' ? degradedOf(outcome.found, image) : [],
    message: checkMessage(image.use.image, outcome.status, reasons, signers),
  };
}

function degradedOf(found: readonly Found[], image: JudgedImage): string[] {
  const names = new Set(
    found.flatMap(({ accepted }) => accepted.flatMap(({ degraded }) => degraded as string[])),
  );
  const name = parseImageName(image.use.image);
  if (!name.ok || name.value.digest === '') names.add('digest');
  return [...names].sort();
}

const signersOf = (found: Found): string[] =>
  found.accepted.map(({ signer }) =>
    signer.kind === 'certificate' ? `${signer.san.value} (${signer.issuer})` : 'the key of the policy',
  );

function judgeImage(
  check: ImageCheck,
  image: JudgedImage,
  request: AdmissionRequest,
  surroundings: Surroundings,
): Outcome {
  const { evidence, use } = image;
  if (evidence.kind === 'refused') return { status: 'fail', reasons: [evidence.reason] };
  const isAsking = questionsIn(check.demand).length > 0;
  if (evidence.kind === 'unavailable' && isAsking) return unavailable(use.image, evidence.cause);
  const judging: Judging = {
    facts: evidence.kind === 'facts' ? evidence.facts : { answers: new Map() },
    context: contextOf(request, image),
    surroundings,
  };
  const outcome = judgeDemand(check.demand, judging);
  const name = parseImageName(use.image);
  if (check.verifyDigest && outcome.status === 'pass' && (!name.ok || name.value.digest === '')) {
    const actual = `${use.image} at ${use.pointer}`;
    return failed(reason(R.digestMissing, { expected: 'an image named by its digest', actual }));
  }
  if (outcome.status !== 'pass' || check.overall === undefined) return outcome;
  const why = overallFault(check, outcome.found, request, judging);
  return why === undefined ? outcome : failed(why);
}

const failed = (why: Reason): Outcome => ({ status: 'fail', reasons: [why] });

function unavailable(image: string, cause: Reason): Outcome {
  const actual = `${cause.check}: expected ${cause.expected}, got ${cause.actual} (${cause.code})`;
  const expected = `the evidence of ${image} to be readable`;
  const detail = { expected, actual, class: cause.class };
  return { status: 'unavailable', reasons: [reason(R.unavailable, detail)] };
}

function judgeDemand(demand: Demand, judging: Judging): Outcome {
  if (demand.kind === 'threshold') return judgeThreshold(demand, judging);
  if (demand.kind === 'evidence') return judgeEvidence(demand, judging);
  if (demand.pass) return { status: 'pass', found: [{ demand, accepted: [] }] };
  const expected = demand.message === '' ? 'an image that the policy lets in' : demand.message;
  return failed(
    reason(R.staticFail, { expected, actual: `static authority ${demand.name} with action fail` }),
  );
}

function judgeThreshold(demand: Threshold, judging: Judging): Outcome {
  const outcomes = demand.of.map((child) => judgeDemand(child, judging));
  const passed = outcomes.filter((outcome) => outcome.status === 'pass');
  if (passed.length >= demand.need) {
    return { status: 'pass', found: passed.flatMap((outcome) => outcome.found) };
  }
  const others = outcomes.filter((outcome) => outcome.status !== 'pass');
  const unknown = others.filter((outcome) => outcome.status === 'unavailable');
  // Only what could still reach the number makes the answer unknown; else it is a refusal.
  const isOpen = passed.length + unknown.length >= demand.need;
  const shown = (isOpen ? unknown : others.filter((outcome) => outcome.status === 'fail')).flatMap(
    (outcome) => outcome.reasons,
  );
  const reasons = isNonEmpty(shown) ? shown : others.flatMap((outcome) => outcome.reasons);
  if (!isNonEmpty(reasons)) throw new Error('a threshold failed without a reason');
  return { status: isOpen ? 'unavailable' : 'fail', reasons };
}

function judgeEvidence(demand: EvidenceDemand, judging: Judging): Outcome {
  const verdicts = judging.facts.answers.get(demand.question.id);
  if (verdicts === undefined) throw new Error(`question ${demand.question.id} was not asked`);
  const accepted = verdicts.filter((verdict) => verdict.outcome === 'accepted');
  if (!isNonEmpty(accepted)) return notAccepted(demand, verdicts);
  if (demand.attestation === undefined) return { status: 'pass', found: [{ demand, accepted }] };
  const faults = accepted.map((item) => attestationFault(demand, item, judging));
  const bad = faults.filter((fault) => fault !== undefined);
  const isPassed = demand.attestation.quantifier === 'all' ? bad.length === 0 : bad.length < faults.length;
  if (isPassed) {
    return {
      status: 'pass',
      found: [{ demand, accepted: accepted.filter((_, i) => faults[i] === undefined) }],
    };
  }
  return { status: 'fail', reasons: [bad[0] as Reason] };
}

/** The rejection nearest to what was wanted: content of another type only when there is nothing else. */
function notAccepted(demand: EvidenceDemand, verdicts: readonly Verdict[]): Outcome {
  const unknown = verdicts.find((verdict) => verdict.outcome === 'unavailable');
  if (unknown !== undefined) {
    const expected = `${demand.path} to be decidable`;
    const { check, expected: wanted, actual, code, class: kind } = unknown.cause;
    const text = `${check}: expected ${wanted}, got ${actual} (${code})`;
    const detail = { expected, actual: text, class: kind };
    return { status: 'unavailable', reasons: [reason(R.unavailable, detail)] };
  }
  const rejections = verdicts.flatMap((verdict) => (verdict.outcome === 'rejected' ? [verdict.reason] : []));
  const ofType = rejections.filter(({ check }) => check !== 'content.predicateType');
  const nearest = ofType.find(({ check }) => check.startsWith('identity.')) ?? ofType[0];
  const spec = demand.attestation === undefined ? R.signature : R.attestation;
  const what =
    demand.attestation === undefined
      ? 'signature'
      : `attestation of type ${demand.attestation.predicateType}`;
  const article = demand.attestation === undefined ? 'a' : 'an';
  if (nearest === undefined) {
    return failed(
      reason(spec, { expected: `${demand.path}: ${article} ${what}`, actual: `no ${what} is attached` }),
    );
  }
  const more = ofType.length > 1 ? ` (nearest of ${ofType.length})` : '';
  return failed(
    reason(spec, {
      check: nearest.check,
      class: nearest.class,
      expected: `${demand.path}: ${what} with ${nearest.expected}`,
      actual: `${nearest.actual} (${nearest.code})${more}`,
      hint: nearest.hint,
    }),
  );
}

function attestationFault(demand: EvidenceDemand, item: Accepted, judging: Judging): Reason | undefined {
  const { attestation } = demand;
  const { statement } = item;
  if (attestation === undefined) return undefined;
  if (statement === undefined) {
    return reason(R.attestation, { expected: `${demand.path}: a statement`, actual: 'other signed content' });
  }
  const predicate = statement.predicate as unknown as Json;
  if (attestation.conditions !== undefined) {
    const root = isMap(predicate) ? predicate : {};
    // The fields of the predicate are at the root; what the request says of itself cannot be replaced.
    const data = { ...root, ...judging.context };
    const why = failedCondition(attestation.conditions, data, judging.surroundings);
    if (why !== undefined) return { ...why, expected: `${demand.path}: ${why.expected}` };
  }
  const { program } = attestation;
  if (program === undefined) return undefined;
  const image = judging.context['image'] as Json;
  const subject = statement.subject as unknown as Json;
  const variables = { predicate, predicateType: statement.predicateType, subject, image };
  const run = attempt(() => program.run(variables));
  if (!run.ok) return run.error;
  if (run.value) return undefined;
  return reason(R.condition, { expected: `${demand.path}: ${program.text}`, actual: 'false' });
}

const isMap = (value: Json): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What conditions may read besides the predicate. */
function contextOf(request: AdmissionRequest, image: JudgedImage): { [name: string]: Json } {
  const parsed = parseImageName(image.use.image);
  const name = parsed.ok ? parsed.value : undefined;
  return {
    request: {
      object: request.object,
      namespace: request.namespace,
      name: request.name,
      operation: request.operation,
      kind: { ...request.kind },
      userInfo: { username: request.user.username, groups: [...request.user.groups] },
    },
    image: {
      reference: image.use.image,
      repository: name === undefined ? '' : repositoryOf(name),
      registry: name?.registry ?? '',
      path: name?.path ?? '',
      name: name?.name ?? '',
      tag: name?.tag ?? '',
      digest: image.digest ?? '',
    },
  };
}

/** policy-controller's spec.policy: one expression over everything that was found. */
function overallFault(
  check: ImageCheck,
  found: readonly Found[],
  request: AdmissionRequest,
  judging: Judging,
): Reason | undefined {
  const { overall } = check;
  if (overall === undefined) return undefined;
  const object = isMap(request.object) ? request.object : {};
  const variables = {
    authorityMatches: matchesOf(found),
    spec: object['spec'] ?? {},
    metadata: object['metadata'] ?? {},
    image: judging.context['image'] as Json,
  };
  const run = attempt(() => overall.run(variables));
  if (!run.ok) return run.error;
  return run.value ? undefined : reason(R.condition, { expected: overall.text, actual: 'false' });
}

function matchesOf(found: readonly Found[]): Json {
  const out: { [name: string]: Json } = {};
  for (const { demand, accepted } of found) {
    if (demand.kind === 'threshold') continue;
    const entry = isMap(out[demand.name] ?? null) ? (out[demand.name] as { [name: string]: Json }) : {};
    const list = accepted.map(describe);
    if (demand.kind === 'static') entry['static'] = true;
    else if (demand.attestation === undefined) entry['signatures'] = list;
    else {
      const before = isMap(entry['attestations'] ?? null)
        ? (entry['attestations'] as { [name: string]: Json })
        : {};
      entry['attestations'] = { ...before, [demand.attestation.name]: list };
    }
    out[demand.name] = entry;
  }
  return out;
}

function describe(item: Accepted): Json {
  const { signer, statement } = item;
  const who: { [name: string]: Json } =
    signer.kind === 'certificate'
      ? { subject: signer.san.value, issuer: signer.issuer }
      : { key: toBase64Url(signer.spki) };
  return statement === undefined ? who : { ...who, predicateType: statement.predicateType };
}
