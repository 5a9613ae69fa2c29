/** Content → signature: what bytes are signed, and how a bundle carries them. */
import { defaultHash, hash, type Signer } from '#base/crypto';
import type { BundleContent } from '#formats/bundle';
import { type Envelope, pae } from '#formats/dsse';

/** What is signed. */
export type SignContent =
  | { readonly kind: 'dsse'; readonly payloadType: string; readonly payload: Uint8Array }
  | { readonly kind: 'message'; readonly bytes: Uint8Array };

export interface Signed {
  readonly signature: Uint8Array;
  readonly envelope?: Envelope;
  readonly content: BundleContent;
}

export function signContent(
  content: SignContent,
  signer: Signer,
): Signed & { readonly signedBytes: Uint8Array } {
  if (content.kind === 'message') {
    const signature = signer.sign(content.bytes);
    const algorithm = defaultHash(signer.publicKey.kind);
    const digest = { algorithm, value: hash(algorithm, content.bytes) };
    return { signedBytes: content.bytes, signature, content: { kind: 'message', digest, signature } };
  }
  const { payloadType, payload } = content;
  const signedBytes = pae(payloadType, payload);
  const signature = signer.sign(signedBytes);
  const envelope = { payloadType, payload, signatures: [{ sig: signature }] };
  return { signedBytes, signature, envelope, content: { kind: 'dsse', envelope } };
}
