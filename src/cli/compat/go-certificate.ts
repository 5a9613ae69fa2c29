/**
 * A certificate as Go's JSON encoder shows its x509.Certificate, as far as scripts read it: the raw parts, names,
 * interval and extensions. The numbers of Go's own enumerations and big integers are left out.
 */

import { toBase64 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { unwrap } from '#base/result';
import type { JsonObject } from '#formats/json';
import { pemDecode } from '#formats/pem';
import { type Certificate, parseCertificate, type San } from '#formats/x509';

/** Null without certificates, as a nil slice is. */
export function goCertificates(pem: string | undefined): JsonObject[] | null {
  if (pem === undefined) return null;
  return unwrap(pemDecode(pem, 'CERTIFICATE')).map(({ der }) => goCertificate(unwrap(parseCertificate(der))));
}

function goCertificate(certificate: Certificate): JsonObject {
  const names = (type: San['type']): string[] | null => {
    const found = certificate.sans.filter((san) => san.type === type).map(({ value }) => value);
    return found.length === 0 ? null : found;
  };
  return {
    Raw: toBase64(certificate.der),
    RawTBSCertificate: toBase64(certificate.tbs),
    RawSubjectPublicKeyInfo: toBase64(certificate.publicKey.spki),
    RawSubject: toBase64(certificate.subject),
    RawIssuer: toBase64(certificate.issuer),
    Signature: toBase64(certificate.signature),
    Version: 3,
    NotBefore: rfc3339(certificate.notBefore),
    NotAfter: rfc3339(certificate.notAfter),
    Extensions: [...certificate.extensions].map(([oid, { critical, value }]) => ({
      Id: oid.split('.').map(Number),
      Critical: critical,
      Value: toBase64(value),
    })),
    IsCA: certificate.isCa,
    DNSNames: names('dns'),
    EmailAddresses: names('email'),
    IPAddresses: names('ip'),
  };
}
