/** The one form the verifier judges, whatever container the signature came in. */
import type { MessageDigest, ParsedBundle } from '#formats/bundle';
import { type Envelope, pae } from '#formats/dsse';
import type { Sct } from '#formats/sct';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import type { Certificate } from '#formats/x509';
import { type Hashed, hashed } from './hashed.ts';

export type EntityContent =
  | { readonly kind: 'message'; readonly digest?: MessageDigest }
  | { readonly kind: 'dsse'; readonly envelope: Envelope }
  | { readonly kind: 'simpleSigning'; readonly payload: Uint8Array };

export interface SignedEntity {
  readonly material:
    | {
        readonly kind: 'certificate';
        readonly certificate: Certificate;
        /** A stamp of a CT log that came beside a certificate without one. */
        readonly sct?: Sct;
      }
    | { readonly kind: 'publicKey'; readonly hint: string };
  readonly entries: readonly TransparencyLogEntry[];
  /** DER TimeStampResp. */
  readonly timestamps: readonly Uint8Array[];
  readonly signature: Uint8Array;
  readonly content: EntityContent;
  /**
   * Legacy attestations: the envelope's JSON as stored. Its hash is what old log entries record and what old
   * timestamps cover.
   */
  readonly envelopeBytes?: Uint8Array;
}

export function entityOf(bundle: ParsedBundle): SignedEntity {
  const { content, material } = bundle;
  const common = { entries: bundle.tlogEntries, timestamps: bundle.timestamps, material };
  if (content.kind === 'message') {
    const digest = content.digest === undefined ? {} : { digest: content.digest };
    return { ...common, signature: content.signature, content: { kind: 'message', ...digest } };
  }
  const { envelope } = content;
  // parseBundle admits exactly one signature; an empty one verifies nothing.
  const signature = envelope.signatures[0]?.sig ?? new Uint8Array();
  return { ...common, signature, content: { kind: 'dsse', envelope } };
}

/** The bytes the signature is over. */
export function signedBytes(entity: SignedEntity, artifact: Hashed): Hashed {
  const { content } = entity;
  switch (content.kind) {
    case 'message':
      return artifact;
    case 'dsse':
      return hashed(pae(content.envelope.payloadType, content.envelope.payload));
    case 'simpleSigning':
      return hashed(content.payload);
  }
}
