/**
 * X.509 v3 certificates (RFC 5280), read strictly: one pass checks everything a verifier relies on, names and
 * claims become text when asked for, and every part is a window into the bytes given.
 *
 * Refused here, because no use of such a certificate is sound: another version, inner and outer algorithm that
 * differ, negative or oversized serial numbers, notAfter before notBefore, repeated or malformed extensions, an
 * empty subject without a critical SAN, unsupported keys and signature algorithms, issuer claims that disagree.
 */
import type { Der } from '#base/brand';
import { equalBytes, toHex } from '#base/bytes';
import { type PublicKey, verifySignature, verifySignatureAsync } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result } from '#base/result';
import { R } from './crypto-reasons.ts';
import { contextTag, type DerNode, isTrue, oidText, readDer, readSequence, tags, wholeBits } from './der.ts';
import { timeMs } from './der-time.ts';
import {
  type FulcioClaims,
  fulcioExtension,
  ISSUER_V1_OID,
  ISSUER_V2_OID,
  readFulcioValue,
} from './fulcio.ts';
import {
  familyOf,
  readPublicKey,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
} from './x509-algorithms.ts';
import {
  type KeyUsage,
  oids,
  readAuthorityKeyId,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
  readSans,
  readSubjectKeyId,
  type San,
} from './x509-extensions.ts';
import { checkName, nameText } from './x509-name.ts';

export { type FulcioClaims, type FulcioExtension, fulcioExtensions } from './fulcio.ts';
export { type SignatureAlgorithm, signatureAlgorithmFor } from './x509-algorithms.ts';
export { type KeyUsage, oids, type San } from './x509-extensions.ts';
export { buildName, type NameAttribute, nameText, readName } from './x509-name.ts';

export interface Extension {
  readonly critical: boolean;
  /** Content of the extnValue OCTET STRING. */
  readonly value: Uint8Array;
}

interface Parts {
  readonly der: Der;
  readonly tbs: DerNode;
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: PublicKey;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly extensions: ReadonlyMap<string, Extension>;
}

/** A parsed certificate. Made by `parseCertificate` only. */
export class Certificate {
  readonly der: Der;
  /** The signed part, header included: a slice of `der`. */
  readonly tbs: Uint8Array;
  /** Content octets of the serial number INTEGER, sign octet included. */
  readonly serial: Uint8Array;
  /** Raw Name. */
  readonly issuer: Uint8Array;
  /** Raw Name. */
  readonly subject: Uint8Array;
  /** Milliseconds since the epoch, inclusive. */
  readonly notBefore: number;
  /** Milliseconds since the epoch, inclusive. */
  readonly notAfter: number;
  /** The native handle is made at first use; a key that is no point of its curve verifies nothing. */
  readonly publicKey: PublicKey;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** By dotted identifier, in the order written. */
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly sans: readonly San[];
  /** Undefined when the extension is absent. */
  readonly keyUsage: KeyUsage | undefined;
  /** Dotted identifiers; empty when the extension is absent. */
  readonly extKeyUsages: readonly string[];
  readonly isCa: boolean;
  readonly pathLen: number | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  /** keyIdentifier of the authority key identifier. */
  readonly authorityKeyId: Uint8Array | undefined;
  /** What the identity token said, as far as the extensions repeat it. */
  readonly fulcio: FulcioClaims;
  /** Critical extensions this parser does not interpret: a verifier must refuse the certificate if any remain. */
  readonly unknownCritical: readonly string[];
  readonly #tbsNode: DerNode;
  #texts: { subject: string; issuer: string } | undefined;

  /** @internal */
  constructor(parts: Parts) {
    this.der = parts.der;
    this.tbs = parts.tbs.raw;
    this.#tbsNode = parts.tbs;
    this.serial = parts.serial;
    this.issuer = parts.issuer;
    this.subject = parts.subject;
    this.notBefore = parts.notBefore;
    this.notAfter = parts.notAfter;
    this.publicKey = parts.publicKey;
    this.signatureAlgorithm = parts.signatureAlgorithm;
    this.signature = parts.signature;
    this.extensions = parts.extensions;
    const constraints = interpret(parts.extensions, oids.basicConstraints, readBasicConstraints);
    this.sans = interpret(parts.extensions, oids.subjectAltName, readSans) ?? [];
    this.keyUsage = interpret(parts.extensions, oids.keyUsage, readKeyUsage);
    this.extKeyUsages = interpret(parts.extensions, oids.extKeyUsage, readExtendedKeyUsage) ?? [];
    this.isCa = constraints?.isCa ?? false;
    this.pathLen = constraints?.pathLen;
    this.subjectKeyId = interpret(parts.extensions, oids.subjectKeyId, readSubjectKeyId);
    this.authorityKeyId = interpret(parts.extensions, oids.authorityKeyId, readAuthorityKeyId);
    this.fulcio = readClaims(parts.extensions);
    this.unknownCritical = unknownCriticalOf(parts.extensions);
  }

