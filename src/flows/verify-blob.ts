/**
 * Use case: is there a good signature, or attestation, over a file? One signed document, read from a Sigstore
 * bundle or from cosign's older local bundle, is judged against the bytes or against their digest alone.
 */
import type { Digest } from '#base/brand';
import { fromBase64, toBase64, utf8Text } from '#base/bytes';
import { defaultHash, type HashName } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { parseBundle } from '#formats/bundle';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { isJsonObject, type JsonObject, own, parseJson, reader } from '#formats/json';
import {
  type Accepted,
  DSSE_MEDIA_TYPE,
  entityOf,
  legacyAnnotations,
  parseLegacyLayer,
  type Requirements,
  SIMPLE_SIGNING_MEDIA_TYPE,
  type SignedEntity,
  type TrustMaterial,
  verifyEntity,
} from '#verify';
import { R } from './verify-reasons.ts';

export interface VerifyBlobQuestion {
  /** A signature over the bytes, or a statement about them. */
  readonly kind: 'signature' | 'attestation';
  /** The bytes, or the digest that is known of them. */
  readonly artifact: Uint8Array | Digest;
  readonly signed: SignedEntity;
  readonly requirements: Requirements;
  readonly material: TrustMaterial;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Count any statement as a signature, as cosign does. */
  readonly anyPredicate?: boolean;
}

/** Throws WB-911, WB-912 when the document is of the other kind, the verifier's reason, or its cause. */
export function verifyBlob(question: VerifyBlobQuestion): Accepted {
  const { artifact, signed: entity, requirements, material: trustedRoot, now } = question;
  const isMessage = entity.content.kind !== 'dsse';
  if (question.kind === 'attestation' && isMessage) {
    throw fail(R.blobAttestation, { expected: 'a statement about the file', actual: 'a bare signature' });
  }
  const verdict = verifyEntity({ artifact, entity, requirements, trustedRoot, now });
  if (verdict.outcome === 'rejected') throw new WaybillError(verdict.reason);
  if (verdict.outcome === 'unavailable') throw new WaybillError(verdict.cause);
  const type = verdict.statement?.predicateType;
  if (question.kind === 'signature' && type !== undefined && question.anyPredicate !== true) {
    if (type !== COSIGN_SIGN_V1) {
      throw fail(R.blobSignature, { expected: 'a signature over the file', actual: `a statement ${type}` });
    }
  }
  return verdict;
}

/**
 * Reads a signed document: a Sigstore bundle, or the JSON that `cosign sign-blob --bundle` wrote before version 3.
 * `signedWith` says how it will be verified. Fails with WB-913, a bundle's or a format's reason.
 */
export function readSignedBlob(bytes: Uint8Array, signedWith: 'certificate' | 'key'): Result<SignedEntity> {
  const json = parseJson(bytes, { maxBytes: limits.bundleBytes });
  if (json.ok && isJsonObject(json.value) && own(json.value, 'base64Signature') !== undefined) {
    return localBundle(json.value, signedWith);
  }
  const bundle = parseBundle(bytes);
  return bundle.ok ? { ok: true, value: entityOf(bundle.value) } : bundle;
}

/** `{base64Signature, cert: base64 PEM, rekorBundle}`: the pieces of a legacy layer under other names. */
function localBundle(value: JsonObject, signedWith: 'certificate' | 'key'): Result<SignedEntity> {
  return attempt(() => {
    const json = reader(value, 'bundle', { as: R.localBundle });
    const cert = json.optionalString('cert') ?? '';
    const entry = json.optionalChild('rekorBundle');
    return unwrap(
      signedParts(
        {
          signature: json.text('base64Signature'),
          ...(cert === '' ? {} : { certificate: pemOf(cert) }),
          ...(entry === undefined ? {} : { entry: JSON.stringify(entry.object) }),
        },
        signedWith,
      ),
    );
  });
}

/** With a key, the member that holds a certificate otherwise holds the public key: nothing to judge by. */
function pemOf(cert: string): string {
  const decoded = cert.includes('-----BEGIN') ? undefined : attempt(() => utf8Text(fromBase64(cert.trim())));
  return decoded === undefined ? cert : unwrap(decoded);
}

/** A signature in pieces: what cosign takes as `--signature`, `--certificate`, `--rfc3161-timestamp`. */
export interface SignedParts {
  /** base64 of the signature; or of a DSSE envelope. */
  readonly signature: string;
  /** PEM. */
  readonly certificate?: string;
  /** JSON with SignedEntryTimestamp and Payload. */
  readonly entry?: string;
  /** JSON with SignedRFC3161Timestamp. */
  readonly timestamp?: string;
}

/**
 * The hash the artifact will be asked for when only its digest is known: what the signer states beside the
 * signature, else the usual one of the key.
 */
export function blobHash(signed: SignedEntity, { signer }: Requirements): HashName {
  const { content, material } = signed;
  if (content.kind === 'message' && content.digest !== undefined) return content.digest.algorithm;
  if (content.kind === 'dsse') return 'sha256';
  if (signer.kind === 'key') return defaultHash(signer.key.kind);
  return material.kind === 'certificate' ? defaultHash(material.certificate.publicKey.kind) : 'sha256';
}

/** Fails with WB-380, WB-155 or a format reason. */
export function signedParts(parts: SignedParts, signedWith: 'certificate' | 'key'): Result<SignedEntity> {
  const { certificate, entry, timestamp } = parts;
  const annotations = {
    ...(certificate?.includes('BEGIN CERTIFICATE') === true
      ? { [legacyAnnotations.certificate]: certificate }
      : {}),
    ...(entry === undefined ? {} : { [legacyAnnotations.bundle]: entry }),
    ...(timestamp === undefined ? {} : { [legacyAnnotations.timestamp]: timestamp }),
  };
  const envelope = attempt(() => fromBase64(parts.signature));
  if (envelope.ok && parseJson(envelope.value, { maxBytes: limits.bundleBytes }).ok) {
    const layer = { mediaType: DSSE_MEDIA_TYPE, payload: envelope.value, annotations };
    return parseLegacyLayer(layer, signedWith);
  }
  const entity = parseLegacyLayer(
    {
      mediaType: SIMPLE_SIGNING_MEDIA_TYPE,
      payload: new Uint8Array(),
      annotations: { ...annotations, [legacyAnnotations.signature]: parts.signature },
    },
    signedWith,
  );
  // The signed bytes are the file's own, not a document about an image.
  return entity.ok ? { ok: true, value: { ...entity.value, content: { kind: 'message' } } } : entity;
}

/** A signature file holds base64 text, or the bytes themselves. */
export function signatureText(bytes: Uint8Array): string {
  const text = attempt(() => utf8Text(bytes).trim());
  return text.ok && attempt(() => fromBase64(text.value)).ok ? text.value : toBase64(bytes);
}
