/**
 * One pinned image before a policy, as the webhook would judge it, together with the pieces of evidence that
 * were accepted: a promotion says which ones it rests on.
 */
import type { Digest } from '#base/brand';
import { toHex } from '#base/bytes';
import type { Clock } from '#base/clock';
import { sha256 } from '#base/crypto';
import { type Reason, reason } from '#base/reason';
import { unwrap } from '#base/result';
import {
  type AttachedItem,
  createJudge,
  type ImageEvidenceSource,
  judgeItems,
  registryEvidence,
  type Trust,
} from '#facts';
import type { ImageSource } from '#oci';
import { type Decision, imageUses, matchingChecks, type PolicySet, questionsFor } from '#policy';
import type { Accepted } from '#verify';
import { judgeRequest } from './judge-request.ts';
import { podOf, requestFor } from './policy-test.ts';
import { R } from './promote-reasons.ts';

/** One attached bundle or legacy layer that answers a question of the policy. */
export interface UsedEvidence {
  /** Where it lies. */
  readonly name: string;
  /** Of its bytes, hex. */
  readonly sha256: string;
  readonly accepted: Accepted;
}

export interface GateVerdict {
  /** `unavailable` when nothing is known against the image and something could not be read. */
  readonly outcome: 'passed' | 'denied' | 'unavailable';
  readonly results: Decision['results'];
  /** Why beyond the results of the checks. */
  readonly reasons: readonly Reason[];
  readonly used: readonly UsedEvidence[];
}

export interface GateImage {
  /** `registry/repository[:tag]@digest` under which the policy knows the image. */
  readonly name: string;
  readonly digest: Digest;
  /** Where its evidence is read. */
  readonly places: readonly ImageSource[];
}

export interface GateDeps {
  readonly trust: Trust;
  readonly clock: Clock;
}

const TIMEOUT_MS = 60_000;

/**
 * Judges an image as the container of a new Pod in `namespace`. Stricter than admission: every check has to
 * pass, those in audit mode too, some rule has to cover the image, and some evidence has to have been accepted.
 */
export async function judgeAtGate(
  policies: PolicySet,
  image: GateImage,
  namespace: string,
  { trust, clock }: GateDeps,
): Promise<GateVerdict> {
  const source = keeping(registryEvidence(() => image.places));
  const pod = podOf(image.name, namespace);
  const request = requestFor(pod, namespace);
  const uses = unwrap(imageUses(pod));
  const decision = await judgeRequest(policies, request, uses, {
    judge: createJudge({ source, trust: () => trust, clock }),
    // The image is pinned: there is no tag to resolve.
    tags: { resolve: () => Promise.resolve(image.digest) },
    clock,
    deadlineMs: clock.now() + TIMEOUT_MS,
  });
  const questions = questionsFor(uses.flatMap((use) => matchingChecks(policies, request, use.image)));
  const used = source.items.flatMap((item): UsedEvidence[] => {
    const { answers } = judgeItems(image.digest, [item], questions, trust.material, clock.now());
    const accepted = [...answers.values()].flat().find((verdict) => verdict.outcome === 'accepted');
    return accepted === undefined
      ? []
      : [{ name: item.name, sha256: toHex(sha256(item.bytes)), accepted: accepted as Accepted }];
  });
  return verdictOf(decision, used, image);
}

function verdictOf(decision: Decision, used: readonly UsedEvidence[], { name }: GateImage): GateVerdict {
  const { results } = decision;
  const denied = (reasons: readonly Reason[]): GateVerdict => ({ outcome: 'denied', results, reasons, used });
  if (decision.unmatched.length > 0) {
    return denied([reason(R.uncovered, { expected: `a rule for ${name}`, actual: 'none' })]);
  }
  const open = results.filter(({ status }) => status !== 'pass');
  if (open.some(({ status }) => status === 'fail')) return denied([]);
  if (open.length > 0) return { outcome: 'unavailable', results, reasons: [], used };
  if (used.length === 0) {
    return denied([
      reason(R.noEvidence, { expected: `accepted evidence on ${name}`, actual: 'none asked for' }),
    ]);
  }
  return { outcome: 'passed', results, reasons: [], used };
}

/** Remembers what was read, so that the evidence counted is the evidence judged. */
function keeping(source: ImageEvidenceSource): ImageEvidenceSource & { readonly items: AttachedItem[] } {
  const items: AttachedItem[] = [];
  return {
    items,
    attached: async (image) => {
      const found = await source.attached(image);
      items.splice(0, items.length, ...found);
      return found;
    },
  };
}
