/** Is the signer who the caller asked for? */
import { type Reason, reason } from '#base/reason';
import { err, type NonEmpty, ok, type Result } from '#base/result';
import type { Certificate, San } from '#formats/x509';
import { R } from './reasons.ts';
import type { Identity, SignerRequirement } from './requirements.ts';

export interface NamedSigner {
  readonly issuer: string;
  readonly san: San;
}

/**
 * The one name in a certificate and who vouched for it; where several are taken, the first that is required.
 * Fails with WB-353.
 */
export function signerOf(certificate: Certificate, required: SignerRequirement): Result<NamedSigner> {
  const [san, ...others] = certificate.sans;
  const { issuer } = certificate.fulcio;
  if (required.kind !== 'key' && required.isOfAnyAuthority === true && san !== undefined) {
    const signers = certificate.sans.map((name) => ({ issuer: issuer ?? '', san: name }));
    const isRequired = (signer: NamedSigner): boolean =>
      required.kind === 'identities' && matchIdentity(certificate, signer, required.anyOf).ok;
    return ok(signers.find(isRequired) ?? { issuer: issuer ?? '', san });
  }
  if (san === undefined || others.length > 0) {
    const actual = `${certificate.sans.length}`;
    return err(reason(R.sanCount, { expected: 'exactly one alternative name', actual }));
  }
  if (issuer === undefined) {
    return err(reason(R.sanCount, { expected: 'an issuer extension', actual: 'none', class: 'issuer' }));
  }
  return ok({ issuer, san });
}

/** The first identity that matches in every part. Fails with WB-350, WB-351 or WB-352: the nearest miss. */
export function matchIdentity(
  certificate: Certificate,
  signer: NamedSigner,
  anyOf: NonEmpty<Identity>,
): Result<Identity> {
  let nearest: { readonly rank: number; readonly fault: Reason } | undefined;
  for (const wanted of anyOf) {
    const miss = missOf(certificate, signer, wanted);
    if (miss === undefined) return ok(wanted);
    if (nearest === undefined || miss.rank > nearest.rank) nearest = miss;
  }
  return err((nearest as { readonly fault: Reason }).fault);
}

function missOf(
  certificate: Certificate,
  { issuer, san }: NamedSigner,
  wanted: Identity,
): { readonly rank: number; readonly fault: Reason } | undefined {
  if (!wanted.issuer.matches(issuer)) {
    const fault = reason(R.issuer, { expected: wanted.issuer.text, actual: shown(issuer) });
    return { rank: 0, fault };
  }
  const isKind = san.type !== 'unsupported' && (wanted.sanType === undefined || wanted.sanType === san.type);
  if (!isKind || !wanted.san.matches(san.value)) {
    const kind = wanted.sanType === undefined ? '' : `${wanted.sanType} `;
    const fault = reason(R.san, {
      expected: `${kind}${wanted.san.text}`,
      actual: `${san.type} ${shown(san.value)}`,
    });
    return { rank: 1, fault };
  }
  for (const [name, claim] of wanted.claims) {
    const value = certificate.fulcio[name];
    if (value !== undefined && claim.matches(value)) continue;
    const actual = value === undefined ? 'no such claim' : shown(value);
    const fault = reason(R.claims, { expected: claim.text, actual, check: `identity.claims.${name}` });
    return { rank: 2, fault };
  }
  return undefined;
}

/** Quoted, with control and direction-changing characters escaped: names come from strangers. */
function shown(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, '0')}`,
  );
}