  /** RFC 4514 text. */
  get subjectText(): string {
    return this.#names().subject;
  }

  /** RFC 4514 text. */
  get issuerText(): string {
    return this.#names().issuer;
  }

  get serialHex(): string {
    return toHex(this.serial);
  }

  /** The TBSCertificate element, for those who rebuild it without some extensions (RFC 6962 §3.2). */
  get tbsNode(): DerNode {
    return this.#tbsNode;
  }

  #names(): { subject: string; issuer: string } {
    this.#texts ??= { subject: nameText(this.subject), issuer: nameText(this.issuer) };
    return this.#texts;
  }
}

/** Parses one DER certificate. Refusals: WB-105, WB-121 to WB-128. */
export function parseCertificate(bytes: Uint8Array): Result<Certificate> {
  return attempt(() => readCertificate(bytes));
}

/** Parses a SubjectPublicKeyInfo by the rules for keys in certificates: named curves, uncompressed points. */
export function parseSubjectPublicKey(spki: Uint8Array): Result<PublicKey> {
  return attempt(() => readPublicKey(readSequence(spki, 'SubjectPublicKeyInfo')));
}

/** `parseCertificate` for parsers of this room: throws `WaybillError`. */
export function readCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > limits.certificateBytes) {
    throw fail(R.certificateSize, {
      expected: `at most ${limits.certificateBytes} bytes`,
      actual: `${bytes.length} bytes`,
    });
  }
  const outer = readSequence(bytes, 'Certificate').cursor('Certificate');
  const tbs = outer.take(tags.seq, 'tbsCertificate');
  const outerAlgorithm = outer.take(tags.seq, 'signatureAlgorithm');
  const signature = wholeBits(outer.take(tags.bits, 'signatureValue'));
  outer.finish();
  const certificate = new Certificate(readTbs(bytes as Der, tbs, outerAlgorithm, signature));
  checkSubject(certificate);
  checkIssuerClaims(certificate);
  return certificate;
}

function readTbs(source: Der, tbs: DerNode, outerAlgorithm: DerNode, signature: Uint8Array): Parts {
  const cursor = tbs.cursor('TBSCertificate');
  const version = cursor.maybe(contextTag(0))?.children() ?? [];
  if (version.length !== 1 || version[0]?.tag !== tags.int || version[0].body[0] !== 2) {
    throw invalid('version 3', 'another version');
  }
  const serial = readSerial(cursor.take(tags.int, 'serialNumber'));
  const algorithm = cursor.take(tags.seq, 'signature');
  if (!equalBytes(algorithm.raw, outerAlgorithm.raw)) {
    throw invalid('the same signature algorithm inside and outside', 'two different ones');
  }
  const issuer = cursor.take(tags.seq, 'issuer');
  const validity = cursor.take(tags.seq, 'validity').cursor('Validity');
  const notBefore = timeMs(validity.any('notBefore'));
  const notAfter = timeMs(validity.any('notAfter'));
  validity.finish();
  if (notAfter < notBefore) throw invalid('notAfter not before notBefore', 'an empty validity');
  const subject = cursor.take(tags.seq, 'subject');
  checkName(issuer);
  checkName(subject);
  const publicKey = readPublicKey(cursor.take(tags.seq, 'subjectPublicKeyInfo'));
  const extensions = cursor.take(contextTag(3), 'extensions');
  cursor.finish();
  return {
    der: source,
    tbs,
    serial,
    issuer: issuer.raw,
    subject: subject.raw,
    notBefore,
    notAfter,
    publicKey,
    signatureAlgorithm: readSignatureAlgorithm(algorithm, 'certificate signature'),
    signature,
    extensions: readExtensions(extensions),
  };
}

const SERIAL_OCTETS_MAX = 20;

/** Positive or zero, at most 20 octets (RFC 5280 §4.1.2.2), a sign octet not counted. */
function readSerial(node: DerNode): Uint8Array {
  const { body } = node;
  const magnitude = body.length > 1 && body[0] === 0 ? body.length - 1 : body.length;
  if ((body[0] as number) >= 0x80 || magnitude > SERIAL_OCTETS_MAX) {
    throw invalid(`a serial number of at most ${SERIAL_OCTETS_MAX} octets, not negative`, toHex(body));
  }
  return body;
}

