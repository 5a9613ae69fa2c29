/** One attached signature or attestation: parsed once, asked often. */
import type { Digest } from '#base/brand';
import type { Reason } from '#base/reason';
import type { Result } from '#base/result';
import { parseBundle } from '#formats/bundle';
import type { Envelope } from '#formats/dsse';
import { COSIGN_SIGN_V1, parseStatement } from '#formats/intoto';
import {
  legacyAnnotations,
  parseLegacyLayer,
  type Requirements,
  SIMPLE_SIGNING_MEDIA_TYPE,
  type SignedEntity,
  type TrustMaterial,
  type Verdict,
  verifyBundle,
  verifyEntity,
} from '#verify';

/** What lies in the registry beside an image. `name` says where, for messages. */
export type AttachedItem =
  | { readonly kind: 'bundle'; readonly name: string; readonly bytes: Uint8Array }
  | {
      readonly kind: 'legacy';
      readonly name: string;
      readonly mediaType: string;
      /** The layer: a simple-signing payload or the envelope of an attestation. */
      readonly bytes: Uint8Array;
      readonly annotations: Readonly<Record<string, string>>;
    }
  | {
      /** Found but not read: a registry in trouble is unavailable, anything else is refused evidence. */
      readonly kind: 'unreadable';
      readonly name: string;
      readonly reason: Reason;
      readonly bytes: Uint8Array;
    };

export interface Question {
  readonly artifact: Digest;
  readonly trustedRoot: TrustMaterial;
  readonly requirements: Requirements;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface PreparedItem {
  /** What the content says it is, before anything is verified; undefined when it does not say. */
  readonly claimedType: string | undefined;
  judge(question: Question): Verdict;
}

export function prepareItem(item: AttachedItem): PreparedItem {
  if (item.kind === 'bundle') return prepareBundle(item);
  if (item.kind === 'legacy') return prepareLegacy(item);
  if (item.reason.side !== 'environment') return refusing(item, item.reason);
  return { claimedType: undefined, judge: () => ({ outcome: 'unavailable', cause: item.reason }) };
}

function prepareBundle(item: Extract<AttachedItem, { kind: 'bundle' }>): PreparedItem {
  const bundle = parseBundle(item.bytes);
  if (!bundle.ok) return refusing(item, bundle.error);
  const { content } = bundle.value;
  return {
    claimedType: content.kind === 'dsse' ? typeOf(content.envelope) : undefined,
    judge: (question) => verifyBundle({ ...question, bundle: bundle.value }),
  };
}

/**
 * With a key, a certificate beside the signature is ignored; so the layer can be read in two ways. Each is done when
 * it is first asked for: an envelope may be large, and nobody has signed for it yet.
 */
function prepareLegacy(item: Extract<AttachedItem, { kind: 'legacy' }>): PreparedItem {
  const layer = { mediaType: item.mediaType, payload: item.bytes, annotations: item.annotations };
  const done: { certificate?: Result<SignedEntity>; key?: Result<SignedEntity> } = {};
  const readAs = (signer: 'certificate' | 'key'): Result<SignedEntity> =>
    (done[signer] ??= parseLegacyLayer(layer, signer));
  const hasCertificate = (item.annotations[legacyAnnotations.certificate] ?? '') !== '';
  const likely = readAs(hasCertificate ? 'certificate' : 'key');
  return {
    claimedType: claimedTypeOf(item.mediaType, likely.ok ? likely : readAs('key')),
    judge: (question) => {
      const entity = readAs(question.requirements.signer.kind === 'key' ? 'key' : 'certificate');
      return entity.ok
        ? verifyEntity({ ...question, entity: entity.value })
        : refusing(item, entity.error).judge(question);
    },
  };
}

function claimedTypeOf(mediaType: string, entity: Result<SignedEntity>): string | undefined {
  if (mediaType === SIMPLE_SIGNING_MEDIA_TYPE) return COSIGN_SIGN_V1;
  return entity.ok && entity.value.content.kind === 'dsse'
    ? typeOf(entity.value.content.envelope)
    : undefined;
}

function typeOf(envelope: Envelope): string | undefined {
  const statement = parseStatement(envelope.payload);
  return statement.ok ? statement.value.predicateType : undefined;
}

function refusing(item: AttachedItem, why: Reason): PreparedItem {
  const reason: Reason = { ...why, actual: `${item.name}: ${why.actual}` };
  return { claimedType: undefined, judge: () => ({ outcome: 'rejected', reason }) };
}

/** An item that says it is of another type than asked can only be rejected; leaving it out names the nearest. */
export function concerns(item: PreparedItem, requirements: Requirements): boolean {
  const { predicate } = requirements;
  return (
    predicate.kind === 'any' || item.claimedType === undefined || predicate.types.includes(item.claimedType)
  );
}
