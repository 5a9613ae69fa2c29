/**
 * The one form every dialect is read into. Data only: no dialect's field names, no code. A `Demand` is a tree
 * of thresholds over leaves; a leaf asks for one piece of evidence from one authority.
 */
import type { Pem } from '#base/brand';
import type { NonEmpty } from '#base/result';
import type { Requirements } from '#verify';
import type { CelProgram } from './condition/cel.ts';
import type { ConditionSet } from './condition/conditions.ts';
import type { Json, Position } from './document.ts';

export interface PolicySet {
  readonly policies: NonEmpty<Policy>;
  /** SHA-256 of the canonical form of every policy, lower-case hex: part of the key of cached facts. */
  readonly hash: string;
}

export type Dialect = 'kyverno' | 'sigstore';

export interface Policy {
  readonly dialect: Dialect;
  readonly name: string;
  /** Set for namespaced policies: they judge objects of this namespace only. */
  readonly namespace?: string;
  readonly position: Position;
  readonly rules: NonEmpty<Rule>;
  /** The document as it was read; what the hash covers. */
  readonly source: Json;
}

export interface Rule {
  readonly name: string;
  /** Objects the rule applies to. */
  readonly selects: ResourceSelector;
  readonly checks: NonEmpty<ImageCheck>;
}

/** Enforce denies; audit admits with a warning. */
export type Mode = 'enforce' | 'audit';

export interface ImageCheck {
  readonly path: string;
  readonly mode: Mode;
  readonly images: NonEmpty<ImagePattern>;
  readonly skipped: readonly ImagePattern[];
  readonly demand: Demand;
  /** Replace a tag by tag@digest before anything else looks at the object. */
  readonly mutateDigest: boolean;
  /** An image without a digest fails. */
  readonly verifyDigest: boolean;
  /** Over everything the accepted authorities found (policy-controller's spec.policy). */
  readonly overall?: CelProgram;
}

/** Kyverno: `*` crosses `/`. Sigstore: `*` does not, `**` does. Each is matched on its own normal form. */
export interface ImagePattern {
  readonly dialect: Dialect;
  readonly text: string;
}

export type Demand = Threshold | EvidenceDemand | StaticDemand;

export interface Threshold {
  readonly kind: 'threshold';
  /** 1 ≤ need ≤ of.length; by construction never 0. */
  readonly need: number;
  readonly of: NonEmpty<Demand>;
  readonly path: string;
}

export interface StaticDemand {
  readonly kind: 'static';
  readonly pass: boolean;
  readonly message: string;
  readonly name: string;
  readonly path: string;
}

export interface EvidenceDemand {
  readonly kind: 'evidence';
  readonly path: string;
  /** Name of the authority where the dialect has one. */
  readonly name: string;
  readonly authority: Authority;
  readonly question: EvidenceQuestion;
  /** Absent: a plain signature is asked for. */
  readonly attestation?: AttestationDemand;
}

/** What is asked about every piece of evidence attached to an image. Equal questions have equal ids. */
export interface EvidenceQuestion {
  readonly id: string;
  readonly requirements: Requirements;
}

export interface AttestationDemand {
  readonly name: string;
  readonly predicateType: string;
  /** Kyverno: every statement of the type must meet the conditions. Sigstore: one suffices. */
  readonly quantifier: 'all' | 'any';
  readonly conditions?: ConditionSet;
  readonly program?: CelProgram;
}

export type Authority = KeylessAuthority | KeyAuthority;

interface AuthorityCommon {
  /** Required `optional` entries of a simple-signing payload, exact. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The log entry is checked unless the policy says otherwise by name. */
  readonly tlog: 'required' | 'ignored';
}

export interface KeylessAuthority extends AuthorityCommon {
  readonly kind: 'keyless';
  readonly identities: NonEmpty<IdentityPattern>;
  /** Certificate extensions by OID or name → expected value with Kyverno's wildcards. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly sct: 'required' | 'ignored';
  readonly signedTimestamp: 'optional' | 'required';
}

export interface KeyAuthority extends AuthorityCommon {
  readonly kind: 'key';
  readonly publicKey: Pem;
}

/** Both must match. A text pattern says which language it is in. */
export interface IdentityPattern {
  readonly issuer: TextPattern;
  readonly subject: TextPattern;
}

export type TextPattern =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'wildcard'; readonly text: string }
  /** RE2. Anchored at both ends by us, whatever the dialect's own engine does. */
  | { readonly kind: 'regexp'; readonly text: string };

// ---- which objects

export type ResourceSelector =
  | { readonly kind: 'kyverno'; readonly match: FilterSet; readonly exclude?: FilterSet }
  | { readonly kind: 'sigstore'; readonly match: readonly SigstoreMatch[] };

export interface FilterSet {
  readonly mode: 'any' | 'all';
  readonly filters: readonly ResourceFilter[];
}

export interface ResourceFilter {
  readonly kinds: readonly string[];
  readonly names: readonly string[];
  readonly namespaces: readonly string[];
  readonly operations: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly selector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly subjects: readonly SubjectFilter[];
}

export interface SubjectFilter {
  readonly kind: 'User' | 'Group' | 'ServiceAccount';
  readonly name: string;
  readonly namespace?: string;
}

export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly LabelExpression[];
}

export interface LabelExpression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

export interface SigstoreMatch {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly selector?: LabelSelector;
}
