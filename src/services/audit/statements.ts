/**
 * What a signed object says about an image, and under which hashes a log knows it. A log entry holds only a
 * hash: of the DSSE payload (Rekor v1 `dsse`), of its pre-authentication encoding (v2 `hashedrekord`), or of
 * a simple-signing payload. The join from image digest to entry goes through the signed bytes themselves, so
 * whoever gets the answer can repeat it.
 */
import { utf8 } from '#base/bytes';
import { digestOf } from '#base/digest';
import { attempt, type Result } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { type Envelope, INTOTO_PAYLOAD_TYPE, pae, parseEnvelope } from '#formats/dsse';
import { parseStatement } from '#formats/intoto';
import { isJsonObject, own, parseJson } from '#formats/json';

export interface SignedClaim {
  readonly kind: 'statement' | 'simple-signing';
  /** The bytes that were signed over or wrapped: DSSE payload or simple-signing JSON. */
  readonly payload: Uint8Array;
  readonly payloadType: string;
  /** `sha256:<hex>` hashes under which a log may hold it. */
  readonly loggedAs: readonly string[];
  /** Image digests it speaks about, `sha256:<hex>`. */
  readonly subjects: readonly string[];
  readonly predicateType: string;
}

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** The claim in an attached blob, or undefined when the blob is of another kind or does not parse. */
export function claimOf(mediaType: string, blob: Uint8Array): SignedClaim | undefined {
  if (mediaType.startsWith('application/vnd.dev.sigstore.bundle')) {
    const bundle = parseBundle(blob);
    return bundle.ok && bundle.value.content.kind === 'dsse'
      ? fromEnvelope(bundle.value.content.envelope)
      : undefined;
  }
  if (mediaType === 'application/vnd.dsse.envelope.v1+json') {
    const envelope = parseEnvelope(blob);
    return envelope.ok ? fromEnvelope(envelope.value) : undefined;
  }
  if (mediaType === SIMPLE_SIGNING) {
    const claim = fromSimpleSigning(blob);
    return claim.ok ? claim.value : undefined;
  }
  return undefined;
}

/** The claim of a DSSE envelope with an in-toto statement, or undefined. */
export function fromEnvelope(envelope: Envelope): SignedClaim | undefined {
  if (envelope.payloadType !== INTOTO_PAYLOAD_TYPE) return undefined;
  const statement = parseStatement(envelope.payload);
  if (!statement.ok) return undefined;
  const subjects = statement.value.subject.flatMap((subject) =>
    subject.digest['sha256'] === undefined ? [] : [`sha256:${subject.digest['sha256']}`],
  );
  return {
    kind: 'statement',
    payload: envelope.payload,
    payloadType: envelope.payloadType,
    loggedAs: [digestOf(envelope.payload), digestOf(pae(envelope.payloadType, envelope.payload))],
    subjects,
    predicateType: statement.value.predicateType,
  };
}

function fromSimpleSigning(blob: Uint8Array): Result<SignedClaim | undefined> {
  return attempt(() => {
    const parsed = parseJson(blob);
    if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
    const critical = own(parsed.value, 'critical');
    const image = isJsonObject(critical) ? own(critical, 'image') : undefined;
    // The field is written in lower case; Go readers fold case, so old writers differ (cosign signature spec).
    const digest = isJsonObject(image)
      ? Object.entries(image).find(([key]) => key.toLowerCase() === 'docker-manifest-digest')?.[1]
      : undefined;
    if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined;
    return {
      kind: 'simple-signing',
      payload: blob,
      payloadType: SIMPLE_SIGNING,
      loggedAs: [digestOf(blob)],
      subjects: [digest],
      predicateType: SIMPLE_SIGNING,
    };
  });
}

/** For tests and tools: the claim of a simple-signing payload given as text. */
export const simpleSigningClaim = (text: string): SignedClaim | undefined =>
  claimOf(SIMPLE_SIGNING, utf8(text));
