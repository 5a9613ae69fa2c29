/**
 * Legacy cosign signatures and attestations: a layer with annotations under a `.sig` or `.att` tag becomes the
 * same entity a bundle becomes, so the same checks judge it (cosign pkg/cosign/verify.go).
 */
import { fromBase64 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { parseEnvelope } from '#formats/dsse';
import { parseJson, reader } from '#formats/json';
import { pemDecode } from '#formats/pem';
import { readKindVersion } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { parseCertificate } from '#formats/x509';
import type { SignedEntity } from './entity.ts';
import { R } from './reasons.ts';

export const SIMPLE_SIGNING_MEDIA_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const DSSE_MEDIA_TYPE = 'application/vnd.dsse.envelope.v1+json';

export const legacyAnnotations = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  bundle: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
} as const;

export interface LegacyLayer {
  readonly mediaType: string;
  /** The layer's bytes: the signed payload, or the envelope of an attestation. */
  readonly payload: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Reads a layer. `signedWith` tells how it is going to be verified: with a key, a certificate that lies beside
 * the signature is ignored, as cosign does. The chain annotation is never used: issuers come from the trusted
 * root. Fails with WB-380, WB-155 or a format reason.
 */
export function parseLegacyLayer(
  layer: LegacyLayer,
  signedWith: 'certificate' | 'key' = 'certificate',
): Result<SignedEntity> {
  return attempt(() => {
    const pem = annotation(layer, legacyAnnotations.certificate);
    const common = {
      material: readMaterial(signedWith === 'key' ? undefined : pem),
      entries: readEntries(annotation(layer, legacyAnnotations.bundle)),
      timestamps: readTimestamps(annotation(layer, legacyAnnotations.timestamp)),
    };
    switch (layer.mediaType) {
      case SIMPLE_SIGNING_MEDIA_TYPE: {
        const signature = readSignature(annotation(layer, legacyAnnotations.signature) ?? '');
        return { ...common, signature, content: { kind: 'simpleSigning', payload: layer.payload } };
      }
      case DSSE_MEDIA_TYPE: {
        const envelope = unwrap(parseEnvelope(layer.payload, limits.attachmentBytes));
        const [only, ...more] = envelope.signatures;
        if (only === undefined || more.length > 0) {
          throw malformed('signatures', 'exactly one signature', `${envelope.signatures.length}`);
        }
        const content = { kind: 'dsse', envelope } as const;
        return { ...common, signature: only.sig, content, envelopeBytes: layer.payload };
      }
      default:
        throw malformed('mediaType', `${SIMPLE_SIGNING_MEDIA_TYPE} or ${DSSE_MEDIA_TYPE}`, layer.mediaType);
    }
  });
}

/** An annotation's value; cosign writes empty strings for what is absent. */
function annotation(layer: LegacyLayer, name: string): string | undefined {
  const value = Object.hasOwn(layer.annotations, name) ? layer.annotations[name] : undefined;
  return value === '' ? undefined : value;
}

function malformed(name: string, expected: string, actual: string) {
  return fail(R.legacy, { expected, actual, check: `legacy.${name}` });
}

function readSignature(text: string): Uint8Array {
  const decoded = attempt(() => fromBase64(text));
  if (decoded.ok && decoded.value.length > 0) return decoded.value;
  throw malformed(legacyAnnotations.signature, 'base64 of a signature', JSON.stringify(text.slice(0, 80)));
}

function readMaterial(pem: string | undefined): SignedEntity['material'] {
  if (pem === undefined) return { kind: 'publicKey', hint: '' };
  const [block, ...more] = unwrap(pemDecode(pem, 'CERTIFICATE'));
  if (more.length > 0)
    throw malformed(legacyAnnotations.certificate, 'one certificate', `${more.length + 1}`);
  return { kind: 'certificate', certificate: unwrap(parseCertificate(block.der)) };
}

/** `{"SignedEntryTimestamp", "Payload": {body, integratedTime, logIndex, logID}}`: a promise, no proof. */
function readEntries(text: string | undefined): TransparencyLogEntry[] {
  if (text === undefined) return [];
  const json = reader(unwrap(parseJson(text)), legacyAnnotations.bundle, { as: R.legacy });
  const payload = json.child('Payload');
  const canonicalizedBody = payload.bytes('body');
  return [
    {
      ...readKindVersion(canonicalizedBody),
      logIndex: payload.integer('logIndex'),
      logId: payload.hex('logID'),
      integratedTime: payload.integer('integratedTime'),
      inclusionPromise: json.bytes('SignedEntryTimestamp'),
      canonicalizedBody,
    },
  ];
}

/** `{"SignedRFC3161Timestamp": base64 DER}`. */
function readTimestamps(text: string | undefined): Uint8Array[] {
  if (text === undefined) return [];
  const json = reader(unwrap(parseJson(text)), legacyAnnotations.timestamp, { as: R.legacy });
  return [json.bytes('SignedRFC3161Timestamp')];
}
