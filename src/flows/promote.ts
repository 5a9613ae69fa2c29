/**
 * Use case: let an image into the next registry. Judged by the policy at the source, copied by digest with
 * everything attached, judged again from what the target holds, summed up in a signed VSA there. The tag comes
 * last: who finds it finds all the rest, and what stopped half-way has no name.
 */
import type { Digest } from '#base/brand';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { MirrorMap } from '#facts';
import {
  parseRepository,
  pinnedText,
  type Reference,
  referenceText,
  repositoryText,
} from '#formats/reference';
import { attachmentPlaces, type Repository, tryResolve } from '#oci';
import type { PolicySet } from '#policy';
import { type AttestedImage, attestImage } from './attest-image.ts';
import { type CopiedImage, type CopyImageOptions, copyImage } from './copy-image.ts';
import { R } from './promote-reasons.ts';
import { type GateVerdict, judgeAtGate } from './promotion-evidence.ts';
import {
  buildLevel,
  type LevelQuestion,
  type SummaryInput,
  summaryPredicate,
  UNEVALUATED,
} from './promotion-summary.ts';
import { registryReference, type SignatureFormat, type SignImageDeps } from './sign-image.ts';

export interface PromoteOptions {
  readonly policies: PolicySet;
  /** The Pod the image is judged in lies here. */
  readonly namespace: string;
  /** Moves a tag that holds another digest. */
  readonly forceTag: boolean;
  readonly verifier: SummaryInput['verifier'];
  /** Absent: the summary says that no level was evaluated. */
  readonly level?: LevelQuestion;
  readonly format: SignatureFormat;
}

export interface PromoteDeps extends SignImageDeps {
  /** Where the source is read from, when not where its name says. */
  readonly mirror: MirrorMap;
  readonly onCopied?: CopyImageOptions['onCopied'];
}

interface Route {
  readonly source: string;
  readonly target: string;
  readonly digest: Digest;
}

export interface Promoted extends Route {
  readonly outcome: 'promoted';
  /** `registry/repository@digest` at the target. */
  readonly pinned: string;
  readonly level: string;
  readonly copied: CopiedImage;
  readonly summary: AttestedImage;
  /** As judged from what the target holds. */
  readonly verdict: GateVerdict;
}

export interface NotPromoted extends Route {
  readonly outcome: 'denied' | 'unavailable';
  /** `target`: the copy is there by digest, without the tag and without a summary. */
  readonly stage: 'source' | 'target';
  readonly verdict: GateVerdict;
}

export type Promotion = Promoted | NotPromoted;

/**
 * Denial is a value; throws WB-973 when the target's tag holds another digest, WB-974 when the target names one,
 * and whatever registry and signing services throw. Repeating it is safe.
 */
export async function promoteImage(
  source: string,
  target: string,
  options: PromoteOptions,
  deps: PromoteDeps,
): Promise<Promotion> {
  const from = registryReference(source);
  const to = registryReference(target);
  const read = { ...from, ...unwrap(parseRepository(deps.mirror(repositoryText(from)))) };
  const { digest } = (await deps.registry.resolve(read)).descriptor;
  const route = { source, target, digest };
  const known = referenceText({ ...from, digest });
  const judged = async (place: Reference): Promise<GateVerdict> => {
    const places = attachmentPlaces(deps.registry, place, deps.cosignRepository).read;
    const trust = { material: deps.trustedRoot, hash: 'promote' };
    const gate = { trust, clock: deps.clock };
    return judgeAtGate(options.policies, { name: known, digest, places }, options.namespace, gate);
  };
  const before = await judged(read);
  if (before.outcome !== 'passed') {
    return { ...route, outcome: before.outcome, stage: 'source', verdict: before };
  }
  if (options.level !== undefined) buildLevel(before.used, digest, options.level);
  const repository = deps.registry.repository(to);
  await requireFree(repository, to, digest, options.forceTag);
  const pinned = pinnedText(to, digest);
  const copied = await copyImage(deps.registry, pinnedText(read, digest), pinned, {
    ...(deps.onCopied === undefined ? {} : { onCopied: deps.onCopied }),
  });
  const verdict = await judged(to);
  if (verdict.outcome !== 'passed') return { ...route, outcome: verdict.outcome, stage: 'target', verdict };
  const level = options.level === undefined ? UNEVALUATED : buildLevel(verdict.used, digest, options.level);
  const predicate = summaryPredicate({
    verifier: options.verifier,
    timeMs: deps.clock.now(),
    target: { repository: repositoryText(to), digest },
    policies: options.policies,
    used: verdict.used,
    level,
  });
  const summary = await attestImage(pinned, predicate, options.format, deps);
  if (to.tag !== undefined) await nameIt(repository, to.tag, digest, options.forceTag);
  return { ...route, outcome: 'promoted', pinned, level, copied, summary, verdict };
}

/** Before anything is copied. The tag may still move meanwhile: `nameIt` looks again, and writes only then. */
async function requireFree(
  repository: Repository,
  to: Reference,
  digest: Digest,
  isForced: boolean,
): Promise<void> {
  if (to.digest !== undefined && to.digest !== digest) {
    throw fail(R.targetDigest, { expected: `${to.digest}, as the target names it`, actual: digest });
  }
  if (to.tag === undefined || isForced) return;
  const held = await tryResolve(repository, { tag: to.tag });
  if (held !== undefined && held.digest !== digest) throw taken(repository, to.tag, digest, held.digest);
}

async function nameIt(repository: Repository, tag: string, digest: Digest, isForced: boolean): Promise<void> {
  const manifest = await repository.manifest(digest);
  await repository.updateTag(tag, {
    holds: (held) => held?.digest === digest,
    change: (held) => {
      if (held !== undefined && !isForced) throw taken(repository, tag, digest, held.digest);
      return manifest;
    },
  });
}

const taken = (repository: Repository, tag: string, wanted: Digest, held: Digest): Error =>
  fail(R.tagTaken, { expected: `${repository.name}:${tag} to be free or to hold ${wanted}`, actual: held });
