/**
 * Use case: may this object come in? Its images are resolved, their evidence is judged, the policies decide.
 * The webhook and `policy test` ask this same function.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { digest as digestOfText } from '#base/digest';
import { type Reason, reason, WaybillError } from '#base/reason';
import type { Judge, Judgement } from '#facts';
import {
  type AdmissionRequest,
  type Decision,
  evaluate,
  type ImageUse,
  type JudgedImage,
  matchingChecks,
  type PolicySet,
  parseImageName,
  questionsFor,
  questionsHash,
  repositoryOf,
} from '#policy';
import { R } from './judge-reasons.ts';

export interface TaggedName {
  /** `registry/repository`, as the policy sees it. */
  readonly repository: string;
  readonly tag: string;
}

/** Contract: the digest the tag names now; a tag that is not there is WB-502, trouble is side environment. */
export interface TagSource {
  resolve(name: TaggedName): Promise<Digest>;
}

export interface JudgeRequestDeps {
  readonly judge: Judge;
  readonly tags: TagSource;
  readonly clock: Clock;
  /** Milliseconds since the epoch: what is not known then is unavailable. */
  readonly deadlineMs: number;
}

/** Judges every use; a use nobody covers is in `unmatched`. Never throws for what the evidence says. */
export async function judgeRequest(
  policies: PolicySet,
  request: AdmissionRequest,
  uses: readonly ImageUse[],
  deps: JudgeRequestDeps,
): Promise<Decision> {
  const images = await Promise.all(uses.map((use) => judgeUse(use, request, policies, deps)));
  return evaluate(policies, request, images, { nowMs: deps.clock.now() });
}

async function judgeUse(
  use: ImageUse,
  request: AdmissionRequest,
  policies: PolicySet,
  deps: JudgeRequestDeps,
): Promise<JudgedImage> {
  const name = parseImageName(use.image);
  if (!name.ok) return { use, evidence: { kind: 'refused', reason: name.error } };
  const questions = questionsFor(matchingChecks(policies, request, use.image));
  if (questions.length === 0) {
    const { digest } = name.value;
    const evidence = { kind: 'facts', facts: { answers: new Map() } } as const;
    return { use, ...(digest === '' ? {} : { digest: digestOfText(digest) }), evidence };
  }
  const resolved = await digestOfUse(use, deps);
  if ('reason' in resolved) return { use, evidence: evidenceOf(resolved.reason) };
  const { digest } = resolved;
  const set = { hash: questionsHash(questions.map(({ id }) => id)), questions };
  const image = { repository: repositoryOf(name.value), digest };
  const judged = await within(
    deps.judge.judgeImage(image, set),
    deps.deadlineMs - deps.clock.now(),
    (): Judgement => ({ kind: 'unavailable', cause: late(use) }),
  );
  return { use, digest, evidence: judged.kind === 'facts' ? judged : evidenceOf(judged.cause) };
}

/** Trouble on the way is not a judgement; everything else is a refusal. */
function evidenceOf(why: Reason): JudgedImage['evidence'] {
  return why.side === 'environment' || why.side === 'defect'
    ? { kind: 'unavailable', cause: why }
    : { kind: 'refused', reason: why };
}

export type ResolvedUse = { readonly digest: Digest } | { readonly reason: Reason };

/** The digest an image use names, now. */
export async function digestOfUse(
  use: ImageUse,
  deps: Pick<JudgeRequestDeps, 'tags' | 'clock' | 'deadlineMs'>,
): Promise<ResolvedUse> {
  const name = parseImageName(use.image);
  if (!name.ok) return { reason: name.error };
  if (name.value.digest !== '') return { digest: digestOfText(name.value.digest) };
  const asked = deps.tags
    .resolve({ repository: repositoryOf(name.value), tag: name.value.tag })
    .then((digest): ResolvedUse => ({ digest }))
    .catch((error: unknown): ResolvedUse => ({ reason: asReason(error, use) }));
  return within(asked, deps.deadlineMs - deps.clock.now(), () => ({ reason: late(use) }));
}

/** `repo:tag` → `repo:tag@digest`; an implicit tag is written out, so that the object says what was meant. */
export function pinnedImage(image: string, digest: Digest): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return `${last.includes(':') ? image : `${image}:latest`}@${digest}`;
}

const late = (use: ImageUse): Reason =>
  reason(R.deadline, { expected: `the evidence of ${use.image} in time`, actual: 'not there yet' });

function asReason(error: unknown, use: ImageUse): Reason {
  if (error instanceof WaybillError) return error.reason;
  const actual = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return reason(R.defect, { expected: `the digest of ${use.image}`, actual });
}

/** A limit on waiting, not on work: what was started goes on and fills the caches. */
async function within<T>(work: Promise<T>, ms: number, whenLate: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(whenLate()), Math.min(Math.max(ms, 0), 2 ** 31 - 1));
  });
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
  }
}
