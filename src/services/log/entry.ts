/** What a log appends: the canonical body, checked, with the keys it is searched by. */
import type { Envelope } from '#formats/dsse';
import type { SearchKey } from './search-keys.ts';

export interface AcceptedEntry {
  /** Canonical body: the leaf. */
  readonly body: Uint8Array;
  /** Keys that cannot be derived from the body. */
  readonly payloadKeys: readonly SearchKey[];
  /** What was submitted with its payload, signatures checked; the log itself keeps none of it. */
  readonly envelope?: Envelope;
  /** The statement of an intoto entry, which Rekor v1 gives back with the entry. */
  readonly attestation?: Uint8Array;
}
