/** A public key infrastructure that is no Sigstore: certificates for code signing as a company issues them. */
import { generateKey, type PrivateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemEncode } from '#formats/pem';
import { type Certificate, parseCertificate } from '#formats/x509';
import {
  buildCertificate,
  buildName,
  type ExtensionTemplate,
  extensionOf,
  extKeyUsage,
  keyIdentifier,
  serialNumber,
} from '#formats/x509-build';
import { systemRandom } from '#platform/system';

export interface Holder {
  readonly key: PrivateKey;
  readonly certificate: Certificate;
}

const HOUR_MS = 3_600_000;
const now = Date.now();

export interface Wish {
  readonly name: string;
  /** Absent: signs itself. */
  readonly by?: Holder;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly extensions: readonly ExtensionTemplate[];
}

export function certified({ name, by, notBefore, notAfter, extensions }: Wish): Holder {
  const key = generateKey('p256');
  const subject = buildName([{ type: 'CN', value: name }]);
  const issuer = by ?? { key, certificate: { subject } };
  const template = {
    subject,
    issuer: issuer.certificate.subject,
    serial: serialNumber(systemRandom.bytes(20)),
    notBefore: notBefore ?? now - HOUR_MS,
    notAfter: notAfter ?? now + 24 * HOUR_MS,
    publicKey: key.publicKey,
    extensions: [
      ...extensions,
      extensionOf.subjectKeyId(key.publicKey),
      extensionOf.authorityKeyId(keyIdentifier(issuer.key.publicKey)),
    ],
  };
  return { key, certificate: unwrap(parseCertificate(buildCertificate(template, issuer.key))) };
}

export const authority = (name: string, by?: Holder, more: Partial<Wish> = {}): Holder =>
  certified({
    name,
    ...(by === undefined ? {} : { by }),
    extensions: [extensionOf.keyUsage('keyCertSign', 'cRLSign'), extensionOf.authority()],
    ...more,
  });

export const signer = (email: string, by: Holder, more: Partial<Wish> = {}): Holder =>
  certified({
    name: email,
    by,
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
      extensionOf.subjectAltName([{ type: 'email', value: email }]),
    ],
    ...more,
  });

export const pem = (...holders: readonly { readonly certificate: Certificate }[]): string =>
  holders.map(({ certificate }) => pemEncode('CERTIFICATE', certificate.der)).join('');
