/**
 * What a signed object says about an image, and under which hashes a log knows it. A log entry holds only a
 * hash: of the DSSE payload (Rekor v1 `dsse`), of its pre-authentication encoding (v2 `hashedrekord`), or of
 * a simple-signing payload. The join from image digest to entry goes through the signed bytes themselves, so
 * whoever gets the answer can repeat it.
 */
import type { Digest } from '#base/brand';
import type { HashName } from '#base/crypto';
import { digestOf, parseDigest } from '#base/digest';
import { parseBundle } from '#formats/bundle';
import { type Envelope, INTOTO_PAYLOAD_TYPE, pae, parseEnvelope } from '#formats/dsse';
import { parseStatement } from '#formats/intoto';
import { DSSE_MEDIA_TYPE, parseSimpleSigning, SIMPLE_SIGNING_MEDIA_TYPE } from '#verify';

export interface SignedClaim {
  /** The bytes that were signed over or wrapped: DSSE payload or simple-signing JSON. */
  readonly payload: Uint8Array;
  readonly payloadType: string;
  /** Hashes under which a log may hold it; the first is the SHA-256 of the payload. */
  readonly loggedAs: readonly [Digest, ...Digest[]];
  /** Image digests it speaks about. */
  readonly subjects: readonly Digest[];
  readonly predicateType: string;
}

const BUNDLE_TYPE_PREFIX = 'application/vnd.dev.sigstore.bundle';

/** Whether blobs of this media type can hold a claim. */
export const isClaimType = (mediaType: string): boolean =>
  mediaType.startsWith(BUNDLE_TYPE_PREFIX) ||
  mediaType === DSSE_MEDIA_TYPE ||
  mediaType === SIMPLE_SIGNING_MEDIA_TYPE;

/** The claim in an attached blob, or undefined when the blob is of another kind or does not parse. */
export function claimOf(mediaType: string, blob: Uint8Array): SignedClaim | undefined {
  if (mediaType.startsWith(BUNDLE_TYPE_PREFIX)) {
    const bundle = parseBundle(blob);
    return bundle.ok && bundle.value.content.kind === 'dsse'
      ? fromEnvelope(bundle.value.content.envelope)
      : undefined;
  }
  if (mediaType === DSSE_MEDIA_TYPE) {
    const envelope = parseEnvelope(blob);
    return envelope.ok ? fromEnvelope(envelope.value) : undefined;
  }
  return mediaType === SIMPLE_SIGNING_MEDIA_TYPE ? fromSimpleSigning(blob) : undefined;
}

/** The claim of a DSSE envelope with an in-toto statement, or undefined. */
export function fromEnvelope(envelope: Pick<Envelope, 'payload' | 'payloadType'>): SignedClaim | undefined {
  const { payload, payloadType } = envelope;
  if (payloadType !== INTOTO_PAYLOAD_TYPE) return undefined;
  const statement = parseStatement(payload);
  if (!statement.ok) return undefined;
  const subjects = statement.value.subject.flatMap((subject) =>
    Object.entries(subject.digest).flatMap(([algorithm, value]) => {
      const digest = parseDigest(`${algorithm}:${value}`);
      return digest.ok ? [digest.value] : [];
    }),
  );
  return {
    payload,
    payloadType,
    loggedAs: [digestOf(payload), ...hashesOf(pae(payloadType, payload))],
    subjects: [...new Set(subjects)],
    predicateType: statement.value.predicateType,
  };
}

function fromSimpleSigning(payload: Uint8Array): SignedClaim | undefined {
  const parsed = parseSimpleSigning(payload);
  if (!parsed.ok) return undefined;
  const type = SIMPLE_SIGNING_MEDIA_TYPE;
  return {
    payload,
    payloadType: type,
    loggedAs: [digestOf(payload), digestOf(payload, 'sha384'), digestOf(payload, 'sha512')],
    subjects: [parsed.value.digest],
    predicateType: type,
  };
}

/** P-384 keys are logged with SHA-384, P-521 and Ed25519ph with SHA-512. */
const hashNames: readonly HashName[] = ['sha256', 'sha384', 'sha512'];
const hashesOf = (bytes: Uint8Array): Digest[] => hashNames.map((name) => digestOf(bytes, name));
