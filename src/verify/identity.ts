/** Is the signer who the caller asked for? */
import { type Reason, reason } from '#base/reason';
import { err, type NonEmpty, ok, type Result } from '#base/result';
import type { Certificate, San } from '#formats/x509';
import { R } from './reasons.ts';
import type { Identity, SignerRequirement } from './requirements.ts';

export interface NamedSigner {
  readonly issuer: string;
  readonly san: San;
  /** The other names, where a certificate may have several. */
  readonly others: readonly San[];
}

/** The one name in a certificate and who vouched for it. Fails with WB-353. */
export function signerOf(certificate: Certificate, required: SignerRequirement): Result<NamedSigner> {
  const [san, ...others] = certificate.sans;
  const { issuer } = certificate.fulcio;
  const isOfAnyAuthority = required.kind !== 'key' && required.isOfAnyAuthority === true;
  if (isOfAnyAuthority && san !== undefined) return ok({ issuer: issuer ?? '', san, others });
  if (san === undefined || others.length > 0) {
    const actual = `${certificate.sans.length}`;
    return err(reason(R.sanCount, { expected: 'exactly one alternative name', actual }));
  }
  if (issuer === undefined) {
    return err(reason(R.sanCount, { expected: 'an issuer extension', actual: 'none', class: 'issuer' }));
  }
  return ok({ issuer, san, others });
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
  { issuer, san, others }: NamedSigner,
  wanted: Identity,
): { readonly rank: number; readonly fault: Reason } | undefined {
  if (!wanted.issuer.matches(issuer)) {
    const fault = reason(R.issuer, { expected: wanted.issuer.text, actual: shown(issuer) });
    return { rank: 0, fault };
  }
  const isWanted = ({ type, value }: San): boolean =>
    type !== 'unsupported' &&
    (wanted.sanType === undefined || wanted.sanType === type) &&
    wanted.san.matches(value);
  if (![san, ...others].some(isWanted)) {
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
