/** Content → signature: what bytes are signed, and how a bundle carries them. */
import { defaultHash, type HashName } from '#base/crypto';
import type { BundleContent } from '#formats/bundle';
import { type Envelope, pae } from '#formats/dsse';
import { type ContentKey, signableBytes, signableDigest } from './content-key.ts';

/** What is signed. Of a `digest` the bytes lie elsewhere: its algorithm must be the default hash of the key. */
export type SignContent =
  | { readonly kind: 'dsse'; readonly payloadType: string; readonly payload: Uint8Array }
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  | { readonly kind: 'digest'; readonly algorithm: HashName; readonly value: Uint8Array };

export interface Signed {
  readonly signature: Uint8Array;
  /** Of the message, or of the envelope's pre-authentication encoding. */
  readonly digest: { readonly algorithm: HashName; readonly value: Uint8Array };
  /** Ed25519 only: over the bytes themselves, not over their hash. */
  readonly isPure: boolean;
  readonly envelope?: Envelope;
  readonly content: BundleContent;
}

/**
 * `pureEnvelopes`: Ed25519 signs envelopes over their bytes, as Rekor v1 checks them (kind dsse); a log of
 * version 2 knows a digest alone.
 */
export async function signContent(
  content: SignContent,
  key: ContentKey,
  { pureEnvelopes }: { readonly pureEnvelopes: boolean },
): Promise<Signed> {
  const algorithm = defaultHash(key.publicKey.kind);
  if (content.kind !== 'dsse') {
    const signable =
      content.kind === 'message'
        ? signableBytes(content.bytes)
        : signableDigest(content.algorithm, content.value);
    const digest = { algorithm, value: signable.digest(algorithm) };
    const signature = await key.sign(signable);
    return { signature, digest, isPure: false, content: { kind: 'message', digest, signature } };
  }
  const { payloadType, payload } = content;
  const signable = signableBytes(pae(payloadType, payload));
  const isPure = pureEnvelopes && key.publicKey.kind === 'ed25519';
  const signature = await key.sign(signable, { pure: isPure });
  const envelope = { payloadType, payload, signatures: [{ sig: signature }] };
  const digest = { algorithm, value: signable.digest(algorithm) };
  return { signature, digest, isPure, envelope, content: { kind: 'dsse', envelope } };
}
