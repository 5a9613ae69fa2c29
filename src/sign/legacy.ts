/** What cosign's legacy layout keeps in annotations beside the payload (SIGNATURE_SPEC.md; see `#oci`). */
import { toBase64, toHex, utf8 } from '#base/bytes';
import type { TransparencyLogEntry } from '#formats/bundle';
import { envelopeJson } from '#formats/dsse';
import { pemEncode } from '#formats/pem';
import type { Signed } from './content.ts';
import type { Credential } from './credential.ts';

export interface LegacyPieces {
  /** `dev.cosignproject.cosign/signature`: base64; empty for attestations, whose envelope carries it. */
  readonly signature: string;
  /** `dev.sigstore.cosign/certificate`: PEM of the leaf. */
  readonly certificate?: string;
  /** `dev.sigstore.cosign/chain`: PEM of the issuers, lowest first. */
  readonly chain?: string;
  /** `dev.sigstore.cosign/bundle`: JSON; only entries of Rekor v1 have the promise it needs. */
  readonly bundle?: string;
  /** `dev.sigstore.cosign/rfc3161timestamp`: JSON; for signatures only. */
  readonly timestamp?: string;
  /** The layer of an attestation: the envelope as it was logged, byte for byte. */
  readonly envelope?: Uint8Array;
}

export function legacyPieces(
  by: Credential,
  signed: Signed,
  entries: readonly TransparencyLogEntry[],
  timestamps: readonly Uint8Array[],
): LegacyPieces {
  const { envelope, signature } = signed;
  const promised = entries.find((entry) => entry.inclusionPromise !== undefined);
  const [timestamp] = timestamps;
  return {
    signature: envelope === undefined ? toBase64(signature) : '',
    ...(by.certificate === undefined
      ? {}
      : {
          certificate: by.verifierPem,
          chain: by.issuers.map(({ der }) => pemEncode('CERTIFICATE', der)).join(''),
        }),
    ...(promised === undefined ? {} : { bundle: rekorBundle(promised) }),
    // Old readers expect the timestamp of an attestation over the whole envelope, not over the signature.
    ...(timestamp === undefined || envelope !== undefined
      ? {}
      : { timestamp: JSON.stringify({ SignedRFC3161Timestamp: toBase64(timestamp) }) }),
    ...(envelope === undefined ? {} : { envelope: utf8(envelopeJson(envelope)) }),
  };
}

/** What cosign's annotation holds of an entry with a promise. */
export function rekorBundle(entry: TransparencyLogEntry): string {
  return JSON.stringify({
    SignedEntryTimestamp: toBase64(entry.inclusionPromise as Uint8Array),
    Payload: {
      body: toBase64(entry.canonicalizedBody),
      integratedTime: entry.integratedTime,
      logIndex: entry.logIndex,
      logID: toHex(entry.logId),
    },
  });
}
