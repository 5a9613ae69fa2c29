/** Evidence from a registry (or a layout): what `#oci` finds attached, as items the verifier can judge. */
import type { Digest } from '#base/brand';
import { limits } from '#base/limits';
import { type Attachments, type ImageSource, listAttachments } from '#oci';
import { DSSE_MEDIA_TYPE, SIMPLE_SIGNING_MEDIA_TYPE } from '#verify';
import type { AttachedItem } from './item.ts';
import type { ImageEvidenceSource, ImageLocation } from './judge.ts';

/** Where signatures of a repository are read: usually the repository itself, and one of COSIGN_REPOSITORY. */
export type PlacesOf = (image: ImageLocation) => readonly ImageSource[];

/** Reads what is attached to `digest` in all the places. */
export type ReadAttachments = (places: readonly ImageSource[], digest: Digest) => Promise<Attachments>;

/** Signatures and attestations; an SBOM without a signature is no evidence. */
export const readEvidence: ReadAttachments = (places, digest) =>
  listAttachments(places, digest, { suffixes: ['sig', 'att'] });

/** The same for admission, which parses what strangers push between one Pod and the next. */
export const readBoundedEvidence: ReadAttachments = (places, digest) =>
  listAttachments(places, digest, { suffixes: ['sig', 'att'], bytesMax: limits.admissionAttachmentBytes });

/**
 * The same for whoever asks several questions about an image: it is read once. To be made for one command, since
 * what it has read it never reads again.
 */
export function readingOnce(read: ReadAttachments = readEvidence): ReadAttachments {
  const started = new Map<string, Promise<Attachments>>();
  return (places, digest) => {
    const key = `${places.map(({ name }) => name).join(' ')}@${digest}`;
    const known = started.get(key) ?? read(places, digest);
    started.set(key, known);
    return known;
  };
}

export function registryEvidence(
  placesOf: PlacesOf,
  read: ReadAttachments = readEvidence,
): ImageEvidenceSource {
  return { attached: async (image) => attachedItems(await read(placesOf(image), image.digest)) };
}

/** Both layouts, nothing left out: what could not be read is an item too. */
export function attachedItems(found: Attachments): AttachedItem[] {
  const bundles = found.bundles.map(
    (bundle): AttachedItem => ({ kind: 'bundle', name: bundle.from, bytes: bundle.bytes }),
  );
  const signatures = found.legacySignatures.map(
    (signature): AttachedItem => ({
      kind: 'legacy',
      name: signature.from,
      mediaType: SIMPLE_SIGNING_MEDIA_TYPE,
      bytes: signature.payload,
      annotations: Object.fromEntries(signature.layer.annotations),
    }),
  );
  const attestations = found.legacyAttestations.map(
    (attestation): AttachedItem => ({
      kind: 'legacy',
      name: attestation.from,
      mediaType: DSSE_MEDIA_TYPE,
      bytes: attestation.envelope,
      annotations: Object.fromEntries(attestation.layer.annotations),
    }),
  );
  const unreadable = found.problems.map(
    (problem): AttachedItem => ({
      kind: 'unreadable',
      name: problem.from,
      reason: problem.reason,
      bytes: new Uint8Array(),
    }),
  );
  return [...bundles, ...signatures, ...attestations, ...unreadable];
}
