/**
 * Writing certificates: a template in, DER out. The order of extensions is the caller's and is kept, because a
 * certificate and its precertificate must agree byte for byte (RFC 6962 §3.1).
 */
import type { Der } from '#base/brand';
import { defaultHash, type HashName, type PublicKey, type Signer, sha1Unsafe, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import type { NonEmpty } from '#base/result';
import { R } from './crypto-reasons.ts';
import { der, readDer, tags, wholeBits } from './der.ts';
import { type Draft, signDraft } from './draft.ts';
import { type FulcioClaims, fulcioExtensions, fulcioValue, OTHER_NAME_OID } from './fulcio.ts';
import { ipBytes } from './ip-address.ts';
import { type Sct, sctListValue } from './sct.ts';
import { type Certificate, readCertificate } from './x509.ts';
import { signatureAlgorithmDer, signatureAlgorithmFor } from './x509-algorithms.ts';
import { extKeyUsage, oids, POISON_OID, type San } from './x509-extensions.ts';
import { buildName } from './x509-name.ts';

export { buildCsr, type CertificateRequest, parseCsr, verifyCsrSignature } from './csr.ts';
export { extKeyUsage, POISON_OID } from './x509-extensions.ts';
export { buildName, type NameAttribute } from './x509-name.ts';

export interface ExtensionTemplate {
  readonly oid: string;
  readonly critical?: boolean;
  /** Content of the extnValue OCTET STRING. */
  readonly value: Uint8Array;
}

export interface CertificateTemplate {
  /** Raw Name, for example of `buildName`; `emptyName` for none. */
  readonly subject: Uint8Array;
  /** Raw Name: the issuer's `subject`. */
  readonly issuer: Uint8Array;
  /** Magnitude, big-endian; `serialNumber` makes a random one. */
  readonly serial: Uint8Array;
  /** Milliseconds since the epoch; fractions of a second are dropped. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: PublicKey;
  readonly extensions: readonly ExtensionTemplate[];
}

export const emptyName: Uint8Array = der.seq();

/** A positive serial number from 20 random bytes: 159 bits, never zero (RFC 5280 §4.1.2.2). */
export function serialNumber(randomBytes: Uint8Array): Uint8Array {
  if (randomBytes.length !== 20) throw new RangeError('a serial number takes 20 random bytes');
  const serial = randomBytes.slice();
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  return serial;
}

/** A certificate before its signature by `issuerKey`. ECDSA uses the hash of the curve unless `hash` says otherwise. */
export function certificateDraft(
  template: CertificateTemplate,
  issuerKey: PublicKey,
  hash: HashName = defaultHash(issuerKey.kind),
): Draft {
  return shared(template, issuerKey, hash).draft();
}

/** A certificate with promises of logs, step by step; what the steps share is encoded once. */
export interface PromisedDrafts {
  /** The same certificate poisoned, with the same serial (RFC 6962 §3.1). */
  readonly precertificate: Draft;
  /** The TBSCertificate a log signs a promise for: without poison and without SCTs (RFC 6962 §3.2). */
  readonly promisedTbs: Uint8Array;
  /** The final certificate: the template's extensions, then the SCT list. */
  certificate(scts: NonEmpty<Sct>): Draft;
}

export function promisedDrafts(
  template: CertificateTemplate,
  issuerKey: PublicKey,
  hash: HashName = defaultHash(issuerKey.kind),
): PromisedDrafts {
  const { draft, tbs } = shared(template, issuerKey, hash);
  return {
    precertificate: draft(extensionOf.poison()),
    promisedTbs: tbs(),
    certificate: (scts) => draft(extensionOf.sctList(scts)),
  };
}

/** Signs a certificate with a key at hand. */
export function buildCertificate(template: CertificateTemplate, signer: Signer, hash?: HashName): Der {
  return signDraft(certificateDraft(template, signer.publicKey, hash), signer);
}

export function buildPrecertificate(template: CertificateTemplate, signer: Signer, hash?: HashName): Der {
  return signDraft(promisedDrafts(template, signer.publicKey, hash).precertificate, signer);
}

export function buildCertificateWithScts(
  template: CertificateTemplate,
  scts: NonEmpty<Sct>,
  signer: Signer,
  hash?: HashName,
): Der {
  return signDraft(promisedDrafts(template, signer.publicKey, hash).certificate(scts), signer);
}

const VERSION_3 = der.explicit(0, der.int(2));

/** The parts of a certificate before its last extension, and what makes a certificate of them. */
function shared(template: CertificateTemplate, issuerKey: PublicKey, hash: HashName) {
  const algorithm = signatureAlgorithmDer(signatureAlgorithmFor(issuerKey.kind, hash));
  const head = [
    VERSION_3,
    der.int(template.serial),
    algorithm,
    template.issuer,
    der.seq(der.utcOrGeneralTime(template.notBefore), der.utcOrGeneralTime(template.notAfter)),
    template.subject,
    template.publicKey.spki,
  ];
  const extensions = template.extensions.map(extensionDer);
  const tbs = (...last: readonly ExtensionTemplate[]): Uint8Array =>
    der.seq(...head, der.explicit(3, der.seq(...extensions, ...last.map(extensionDer))));
  const draft = (...last: readonly ExtensionTemplate[]): Draft => {
    const toBeSigned = tbs(...last);
    return {
      toBeSigned,
      hash,
      assemble: (signature) => der.seq(toBeSigned, algorithm, der.bits(signature)) as Der,
    };
  };
  return { tbs, draft };
}

const CRITICAL = der.bool(true);

const extensionDer = ({ oid, critical, value }: ExtensionTemplate): Uint8Array =>
  critical === true
    ? der.seq(der.oid(oid), CRITICAL, der.octets(value))
    : der.seq(der.oid(oid), der.octets(value));

/** Key identifier: the first 160 bits of SHA-256 over the key bits (RFC 7093 §2, method 1). */
export const keyIdentifier = (key: PublicKey): Uint8Array => sha256(keyBits(key)).slice(0, 20);

/** The one of RFC 5280 §4.2.1.2 (1), which Fulcio gives its leaves: a name, with which nothing is proven. */
export const keyIdentifierSha1 = (key: PublicKey): Uint8Array => sha1Unsafe(keyBits(key));

function keyBits(key: PublicKey): Uint8Array {
  const bits = readDer(key.spki).children()[1];
  if (bits?.tag !== tags.bits) throw new Error('a public key without key bits');
  return wholeBits(bits);
}

const usageBits = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 } as const;

/** Extensions by name; critical where RFC 5280 or the Sigstore profile demands it. */
export const extensionOf = {
  keyUsage: (...usages: readonly (keyof typeof usageBits)[]): ExtensionTemplate => ({
    oid: oids.keyUsage,
    critical: true,
    value: der.namedBits(usages.map((usage) => usageBits[usage])),
  }),
  extKeyUsage: (purposes: readonly string[], critical = false): ExtensionTemplate => ({
    oid: oids.extKeyUsage,
    critical,
    value: der.seq(...purposes.map((purpose) => der.oid(purpose))),
  }),
  /** A CA; `pathLen` undefined leaves the length of the path below open. */
  authority: (pathLen?: number): ExtensionTemplate => ({
    oid: oids.basicConstraints,
    critical: true,
    value: der.seq(der.bool(true), ...(pathLen === undefined ? [] : [der.int(pathLen)])),
  }),
  subjectKeyId: (key: PublicKey, identifier = keyIdentifier): ExtensionTemplate => ({
    oid: oids.subjectKeyId,
    value: der.octets(identifier(key)),
  }),
  authorityKeyId: (keyId: Uint8Array): ExtensionTemplate => ({
    oid: oids.authorityKeyId,
    value: der.seq(der.implicit(0, der.octets(keyId))),
  }),
  subjectAltName: (sans: NonEmpty<San>, critical = false): ExtensionTemplate => ({
    oid: oids.subjectAltName,
    critical,
    value: der.seq(...sans.map(generalName)),
  }),
  sctList: (scts: NonEmpty<Sct>): ExtensionTemplate => ({ oid: oids.sctList, value: sctListValue(scts) }),
  poison: (): ExtensionTemplate => ({ oid: POISON_OID, critical: true, value: der.nul() }),
} as const;

/** The Sigstore extensions for these claims, in the order a Sigstore authority writes them; empty ones left out. */
export function fulcioExtensionTemplates(claims: FulcioClaims): ExtensionTemplate[] {
  return fulcioExtensions.flatMap((extension) => {
    const text = claims[extension.claim];
    if (text === undefined || text === '') return [];
    return [{ oid: extension.oid, value: fulcioValue(extension, text) }];
  });
}

function generalName(san: San): Uint8Array {
  switch (san.type) {
    case 'otherName':
      return der.implicit(0, der.seq(der.oid(OTHER_NAME_OID), der.explicit(0, der.utf8(san.value))));
    case 'email':
      return der.implicit(1, ascii(san.value));
    case 'dns':
      return der.implicit(2, ascii(san.value));
    case 'uri':
      return der.implicit(6, ascii(san.value));
    case 'ip':
      return der.implicit(7, der.octets(ipBytes(san.value)));
    default:
      throw fail(R.extension, { expected: 'an email, dns, uri, ip or otherName', actual: san.type });
  }
}

function ascii(text: string): Uint8Array {
  if (text === '' || !/^[\x20-\x7e]+$/.test(text)) {
    throw fail(R.extension, {
      expected: 'an alternative name of printable ASCII',
      actual: JSON.stringify(text),
    });
  }
  return der.ia5(text);
}

export interface AuthorityKey {
  readonly certificate: Certificate;
  readonly signer: Signer;
}

interface Issue {
  readonly serial: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A self-signed root for TLS inside one system. */
export function selfSignedAuthority(commonName: string, signer: Signer, issue: Issue): AuthorityKey {
  const name = buildName([{ type: 'CN', value: commonName }]);
  const template: CertificateTemplate = {
    ...issue,
    subject: name,
    issuer: name,
    publicKey: signer.publicKey,
    extensions: [
      extensionOf.keyUsage('keyCertSign', 'cRLSign'),
      extensionOf.authority(),
      extensionOf.subjectKeyId(signer.publicKey),
    ],
  };
  return { certificate: readCertificate(buildCertificate(template, signer)), signer };
}

/** A TLS server certificate for DNS names and IP addresses, issued by `authority`. */
export function serverCertificate(
  authority: AuthorityKey,
  hosts: NonEmpty<string>,
  publicKey: PublicKey,
  issue: Issue,
): Der {
  const [first, ...rest] = hosts.map((host): San => ({ type: isAddress(host) ? 'ip' : 'dns', value: host }));
  const template: CertificateTemplate = {
    ...issue,
    subject: buildName([{ type: 'CN', value: hosts[0].slice(0, 64) }]),
    issuer: authority.certificate.subject,
    publicKey,
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.serverAuth]),
      extensionOf.subjectKeyId(publicKey),
      extensionOf.authorityKeyId(
        authority.certificate.subjectKeyId ?? keyIdentifier(authority.certificate.publicKey),
      ),
      extensionOf.subjectAltName([first as San, ...rest]),
    ],
  };
  return buildCertificate(template, authority.signer);
}

const isAddress = (host: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(':');
