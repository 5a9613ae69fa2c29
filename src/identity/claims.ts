/**
 * What an identity token says, read without checking its signature: the certificate authority checks it. Used
 * to show what will be public before anything is, and to know what to sign as proof of possession.
 */
import { fromBase64Url } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { builtInProviders, providerOfClaims } from '#formats/ci-providers';
import { applyRule, type CiProvider, type ClaimValue } from '#formats/ci-template';
import { isJsonObject, type JsonObject, own, parseJson, reader } from '#formats/json';
import { R } from './reasons.ts';

export interface IdentityClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly email?: string;
  readonly emailVerified: boolean;
  readonly audience: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly notBefore?: number;
  /** Every claim, for mappings. */
  readonly all: JsonObject;
}

/** Reads a compact JWS. Throws WB-621; the message never holds the token. */
export function readClaims(token: Secret): IdentityClaims {
  const text = token.reveal();
  const parts = text.split('.');
  if (parts.length !== 3 || text.length > limits.tokenBytes) {
    const actual = `${parts.length} parts, ${text.length} characters`;
    throw fail(R.form, { expected: `three parts, at most ${limits.tokenBytes} characters`, actual });
  }
  const read = attempt(() => {
    const json = reader(unwrap(parseJson(fromBase64Url(parts[1] as string))), 'token', { as: R.form });
    const email = json.optionalString('email');
    const notBefore = json.value('nbf');
    return {
      issuer: json.text('iss'),
      subject: json.text('sub'),
      ...(email === undefined || email === '' ? {} : { email }),
      emailVerified: isTrue(json.value('email_verified')),
      audience: typeof json.value('aud') === 'string' ? [json.string('aud')] : json.strings('aud', 64),
      expiresAt: seconds(json.value('exp'), Number.NaN),
      ...(typeof notBefore === 'number' ? { notBefore: seconds(notBefore, 0) } : {}),
      all: json.object,
    };
  });
  if (!read.ok) {
    throw fail(R.form, { expected: 'a JWT with iss, sub, aud and exp', actual: read.error.check });
  }
  if (Number.isNaN(read.value.expiresAt)) {
    throw fail(R.form, { expected: 'an expiry (exp) in the token', actual: 'none' });
  }
  return read.value;
}

// Some providers write the flag as a string.
const isTrue = (value: unknown): boolean => value === true || value === 'true';
const seconds = (value: unknown, absent: number): number =>
  typeof value === 'number' ? Math.floor(value * 1000) : absent;

/** The clocks of the issuer and this machine may differ by this much. */
const SKEW_MS = 60_000;

/** Throws WB-622, WB-623 or WB-625 when a certificate authority would refuse the token anyway. */
export function requireUsable(
  claims: IdentityClaims,
  options: { readonly now: number; readonly audience?: string },
): void {
  const { now, audience = 'sigstore' } = options;
  const at = (ms: number): string => new Date(ms).toISOString();
  if (claims.expiresAt <= now) {
    throw fail(R.expired, {
      expected: `a token valid at ${at(now)}`,
      actual: `expired ${at(claims.expiresAt)}`,
    });
  }
  if (claims.notBefore !== undefined && claims.notBefore > now + SKEW_MS) {
    throw fail(R.expired, {
      expected: `a token valid at ${at(now)}`,
      actual: `not before ${at(claims.notBefore)}`,
    });
  }
  if (!claims.audience.includes(audience)) {
    throw fail(R.audience, { expected: audience, actual: claims.audience.join(', ') || 'none' });
  }
}

/**
 * The principal: what is signed as proof of possession. Clients of Fulcio all decide alike: a verified e-mail
 * when there is one, else the subject. Throws WB-625.
 */
export function challengeOf(claims: IdentityClaims): string {
  if (claims.email === undefined) return claims.subject;
  if (!claims.emailVerified) throw fail(R.email, { expected: 'email_verified: true', actual: claims.email });
  return claims.email;
}

export interface IdentityPreview {
  readonly issuer: string;
  /** The subject alternative name the certificate would carry. */
  readonly san: string;
  readonly sanType: 'email' | 'uri';
  /** Further claims that become public, by the name of their extension. */
  readonly extensions: Readonly<Record<string, string>>;
}

/**
 * What a certificate for this token would say at an authority with the mappings of the public instance, as far as
 * the token alone decides it.
 */
export function previewOf(claims: IdentityClaims): IdentityPreview {
  const { issuer } = claims;
  const name = providerOfClaims(claims.all);
  const provider = name === undefined ? undefined : builtInProviders.get(name);
  if (provider !== undefined) return ciPreview(claims, provider);
  if (claims.email !== undefined) return { issuer, san: claims.email, sanType: 'email', extensions: {} };
  return { issuer, san: kubernetesSan(claims) ?? claims.subject, sanType: 'uri', extensions: {} };
}

/** Throws WB-621 for a token that lacks a claim its system always writes. */
function ciPreview(claims: IdentityClaims, provider: CiProvider): IdentityPreview {
  const claimValue: ClaimValue = (name, isOptional) => {
    const value = own(claims.all, name) ?? provider.defaults.get(name);
    if (value === undefined && isOptional) return '';
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return String(value);
    }
    throw fail(R.form, {
      expected: `claim ${name} as text`,
      actual: value === undefined ? 'none' : typeof value,
    });
  };
  const extensions = provider.extensions
    .map(([name, rule]) => [name, applyRule(rule, claimValue)] as const)
    .filter(([, value]) => value !== '');
  return {
    issuer: claims.issuer,
    san: applyRule(provider.san, claimValue),
    sanType: 'uri',
    extensions: Object.fromEntries(extensions),
  };
}

function kubernetesSan(claims: IdentityClaims): string | undefined {
  const about = own(claims.all, 'kubernetes.io');
  if (!isJsonObject(about)) return undefined;
  const account = own(about, 'serviceaccount');
  const namespace = own(about, 'namespace');
  const name = isJsonObject(account) ? own(account, 'name') : undefined;
  if (typeof namespace !== 'string' || typeof name !== 'string') return undefined;
  return `https://kubernetes.io/namespaces/${namespace}/serviceaccounts/${name}`;
}
