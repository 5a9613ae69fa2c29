/**
 * What a caller demands of a signature. A requirement that demands nothing cannot be built; giving up a check is
 * a value with `Unsafe` in its name, and the verdict repeats it as degraded.
 */
import type { PublicKey } from '#base/crypto';
import { reason } from '#base/reason';
import { err, isNonEmpty, type NonEmpty, ok, type Result } from '#base/result';
import type { Validity } from '#formats/trusted-root';
import { type FulcioClaims, fulcioExtensions, type San } from '#formats/x509';
import { type Matcher, matcher, type Pattern } from './pattern.ts';
import { R } from './reasons.ts';

export type ClaimName = keyof FulcioClaims;

declare const built: unique symbol;

/** Who may have signed. Made by `identity`. */
export interface Identity {
  readonly issuer: Matcher;
  readonly san: Matcher;
  /** The kind of name the identity must be; absent: any. */
  readonly sanType?: San['type'];
  readonly claims: ReadonlyMap<ClaimName, Matcher>;
  readonly [built]: true;
}

export interface IdentityInput {
  readonly issuer: Pattern;
  readonly san: Pattern;
  readonly sanType?: San['type'];
  /** Claims of the certificate by name, each of which must match. */
  readonly claims?: Readonly<Partial<Record<ClaimName, Pattern>>>;
}

const claimNames: ReadonlySet<string> = new Set(fulcioExtensions.map((extension) => extension.claim));

/** Builds an identity. Fails with WB-360 or WB-361. */
export function identity(input: IdentityInput): Result<Identity> {
  const issuer = matcher(input.issuer);
  if (!issuer.ok) return issuer;
  const san = matcher(input.san);
  if (!san.ok) return san;
  const claims = new Map<ClaimName, Matcher>();
  for (const [name, pattern] of Object.entries(input.claims ?? {})) {
    if (!claimNames.has(name)) return refuse('the name of a certificate claim', JSON.stringify(name));
    const claim = matcher(pattern);
    if (!claim.ok) return claim;
    claims.set(name as ClaimName, claim.value);
  }
  const parts: Omit<Identity, typeof built> = {
    issuer: issuer.value,
    san: san.value,
    claims,
    ...(input.sanType === undefined ? {} : { sanType: input.sanType }),
  };
  return ok(parts as Identity);
}

export type SignerRequirement =
  | {
      readonly kind: 'identities';
      readonly anyOf: NonEmpty<Identity>;
      /** See `AnyIdentityOptions`. */
      readonly isOfAnyAuthority?: boolean;
    }
  | { readonly kind: 'anyIdentityUnsafe'; readonly isOfAnyAuthority?: boolean }
  | { readonly kind: 'key'; readonly key: PublicKey; readonly validFor?: Validity };

/**
 * Which clocks are believed. `observed`: timestamp authorities and logs that promised a time; `signed`: timestamp
 * authorities only; `integrated`: logs only; `current`: the caller's clock, so a signature expires with its
 * certificate; `signedIfAny`: timestamps where there are any, one of which then has to hold, `otherwise` what
 * it says (cosign's older layout); `notRequired`: for keys, which need no time.
 */
export type TimeRequirement =
  | { readonly kind: 'observed' | 'signed' | 'integrated'; readonly atLeast: number }
  | { readonly kind: 'current' }
  | { readonly kind: 'signedIfAny'; readonly otherwise: 'current' | 'integrated' | 'notRequired' }
  | { readonly kind: 'notRequired' };

/** A number of independent operators, or the check given up. */
export type Threshold =
  | { readonly kind: 'atLeast'; readonly count: number }
  | { readonly kind: 'notRequiredUnsafe' };

export type PredicateRequirement =
  | { readonly kind: 'anyOf'; readonly types: NonEmpty<string> }
  | { readonly kind: 'any' };

/** Every field has its check in checks.ts. Made by `requireKeyless`, `requireKey`, `withoutIdentityUnsafe`. */
export interface Requirements {
  readonly signer: SignerRequirement;
  readonly tlog: Threshold;
  readonly time: TimeRequirement;
  readonly sct: Threshold | { readonly kind: 'notApplicable' };
  readonly subject: { readonly kind: 'artifact' } | { readonly kind: 'notRequiredUnsafe' };
  readonly predicate: PredicateRequirement;
  /** Annotations the signature must carry, all of them. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly [built]: true;
}

interface CommonOptions {
  /** Independent transparency logs. Default 1. */
  readonly tlog?: number | 'notRequiredUnsafe';
  /**
   * Accepted predicate types. A signature over the artifact itself has none and is then refused; a legacy image
   * signature counts as `https://sigstore.dev/cosign/sign/v1`. Default: any content.
   */
  readonly predicateTypes?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Whether the content must be about the artifact. Default: it must. */
  readonly subject?: 'artifact' | 'notRequiredUnsafe';
}

