/** Use case: attach a signed in-toto statement about an image, in one layout or both. */
import { STATEMENT_V1, statementBytes } from '#formats/intoto';
import type { Descriptor } from '#formats/oci';
import { repositoryText } from '#formats/reference';
import { attachBundle, attachLegacyAttestation, attachmentPlaces, type LegacyOptions } from '#oci';
import type { SignResult } from '#sign';
import type { Predicate } from './predicate.ts';
import {
  digestSet,
  legacyMaterial,
  registryReference,
  requirePromise,
  type SignatureFormat,
  type SignImageDeps,
  type SignImageOptions,
  signStatement,
} from './sign-image.ts';

export interface AttestedImage {
  readonly given: string;
  readonly pinned: string;
  readonly predicateType: string;
  /** Digest of the bundle's manifest and the legacy tag, as written. */
  readonly attached: readonly string[];
  readonly result: SignResult;
}

export interface AttestOptions extends Pick<SignImageOptions, 'upload'> {
  /** Of the legacy layout; `replaces`: instead of those of the same predicate type. */
  readonly legacy?: LegacyOptions & { readonly replaces?: boolean };
}

export async function attestImage(
  given: string,
  predicate: Predicate,
  format: SignatureFormat,
  deps: SignImageDeps,
  options: AttestOptions = {},
): Promise<AttestedImage> {
  const reference = registryReference(given);
  const { descriptor } = await deps.registry.resolve(reference);
  const repository = repositoryText(reference);
  const statement = statementBytes({
    type: STATEMENT_V1,
    subject: [{ name: repository, digest: digestSet(descriptor.digest) }],
    predicateType: predicate.type,
    predicate: predicate.value,
  });
  const result = await signStatement(statement, descriptor, deps);
  const place = attachmentPlaces(deps.registry, reference, deps.cosignRepository).write;
  const attached =
    options.upload === false
      ? []
      : await attach(place, descriptor, predicate.type, result, format, deps.clock.now(), options);
  return {
    given,
    pinned: `${repository}@${descriptor.digest}`,
    predicateType: predicate.type,
    attached,
    result,
  };
}

/** One signature, one log entry, in each layout asked for. */
async function attach(
  place: ReturnType<typeof attachmentPlaces>['write'],
  target: Descriptor,
  predicateType: string,
  result: SignResult,
  format: SignatureFormat,
  createdMs: number,
  { legacy }: AttestOptions,
): Promise<string[]> {
  const attached: string[] = [];
  // Before anything is written: a half-attached statement would be reported as done.
  if (format !== 'bundle') requirePromise(result);
  if (format !== 'legacy') {
    const written = await attachBundle(place, target, result.bundle, { predicateType, createdMs });
    attached.push(`${place.name}@${written.manifest.digest}`);
  }
  if (format !== 'bundle') {
    const envelope = result.legacy.envelope as Uint8Array;
    const material = { ...legacyMaterial(result.legacy), predicateType };
    const written = await attachLegacyAttestation(place, target.digest, envelope, material, legacy);
    attached.push(`${place.name}:${written.tag ?? ''}`);
  }
  return attached;
}
