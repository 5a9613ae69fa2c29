/**
 * Documents that are put together around a signature. What is to be signed is apart from putting together, because
 * the key may be in this process or out of its reach.
 */
import type { Der } from '#base/brand';
import type { HashName, KeyHolder, Signer } from '#base/crypto';

export interface Draft {
  readonly toBeSigned: Uint8Array;
  /** Hash of the signature. */
  readonly hash: HashName;
  assemble(signature: Uint8Array): Der;
}

export function signDraft(draft: Draft, signer: Signer): Der {
  return draft.assemble(signer.sign(draft.toBeSigned, draft.hash));
}

/** Rejects as the holder does. */
export async function signDraftBy(draft: Draft, holder: KeyHolder): Promise<Der> {
  return draft.assemble(await holder.sign(draft.toBeSigned, draft.hash));
}