export interface AnyIdentityOptions extends CommonOptions {
  /** Independent CT logs. Default 1. */
  readonly sct?: number | 'notRequiredUnsafe';
  /**
   * Takes certificates of authorities that are no Fulcio: without an issuer, which then is the empty text, and with
   * several names, any of which may be the one required. Default: one name and an issuer.
   */
  readonly isOfAnyAuthority?: boolean;
  /** Default: one observed time. */
  readonly time?: Exclude<TimeRequirement, { kind: 'notRequired' }>;
}

export interface KeylessOptions extends AnyIdentityOptions {
  /** Any one of these; at least one. */
  readonly identities: readonly Identity[];
}

export interface KeyOptions extends CommonOptions {
  /** When the key may sign: trusted times must lie within, or the current time where there is none. */
  readonly validFor?: Validity;
  /** Default: none is required. */
  readonly time?: TimeRequirement;
}

/** Signatures by certificates of one of the identities. Fails with WB-360. */
export function requireKeyless(options: KeylessOptions): Result<Requirements> {
  const { identities } = options;
  if (!isNonEmpty(identities)) return refuse('at least one identity', 'none');
  return withCertificate({ kind: 'identities', anyOf: identities, ...foreign(options) }, options);
}

/** Signatures by any certificate of the trusted root, whoever it names: proves that someone signed. */
export function withoutIdentityUnsafe(options: AnyIdentityOptions = {}): Result<Requirements> {
  return withCertificate({ kind: 'anyIdentityUnsafe', ...foreign(options) }, options);
}

const foreign = ({ isOfAnyAuthority = false }: AnyIdentityOptions): { readonly isOfAnyAuthority?: true } =>
  isOfAnyAuthority ? { isOfAnyAuthority } : {};

function withCertificate(signer: SignerRequirement, options: AnyIdentityOptions): Result<Requirements> {
  const sct = threshold(options.sct);
  if (!sct.ok) return sct;
  return build(signer, sct.value, options.time ?? { kind: 'observed', atLeast: 1 }, options);
}

/** Signatures by this key. Fails with WB-360. */
export function requireKey(key: PublicKey, options: KeyOptions = {}): Result<Requirements> {
  const { validFor } = options;
  const signer: SignerRequirement = { kind: 'key', key, ...(validFor === undefined ? {} : { validFor }) };
  return build(signer, { kind: 'notApplicable' }, options.time ?? { kind: 'notRequired' }, options);
}

function build(
  signer: SignerRequirement,
  sct: Requirements['sct'],
  time: TimeRequirement,
  options: CommonOptions,
): Result<Requirements> {
  const tlog = threshold(options.tlog);
  if (!tlog.ok) return tlog;
  if ('atLeast' in time && !isCount(time.atLeast)) return refuse('a count of at least 1', `${time.atLeast}`);
  const needsNone = time.kind === 'signedIfAny' ? time.otherwise : time.kind;
  if (signer.kind !== 'key' && needsNone === 'notRequired') return refuse('a time requirement', 'none');
  const predicate = predicates(options.predicateTypes);
  if (!predicate.ok) return predicate;
  const requirements: Omit<Requirements, typeof built> = {
    signer,
    tlog: tlog.value,
    time,
    sct,
    subject: { kind: options.subject ?? 'artifact' },
    predicate: predicate.value,
    annotations: { ...options.annotations },
  };
  return ok(requirements as Requirements);
}

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 32;

function threshold(value: number | 'notRequiredUnsafe' | undefined): Result<Threshold> {
  if (value === 'notRequiredUnsafe') return ok({ kind: value });
  const count = value ?? 1;
  return isCount(count) ? ok({ kind: 'atLeast', count }) : refuse('a count between 1 and 32', `${count}`);
}

function predicates(types: readonly string[] | undefined): Result<PredicateRequirement> {
  if (types === undefined) return ok({ kind: 'any' });
  if (!isNonEmpty(types) || types.includes('')) return refuse('at least one predicate type', 'none');
  return ok({ kind: 'anyOf', types });
}

function refuse(expected: string, actual: string): Result<never> {
  return err(reason(R.requirement, { expected, actual }));
}
