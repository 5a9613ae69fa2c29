/** What the image page tells, as data. */
import type { Digest } from '#base/brand';
import type { Reason } from '#base/reason';
import type { Lineage, LineageStep } from '#flows/lineage';
import type { Statement } from '#formats/intoto';
import type { Provenance } from '#provenance';
import type { Evidence, VerifiedSigner } from '#verify';
import type { AdmissionView, SeenImage } from './view.ts';
import type { Naming } from './words.ts';

/** Refused: the evidence is there and does not hold. Unproven: it could not be judged, or says too little. */
export type State = 'verified' | 'refused' | 'unproven';

export interface Signer {
  readonly kind: 'identity' | 'key';
  /** Identity, or fingerprint of the key. */
  readonly name: string;
  readonly issuer?: string;
}

export interface Fact {
  /** Anchor on the page. */
  readonly id: string;
  readonly naming: Naming;
  readonly state: State;
  readonly reason?: Reason;
  /** Why what it says does not follow, although its signature holds. */
  readonly doubt?: string;
  readonly repository: string;
  /** Where it lies. */
  readonly from: string;
  readonly layout: string;
  readonly signer?: Signer;
  /** Milliseconds: the earliest trusted time. */
  readonly at?: number;
  readonly summary: readonly string[];
  readonly evidence: readonly Evidence[];
  /** Log entries it carries, as `entryKeys`. */
  readonly entries: readonly string[];
  readonly statement?: Statement;
  readonly verifiedSigner?: VerifiedSigner;
}

/** An entry of a log about the image. */
export interface LogFact {
  readonly id: string;
  readonly origin: string;
  readonly logIndex: number;
  readonly naming: Naming;
  readonly signer?: Signer;
  /** Milliseconds. */
  readonly at?: number;
  readonly timeFrom?: LineageStep['timeFrom'];
  /** Why the entry proves nothing about the image. */
  readonly reason?: Reason;
  /** Facts that carry this entry; empty: what was logged is not attached here. */
  readonly factIds: readonly string[];
}

/** Where it came from and who made it, as a statement whose signature holds tells. */
export interface Origin {
  readonly provenance: Provenance;
  readonly signer: Signer;
  /** The certificate proves the builder the statement names. */
  readonly isByBuilder: boolean;
  /** False: only the log has it, here. */
  readonly isAttached: boolean;
  /** Anchor of the statement. */
  readonly id: string;
}

export interface ImageReport {
  readonly digest: Digest;
  /** Repositories it was seen in; the one asked for alone, when one was. */
  readonly places: readonly SeenImage[];
  readonly otherPlaces: readonly SeenImage[];
  readonly facts: readonly Fact[];
  readonly log: readonly LogFact[];
  readonly origins: readonly Origin[];
  readonly coverage: Lineage['coverage'];
  /** Logs of the trusted root that were not searched. */
  readonly uncovered: readonly string[];
  readonly isTruncated: boolean;
  /** False while older attachments are still being read. */
  readonly isSettled: boolean;
  /** Undefined: no webhook reports here. */
  readonly admissions: readonly AdmissionView[] | undefined;
  /** What could not be asked, in words. */
  readonly troubles: readonly { readonly what: string; readonly reason: Reason }[];
}
