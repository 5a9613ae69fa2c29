/** Which image was this one built on, is it really in there, and who signed it? */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { fail, WaybillError } from '#base/reason';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import type { Platform } from '#formats/oci';
import { parsePinned, parseReference, pinnedText, repositoryText } from '#formats/reference';
import { type ImageSource, imageConfig, type Registry, selectImage } from '#oci';
import type { Provenance } from '#provenance';
import type { CheckExpectations } from './check-expectations.ts';
import { CheckFailure, countText, type Found, notAsked, signedText } from './check-item.ts';
import { R } from './check-reasons.ts';
import { type VerifyImageDeps, verifyImage } from './verify-image.ts';

export interface BaseQuestion {
  readonly source: ImageSource;
  readonly digest: Digest;
  readonly platform?: Platform;
  /** Verified provenance of the image; empty when there is none. */
  readonly provenance: readonly Provenance[];
  /** Why provenance could not be read. */
  readonly trouble?: WaybillError;
  /** Where a reference is read, when that is not where it points. */
  readonly place: (reference: string) => string;
}

interface Claim {
  /** `registry/repository@digest`. */
  readonly pinned: string;
  readonly from: string;
}

/** Throws WB-931, WB-933, WB-934 and what the verifier says of the base's signatures. */
export async function checkBase(
  expected: CheckExpectations['base'],
  question: BaseQuestion,
  deps: VerifyImageDeps,
): Promise<Found> {
  const { manifest } = await selectImage(question.source, { digest: question.digest }, question.platform);
  const claims = [
    ...profileClaims(expected.image),
    ...provenanceClaims(question.provenance),
    ...annotationClaims(manifest.annotations),
  ];
  const [claim] = claims;
  if (claim === undefined && question.trouble !== undefined) throw question.trouble;
  if (expected.isScratch) return onScratch(claim);
  if (claim === undefined) {
    const actual = 'nothing in the profile, in provenance or in the annotations';
    throw fail(R.baseUnknown, { expected: 'the base image, by digest', actual });
  }
  const digest = digestOf(claim.pinned);
  const other = claims.find(({ pinned }) => digestOf(pinned) !== digest);
  if (other !== undefined) {
    const actual = `${other.pinned} (${other.from})`;
    throw fail(R.baseUnknown, { expected: `${claim.pinned} (${claim.from})`, actual });
  }
  const named = `${claim.pinned}, according to ${claims.map(({ from }) => from).join(' and ')}`;
  const layers = await requireLayers(claim, manifest, question, deps.registry);
  if (expected.signature === undefined)
    throw new CheckFailure(notAsked('who signs the base image'), [named, layers]);
  try {
    const requirements = expected.signature([COSIGN_SIGN_V1]);
    const verified = await verifyImage(
      question.place(claim.pinned),
      { kind: 'signature', requirements },
      deps,
    );
    return { evidence: [named, layers, signedText(verified.accepted[0])], value: undefined };
  } catch (error) {
    if (error instanceof WaybillError) throw new CheckFailure(error, [named, layers]);
    throw error;
  }
}

function onScratch(claim: Claim | undefined): Found {
  if (claim === undefined) return { evidence: ['built on nothing, as the profile says'], value: undefined };
  throw fail(R.baseUnknown, { expected: 'no base image', actual: `${claim.pinned} (${claim.from})` });
}

const digestOf = (pinned: string): string => pinned.slice(pinned.lastIndexOf('@') + 1);

function profileClaims(image: string | undefined): Claim[] {
  if (image === undefined) return [];
  const pinned = parsePinned(image);
  if (pinned.ok) return [{ pinned: pinnedText(pinned.value, pinned.value.digest), from: 'the profile' }];
  throw fail(R.baseUnknown, { expected: 'base.image by digest', actual: image });
}

/** Our own builder names the base among the dependencies it resolved. */
function provenanceClaims(provenance: readonly Provenance[]): Claim[] {
  for (const { dependencies } of provenance) {
    const base = dependencies.find(({ name }) => name === 'base');
    const pinned = parsePinned(base?.uri?.replace(/^pkg:oci\//, '') ?? '');
    if (!pinned.ok || base?.digest?.['sha256'] !== digestOf(pinned.value.digest).slice('sha256:'.length))
      continue;
    return [{ pinned: pinnedText(pinned.value, pinned.value.digest), from: 'provenance' }];
  }
  return [];
}

/** image-spec: both are part of the manifest, so whoever signed the image signed them. */
function annotationClaims(annotations: ReadonlyMap<string, string>): Claim[] {
  const name = parseReference(annotations.get('org.opencontainers.image.base.name') ?? '');
  const digest = parseDigest(annotations.get('org.opencontainers.image.base.digest') ?? '');
  return name.ok && digest.ok
    ? [{ pinned: `${repositoryText(name.value)}@${digest.value}`, from: 'annotations' }]
    : [];
}

/** A claim is only a claim: the files of the base have to be there, as its layers, first. */
async function requireLayers(
  { pinned }: Claim,
  manifest: Parameters<typeof imageConfig>[1],
  { source, place }: BaseQuestion,
  registry: Registry,
): Promise<string> {
  const config = await imageConfig(source, manifest);
  const reference = parsePinned(place(pinned));
  if (!reference.ok) throw fail(R.baseUnknown, reference.error);
  const below = registry.repository(reference.value);
  const base = await selectImage(below, { digest: reference.value.digest }, config.platform);
  const { diffIds } = await imageConfig(below, base.manifest);
  const differs = diffIds.findIndex((layer, i) => layer !== config.diffIds[i]);
  if (differs < 0 && diffIds.length > 0)
    return `${countText(diffIds.length, 'layer')} of it, first in the image`;
  throw fail(R.baseLayers, {
    expected: `layer ${differs + 1} to be ${diffIds[differs] ?? 'one of the base'}`,
    actual: config.diffIds[differs] ?? 'none',
  });
}