/** The `[3]` element of a certificate, or the extensions inside a request attribute. */
export function readExtensions(explicit: DerNode): Map<string, Extension> {
  const outer = explicit.cursor('Extensions');
  const list = outer.take(tags.seq, 'Extensions').cursor('Extensions');
  outer.finish();
  const extensions = new Map<string, Extension>();
  do {
    const cursor = list.take(tags.seq, 'Extension').cursor('Extension');
    const oid = oidText(cursor.take(tags.oid, 'extnID'));
    const critical = cursor.maybe(tags.bool);
    // DER: a DEFAULT value is not written (X.690 §11.5).
    if (critical !== undefined && !isTrue(critical))
      throw invalid('critical only when TRUE', 'critical FALSE');
    const value = cursor.take(tags.octets, 'extnValue').body;
    cursor.finish();
    if (extensions.has(oid)) throw fail(R.extension, { expected: `one extension ${oid}`, actual: 'two' });
    extensions.set(oid, { critical: critical !== undefined, value });
  } while (list.peek() !== -1);
  return extensions;
}

function interpret<T>(
  extensions: ReadonlyMap<string, Extension>,
  oid: string,
  read: (node: DerNode) => T,
): T | undefined {
  const extension = extensions.get(oid);
  return extension === undefined ? undefined : read(readDer(extension.value));
}

const NAME_CONSTRAINTS_OID = '2.5.29.30';

const interpreted: ReadonlySet<string> = new Set(Object.values(oids));

function unknownCriticalOf(extensions: ReadonlyMap<string, Extension>): string[] {
  const unknown: string[] = [];
  for (const [oid, { critical }] of extensions) {
    // Name constraints are not applied here; RFC 5280 §4.2.1.10 makes them critical, so they count as such.
    const mustBeKnown = critical || oid === NAME_CONSTRAINTS_OID;
    if (mustBeKnown && !interpreted.has(oid) && fulcioExtension(oid) === undefined) unknown.push(oid);
  }
  return unknown;
}

/** RFC 5280 §4.1.2.6: with an empty subject the alternative name is the subject and must be critical. */
function checkSubject(certificate: Certificate): void {
  const isEmpty = certificate.subject.length === 2;
  if (!isEmpty) return;
  if (certificate.sans.length === 0 || certificate.extensions.get(oids.subjectAltName)?.critical !== true) {
    throw invalid('a critical subject alternative name beside an empty subject', 'none');
  }
}

/** Verifiers differ in which issuer extension they read, so a certificate may not say two things. */
function checkIssuerClaims(certificate: Certificate): void {
  const first = certificate.extensions.get(ISSUER_V1_OID);
  const second = certificate.extensions.get(ISSUER_V2_OID);
  if (first === undefined || second === undefined) return;
  const { issuer } = certificate.fulcio;
  const old = readFulcioValue(fulcioExtension(ISSUER_V1_OID)!, first.value);
  if (old !== issuer) {
    throw fail(R.issuerClaims, {
      expected: `issuer ${JSON.stringify(issuer)} in both`,
      actual: JSON.stringify(old),
    });
  }
}

function readClaims(extensions: ReadonlyMap<string, Extension>): FulcioClaims {
  const claims: { -readonly [K in keyof FulcioClaims]: FulcioClaims[K] } = {};
  for (const [oid, { value }] of extensions) {
    const known = fulcioExtension(oid);
    if (known === undefined || (oid === ISSUER_V1_OID && extensions.has(ISSUER_V2_OID))) continue;
    claims[known.claim] = readFulcioValue(known, value);
  }
  return claims;
}

function invalid(expected: string, actual: string): Error {
  return fail(R.x509, { expected, actual });
}

/** Whether `certificate` is signed by the key of `issuer`. Names, constraints and times are the verifier's. */
export function verifyCertificateSignature(certificate: Certificate, issuer: Certificate): boolean {
  return verifyCertificateWithKey(certificate, issuer.publicKey);
}

/** Whether `certificate` is signed by `key`. */
function verifyCertificateWithKey(certificate: Certificate, key: PublicKey): boolean {
  const { family, hash } = certificate.signatureAlgorithm;
  return familyOf(key.kind) === family && verifySignature(key, certificate.tbs, certificate.signature, hash);
}

/** `verifyCertificateSignature` on another thread. */
export async function verifyCertificateSignatureAsync(
  certificate: Certificate,
  issuer: Certificate,
): Promise<boolean> {
  const { tbs, signature, signatureAlgorithm } = certificate;
  const { publicKey } = issuer;
  if (familyOf(publicKey.kind) !== signatureAlgorithm.family) return false;
  return verifySignatureAsync(publicKey, tbs, signature, signatureAlgorithm.hash);
}

/** The subject alternative names for people, `type:value`, comma separated. */
export function sanText(certificate: Certificate): string {
  return certificate.sans.map(({ type, value }) => `${type}:${value}`).join(', ');
}
