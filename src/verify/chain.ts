/** Did an authority of the trusted root issue the certificate, for signing code, and was all of it valid then? */
import { type Reason, reason } from '#base/reason';
import { err, ok, type Result } from '#base/result';
import { isValidAt } from '#formats/trusted-root';
import { type Certificate, verifyCertificateSignature } from '#formats/x509';
import { extKeyUsage } from '#formats/x509-build';
import { chainCovers, isIssuedBy, type TrustedAuthority, type TrustMaterial } from './material.ts';
import { R } from './reasons.ts';
import type { ObservedTime } from './verdict.ts';

/**
 * The authority that issued `leaf`. Leaf, every issuer and the authority's interval must contain every trusted
 * time (hybrid model; GHSA-wfqv-66vq-46rm). Issuers come from the trusted root only; their links were proven
 * when it was loaded. Fails with WB-330–332.
 */
export function proveChain(
  leaf: Certificate,
  times: readonly ObservedTime[],
  trust: TrustMaterial,
): Result<TrustedAuthority> {
  const use = useFault(leaf);
  if (use !== undefined) return err(use);
  let outOfTime: Reason | undefined;
  for (const authority of trust.authorities) {
    const [issuer] = authority.chain;
    if (!isIssuedBy(leaf, issuer) || !verifyCertificateSignature(leaf, issuer)) continue;
    const fault = timeFault(leaf, authority, times);
    if (fault === undefined) return ok(authority);
    outOfTime ??= fault;
  }
  const detail = { expected: 'an issuer in the trusted root', actual: leaf.issuerText };
  return err(outOfTime ?? reason(R.chainUntrusted, detail));
}

function useFault(leaf: Certificate): Reason | undefined {
  const fault = (expected: string, actual: string): Reason => reason(R.certificateUse, { expected, actual });
  if (leaf.isCa) return fault('a certificate that is no authority', leaf.subjectText);
  if (!leaf.extKeyUsages.includes(extKeyUsage.codeSigning)) {
    return fault('the purpose codeSigning', leaf.extKeyUsages.join(', ') || 'no purpose');
  }
  if (leaf.keyUsage?.digitalSignature === false) return fault('key usage digitalSignature', 'other usages');
  if (leaf.unknownCritical.length > 0) {
    return fault('no unknown critical extension', leaf.unknownCritical.join(', '));
  }
  return undefined;
}

function timeFault(
  leaf: Certificate,
  authority: TrustedAuthority,
  times: readonly ObservedTime[],
): Reason | undefined {
  for (const time of times) {
    const outside = [leaf, ...authority.chain].find((member) => !chainCovers([member], time.at));
    if (outside !== undefined) return outOfLife(outside, outside === leaf, time);
    if (!isValidAt(authority.validFor, time.at)) {
      const expected = 'a time within validFor of the authority';
      return reason(R.chainTime, { expected, actual: timeText(time) });
    }
  }
  return undefined;
}

const timeText = ({ at, kind }: ObservedTime): string => `${new Date(at).toISOString()} (${kind})`;

function outOfLife(certificate: Certificate, isLeaf: boolean, time: ObservedTime): Reason {
  const who = isLeaf ? 'the signing certificate' : certificate.subjectText;
  const from = new Date(certificate.notBefore).toISOString();
  const expected = `a time from ${from} to ${new Date(certificate.notAfter).toISOString()} for ${who}`;
  return reason(R.chainTime, { expected, actual: timeText(time) });
}
