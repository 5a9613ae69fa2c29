/** Verdicts. Only this room can make an accepted one, and only from evidence. */
import type { Reason } from '#base/reason';
import type { NonEmpty } from '#base/result';
import type { Statement } from '#formats/intoto';
import type { Certificate, FulcioClaims, San } from '#formats/x509';
import type { Requirements } from './requirements.ts';
import type { SimpleSigning } from './simple-signing.ts';

declare const proven: unique symbol;

/** Rejected: the evidence does not hold. Unavailable: it could not be judged; never a reason to accept. */
export type Verdict =
  | Accepted
  | { readonly outcome: 'rejected'; readonly reason: Reason }
  | { readonly outcome: 'unavailable'; readonly cause: Reason };

export interface Accepted {
  readonly outcome: 'accepted';
  readonly evidence: NonEmpty<Evidence>;
  /** Requirements that were given up by the caller. */
  readonly degraded: readonly (keyof Requirements)[];
  readonly signer: VerifiedSigner;
  /** The signed statement, where the content is one. */
  readonly statement?: Statement;
  /** The signed document of a legacy image signature. */
  readonly simpleSigning?: SimpleSigning;
  /** Every trusted time; the certificate was valid at all of them. */
  readonly times: readonly ObservedTime[];
  /** What was set aside without harm: timestamps that failed, entries of unknown logs. */
  readonly notes: readonly Reason[];
  readonly [proven]: true;
}

/** One check that held. */
export interface Evidence {
  /** The requirement it meets; `signature` and `certificate` are always demanded. */
  readonly requirement: keyof Requirements | 'signature' | 'certificate';
  /** For people. */
  readonly summary: string;
  readonly details: Readonly<Record<string, string | number>>;
}

export type VerifiedSigner =
  | {
      readonly kind: 'certificate';
      readonly issuer: string;
      readonly san: San;
      readonly claims: FulcioClaims;
      readonly certificate: Certificate;
    }
  | { readonly kind: 'key'; readonly spki: Uint8Array };

export interface ObservedTime {
  readonly kind: 'timestamp' | 'integrated' | 'current';
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Who says so; times of one operator count once. */
  readonly operator: string;
}

export type AcceptedParts = Omit<Accepted, 'outcome' | typeof proven>;

export function accepted(parts: AcceptedParts): Verdict {
  return { outcome: 'accepted', ...parts } as Accepted;
}
export const rejected = (reason: Reason): Verdict => ({ outcome: 'rejected', reason });
export const unavailable = (cause: Reason): Verdict => ({ outcome: 'unavailable', cause });
