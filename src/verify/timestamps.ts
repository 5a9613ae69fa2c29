/** Which timestamps are good, and when do they say the signature existed? */
import { toHex } from '#base/bytes';
import { type Reason, reason } from '#base/reason';
import { attempt, err, ok, type Result } from '#base/result';
import { isValidAt } from '#formats/trusted-root';
import { parseTimeStampResponse, type TimestampToken } from '#formats/tsp';
import { nameText } from '#formats/x509';
import { chainCovers, type TrustedAuthority, type TrustMaterial } from './material.ts';
import { R } from './reasons.ts';
import type { ObservedTime } from './verdict.ts';

/**
 * One timestamp over the signature (`covered` lists what it may cover; old attestations: the envelope). The
 * signer is the authority's certificate from the trusted root, never one from the token. The chain must have
 * been valid at genTime, not now; accuracy is not used. Fails with WB-321–325.
 */
export function verifyTimestamp(
  der: Uint8Array,
  covered: readonly Uint8Array[],
  trust: TrustMaterial,
): Result<ObservedTime> {
  const parsed = parseTimeStampResponse(der);
  if (!parsed.ok) return err(reason(R.timestampForm, parsed.error));
  const token = parsed.value;
  if (!covered.some((bytes) => token.covers(bytes))) {
    return err(reason(R.timestampImprint, { expected: 'an imprint of the signature', actual: 'another' }));
  }
  let best: Reason | undefined;
  for (const authority of trust.timestampAuthorities) {
    if (!token.isSignedBy(authority.chain[0])) continue;
    const fault = faultOf(token, authority);
    if (fault === undefined)
      return ok({ kind: 'timestamp', at: token.genTime, operator: authority.operator });
    // Two intervals of one authority may be listed: the last one that gets furthest explains best.
    if (best === undefined || fault.code !== R.timestampSignature.code) best = fault;
  }
  return err(best ?? unknownAuthority(token, trust));
}

/** The names are the token's own word: they say where to look, and vouch for nothing. */
function unknownAuthority(token: TimestampToken, trust: TrustMaterial): Reason {
  const named = nameOf(token);
  const aside = trust.unusable.map((why) => why.actual).join('; ');
  const known = [...new Set(trust.timestampAuthorities.map(({ operator }) => operator))].join(', ');
  const expected = `a timestamp authority of the trusted root${known === '' ? ', which names none' : `: ${known}`}`;
  const actual = aside === '' ? named : `${named}; set aside: ${aside}`;
  return reason(R.timestampAuthority, { expected, actual });
}

function nameOf(token: TimestampToken): string {
  const certificate = token.certificates.find((one) => token.isSignedBy(one));
  if (certificate !== undefined) return `${JSON.stringify(certificate.subjectText)}, as it calls itself`;
  const { signer } = token.signerInfo;
  if (signer.kind === 'keyId') return `another authority, key id ${toHex(signer.keyId)}`;
  const issuer = attempt(() => nameText(signer.issuer));
  if (!issuer.ok) return 'another authority';
  return `one that says ${JSON.stringify(issuer.value)} issued it, serial ${toHex(signer.serial)}`;
}

function faultOf(token: TimestampToken, authority: TrustedAuthority): Reason | undefined {
  const signature = token.checkSignature(authority.chain[0]);
  if (!signature.ok) return reason(R.timestampSignature, signature.error);
  if (!chainCovers(authority.chain, token.genTime))
    return outside(token, 'the certificates of the authority');
  if (!isValidAt(authority.validFor, token.genTime)) return outside(token, 'validFor of the authority');
  return undefined;
}

function outside(token: TimestampToken, what: string): Reason {
  const actual = new Date(token.genTime).toISOString();
  return reason(R.timestampWindow, { expected: `a time within ${what}`, actual });
}
