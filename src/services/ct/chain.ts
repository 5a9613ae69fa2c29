/** Which chains the log takes: each certificate signed by the next, the last by a root of this log or one itself. */
import { equalBytes, toHex } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { type NonEmpty, unwrap } from '#base/result';
import { type Certificate, parseCertificate, verifyCertificateSignature } from '#formats/x509';
import { POISON_OID } from '#formats/x509-build';
import { R } from './reasons.ts';

export interface CheckedChain {
  readonly certificate: Certificate;
  /** From the direct issuer to the root. */
  readonly issuers: NonEmpty<Certificate>;
}

/** Extended key usage of a certificate that signs precertificates for its issuer (RFC 6962 §3.1). */
const PRECERT_SIGNING = '1.3.6.1.4.1.11129.2.4.4';

/**
 * Checks a chain, leaf first; the root may be left out. Validity times are not looked at: a log records, it does
 * not judge. Throws WB-1020, WB-1021 and the certificate reasons.
 */
export function checkChain(
  chain: readonly Uint8Array[],
  roots: readonly Certificate[],
  isPrecert: boolean,
): CheckedChain {
  const parsed = chain.slice(0, limits.chainCertificates).map((der) => unwrap(parseCertificate(der)));
  const [certificate, ...above] = parsed;
  if (certificate === undefined || chain.length > limits.chainCertificates) {
    throw refused(`1 to ${limits.chainCertificates} certificates`, `${chain.length}`);
  }
  checkPoison(certificate, isPrecert);
  const issuers = withRoot(certificate, above, roots);
  let child = certificate;
  for (const issuer of issuers) {
    checkLink(child, issuer);
    child = issuer;
  }
  if (isPrecert && issuers[0].extKeyUsages.includes(PRECERT_SIGNING)) {
    throw refused('a precertificate signed by its final issuer', 'a precertificate signing certificate');
  }
  return { certificate, issuers };
}

function checkPoison(certificate: Certificate, isPrecert: boolean): void {
  const poison = certificate.extensions.get(POISON_OID);
  if (poison !== undefined && !poison.critical) throw refused('a critical poison extension', 'another');
  if ((poison !== undefined) === isPrecert) return;
  const words = ['a certificate', 'a precertificate'];
  const [expected, actual] = isPrecert ? words.toReversed() : words;
  throw fail(R.kind, { expected: expected as string, actual: actual as string });
}

/** The issuers, ending in a root of this log. */
function withRoot(
  certificate: Certificate,
  above: readonly Certificate[],
  roots: readonly Certificate[],
): NonEmpty<Certificate> {
  const last = above.at(-1);
  if (last !== undefined && roots.some((root) => equalBytes(root.der, last.der))) {
    return above as unknown as NonEmpty<Certificate>;
  }
  const top = last ?? certificate;
  const root = roots.find(
    (one) => equalBytes(one.subject, top.issuer) && verifyCertificateSignature(top, one),
  );
  if (root !== undefined) return [...above, root] as unknown as NonEmpty<Certificate>;
  throw refused('a chain to a root of this log', `issuer ${top.issuerText || toHex(sha256(top.issuer))}`);
}

function checkLink(child: Certificate, issuer: Certificate): void {
  if (!equalBytes(child.issuer, issuer.subject)) {
    throw refused(`a certificate of ${child.issuerText}`, issuer.subjectText);
  }
  if (!issuer.isCa) throw refused('issuers that are authorities', issuer.subjectText);
  if (!verifyCertificateSignature(child, issuer)) {
    throw refused(`a signature by ${issuer.subjectText}`, 'one that does not verify');
  }
}

function refused(expected: string, actual: string) {
  return fail(R.chain, { expected, actual });
}
