/**
 * Use case: is there a signature, or an attestation, on this image that meets the requirements? Everything
 * attached in either layout is judged; one that is accepted suffices, and what was refused is told as well.
 */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import { type Reason, WaybillError } from '#base/reason';
import { assertNever, isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import { type AttachedItem, attachedItems, judgeItems, type ReadAttachments, type Trust } from '#facts';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import type { Platform } from '#formats/oci';
import { pinnedText } from '#formats/reference';
import {
  attachmentPlaces,
  type ImageSource,
  type LegacySuffix,
  listAttachments,
  type OpenedImage,
  openImage,
  type Registry,
  selectImage,
  selectPlatform,
} from '#oci';
import type { Accepted, Requirements } from '#verify';
import type { Conditions } from './attestation-conditions.ts';
import { imageRefusal } from './image-refusal.ts';

export interface VerifyImageDeps {
  readonly registry: Registry;
  readonly trust: Trust;
  readonly clock: Clock;
  /** Repository that signatures are kept in instead (COSIGN_REPOSITORY). */
  readonly cosignRepository?: string;
  /** Shared with other questions about the same image; default: what this question needs is read. */
  readonly attachments?: ReadAttachments;
}

export interface VerifyImageQuestion {
  /** What is looked for, for messages and the exit code when nothing is there. */
  readonly kind: 'signature' | 'attestation';
  readonly requirements: Requirements;
  /** What the predicate of a verified attestation must say besides. */
  readonly conditions?: Conditions;
  /** Of an index, the image that is meant, and what an image named directly must be; absent: what the name names. */
  readonly platform?: Platform;
}

export interface VerifiedImage {
  /** As the user wrote it. */
  readonly given: string;
  /** `registry/repository@digest`, or `oci:DIR@digest`. */
  readonly pinned: string;
  readonly digest: Digest;
  readonly accepted: NonEmpty<Accepted>;
  /** Where each of `accepted` was found, as it lies there. */
  readonly items: NonEmpty<AttachedItem>;
  /** Why the others did not count. */
  readonly refused: readonly Reason[];
}

/** As `VerifyImageDeps`, where trust may be loaded while the registry is thinking. */
export type VerifyImageSurroundings = Omit<VerifyImageDeps, 'trust'> & {
  readonly trust: Trust | (() => Promise<Trust>);
};

/**
 * Throws WB-901/902 (nothing there, exit 10), WB-502 (no such image), WB-511 (of another platform), the nearest refusal, or the cause of
 * unavailability.
 */
export async function verifyImage(
  given: string,
  question: VerifyImageQuestion,
  surroundings: VerifyImageSurroundings,
): Promise<VerifiedImage> {
  const image = await locate(given, question.platform, surroundings);
  const read = surroundings.attachments ?? readingFor(question.requirements);
  const found = attachedItems(await read(image.places, image.digest));
  const { trust } = surroundings;
  const deps = { trust: typeof trust === 'function' ? await trust() : trust, clock: surroundings.clock };
  const accepted: Accepted[] = [];
  const items: AttachedItem[] = [];
  const refused: Reason[] = [];
  const causes: Reason[] = [];
  for (const item of found) {
    const verdict = judgeOne(item, image.digest, question, deps);
    if (verdict === undefined) continue;
    if (verdict.outcome === 'unavailable') causes.push(verdict.cause);
    else if (verdict.outcome === 'rejected') refused.push(verdict.reason);
    else if (verdict.outcome === 'accepted') {
      const why = unmet(verdict, question.conditions);
      if (why !== undefined) refused.push(why);
      else {
        accepted.push(verdict);
        items.push(item);
      }
    } else assertNever(verdict);
  }
  const { pinned, digest } = image;
  if (isNonEmpty(accepted) && isNonEmpty(items)) return { given, pinned, digest, accepted, items, refused };
  const [cause] = causes;
  if (cause !== undefined) throw new WaybillError(cause);
  // A digest was taken at its word so far: nothing attached may also mean that there is no such image.
  const there = found.length === 0 ? await image.source.manifest(digest) : undefined;
  throw imageRefusal(question, pinned, refused, { count: found.length, isIndex: there?.kind === 'index' });
}

/** Undefined for an item of another type than asked for: it is no candidate. */
function judgeOne(
  item: AttachedItem,
  digest: Digest,
  { requirements }: VerifyImageQuestion,
  { trust, clock }: Pick<VerifyImageDeps, 'trust' | 'clock'>,
) {
  const questions = [{ id: 'one', requirements }];
  return judgeItems(digest, [item], questions, trust.material, clock.now()).answers.get('one')?.[0];
}

function unmet({ statement }: Accepted, conditions: Conditions | undefined): Reason | undefined {
  return conditions === undefined ? undefined : conditions.fault(statement);
}

/**
 * What can meet the requirements and nothing else: signatures of the older layout lie under `.sig`, statements
 * of every other type under `.att`. With the referrers and their fallback tag that is three requests.
 */
function readingFor({ predicate }: Requirements): ReadAttachments {
  const isAsked = (suffix: LegacySuffix): boolean =>
    predicate.kind === 'any' ||
    predicate.types.some((type) => (type === COSIGN_SIGN_V1) === (suffix === 'sig'));
  const suffixes = (['sig', 'att'] as const).filter(isAsked);
  return (places, digest) => listAttachments(places, digest, { suffixes });
}

interface Located {
  readonly pinned: string;
  readonly digest: Digest;
  readonly source: ImageSource;
  readonly places: readonly ImageSource[];
}

async function locate(
  given: string,
  platform: Platform | undefined,
  deps: Pick<VerifyImageDeps, 'registry' | 'cosignRepository'>,
): Promise<Located> {
  const image = await openImage(deps.registry, given);
  const { source, reference } = image;
  const digest = await digestOf(image, platform);
  if (reference === undefined) {
    const name = image.name.replace(/@sha256:[0-9a-f]{64}$/, '');
    return { pinned: `${name}@${digest}`, digest, source, places: [source] };
  }
  const places = attachmentPlaces(deps.registry, reference, deps.cosignRepository).read;
  return { pinned: pinnedText(reference, digest), digest, source, places };
}

async function digestOf({ source, selector }: OpenedImage, platform: Platform | undefined): Promise<Digest> {
  // A digest needs no question to the registry: what is attached to it is asked for by that digest.
  const digest = selector.digest ?? (await source.resolve(selector)).digest;
  if (platform === undefined) return digest;
  const manifest = await source.manifest(digest);
  if (manifest.kind === 'index') return unwrap(selectPlatform(manifest, platform)).digest;
  return (await selectImage(source, { digest }, platform)).manifest.digest;
}
