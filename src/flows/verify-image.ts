/**
 * Use case: is there a signature, or an attestation, on this image that meets the requirements? Everything
 * attached in either layout is judged; one that is accepted suffices, and what was refused is told as well.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { fail, type Reason, WaybillError } from '#base/reason';
import { assertNever, isNonEmpty, type NonEmpty } from '#base/result';
import { createJudge, registryEvidence, type Trust } from '#facts';
import { pinnedText, type Reference } from '#formats/reference';
import { attachmentPlaces, type ImageSource, openImage, type Registry } from '#oci';
import type { Accepted, Requirements } from '#verify';
import { R } from './reasons.ts';

export interface VerifyImageDeps {
  readonly registry: Registry;
  readonly trust: Trust;
  readonly clock: Clock;
  /** Repository that signatures are kept in instead (COSIGN_REPOSITORY). */
  readonly cosignRepository?: string;
}

export interface VerifyImageQuestion {
  /** What is looked for, for messages and the exit code when nothing is there. */
  readonly kind: 'signature' | 'attestation';
  readonly requirements: Requirements;
}

export interface VerifiedImage {
  /** As the user wrote it. */
  readonly given: string;
  /** `registry/repository@digest`, or `oci:DIR@digest`. */
  readonly pinned: string;
  readonly digest: Digest;
  readonly accepted: NonEmpty<Accepted>;
  /** Why the others did not count. */
  readonly refused: readonly Reason[];
}

/** Throws WB-901/902 (nothing there, exit 10), the nearest refusal, or the cause of unavailability. */
export async function verifyImage(
  given: string,
  question: VerifyImageQuestion,
  deps: VerifyImageDeps,
): Promise<VerifiedImage> {
  const image = await locate(given, deps);
  const judge = createJudge({
    source: registryEvidence(() => image.places),
    trust: () => deps.trust,
    clock: deps.clock,
  });
  const judgement = await judge.judgeImage(
    { repository: image.name, digest: image.digest },
    { hash: 'one', questions: [{ id: 'one', requirements: question.requirements }] },
  );
  if (judgement.kind === 'unavailable') throw new WaybillError(judgement.cause);
  const accepted: Accepted[] = [];
  const refused: Reason[] = [];
  const causes: Reason[] = [];
  for (const verdict of judgement.facts.answers.get('one') ?? []) {
    if (verdict.outcome === 'accepted') accepted.push(verdict);
    else if (verdict.outcome === 'rejected') refused.push(verdict.reason);
    else if (verdict.outcome === 'unavailable') causes.push(verdict.cause);
    else assertNever(verdict);
  }
  const { pinned, digest } = image;
  if (isNonEmpty(accepted)) return { given, pinned, digest, accepted, refused };
  const [cause] = causes;
  if (cause !== undefined) throw new WaybillError(cause);
  throw refusal(question.kind, pinned, refused, question.requirements);
}

interface Located {
  readonly name: string;
  readonly pinned: string;
  readonly digest: Digest;
  readonly places: readonly ImageSource[];
}

async function locate(given: string, deps: VerifyImageDeps): Promise<Located> {
  const image = await openImage(deps.registry, given);
  // A digest needs no question to the registry: what is attached to it is asked for by that digest.
  const known = image.selector.digest;
  const digest = known ?? (await image.source.resolve(image.selector)).digest;
  if (image.reference === undefined) {
    const name = image.name.replace(/@sha256:[0-9a-f]{64}$/, '');
    return { name, pinned: `${name}@${digest}`, digest, places: [image.source] };
  }
  return {
    name: `${image.reference.registry}/${image.reference.repository}`,
    pinned: pinnedText(image.reference, digest),
    digest,
    places: placesFor(deps, image.reference),
  };
}

function placesFor(deps: VerifyImageDeps, reference: Reference): readonly ImageSource[] {
  return attachmentPlaces(deps.registry, reference, deps.cosignRepository).read;
}

/** Exit codes in the order of "how near was it": an identity is the last thing checked. */
const nearness = [14, 15, 13, 12, 16];

function refusal(
  kind: VerifyImageQuestion['kind'],
  pinned: string,
  refused: readonly Reason[],
  requirements: Requirements,
): WaybillError {
  const rank = (why: Reason): number => {
    const at = nearness.indexOf(why.exit);
    return at < 0 ? nearness.length : at;
  };
  const [nearest] = refused.toSorted((a, b) => rank(a) - rank(b));
  if (nearest !== undefined) {
    const more = refused.length > 1 ? ` (nearest of ${refused.length} on ${pinned})` : ` on ${pinned}`;
    return new WaybillError({ ...nearest, actual: `${nearest.actual}${more}` });
  }
  const { predicate } = requirements;
  const type = predicate.kind === 'anyOf' ? ` of type ${predicate.types.join(' or ')}` : '';
  return kind === 'signature'
    ? fail(R.noSignature, { expected: `a signature on ${pinned}`, actual: 'none is attached' })
    : fail(R.noAttestation, { expected: `an attestation${type} on ${pinned}`, actual: 'none is attached' });
}
