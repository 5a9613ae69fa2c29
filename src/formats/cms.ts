/**
 * CMS SignedData (RFC 5652) as far as timestamp tokens use it: one signer, signed attributes, content inside.
 * Only the shape is read here; what the content means is the caller's.
 */
import { concat, equalBytes } from '#base/bytes';
import { type HashName, hash, sha1Unsafe, verifySignature } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt } from '#base/result';
import { R } from './crypto-reasons.ts';
import { contextTag, type DerNode, oidText, smallInteger, tags } from './der.ts';
import { type Certificate, readCertificate } from './x509.ts';
import {
  familyOf,
  readAlgorithm,
  readHashAlgorithm,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
} from './x509-algorithms.ts';

export const cmsOids = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;

const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';

/** How a token names the certificate of its signer. */
export type SignerIdentifier =
  | { readonly kind: 'issuerSerial'; readonly issuer: Uint8Array; readonly serial: Uint8Array }
  | { readonly kind: 'keyId'; readonly keyId: Uint8Array };

/** The hash of the signer's certificate inside the signed attributes (RFC 5035). */
export interface SigningCertificateId {
  readonly algorithm: HashName | 'sha1';
  readonly hash: Uint8Array;
}

export interface SignerInfo {
  readonly signer: SignerIdentifier;
  readonly digestAlgorithm: HashName;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** The bytes that are signed: the attributes as SET OF (RFC 5652 §5.4). */
  readonly signedBytes: Uint8Array;
  readonly contentType: string;
  readonly messageDigest: Uint8Array;
  readonly signingCertificate: SigningCertificateId;
}

export interface SignedData {
  readonly contentType: string;
  /** Content octets: what the message digest covers. */
  readonly content: Uint8Array;
  /** Raw certificates, in the order written. Nothing vouches for them. */
  readonly embedded: readonly Uint8Array[];
  readonly signerInfo: SignerInfo;
}

const malformed = (expected: string, actual: string): Error => fail(R.cms, { expected, actual });

/** RFC 3161 §2.4.2, RFC 5816: without these a signature does not say what it is over, or by whom. */
const unattributed = (name: string): Error =>
  fail(R.cms, { expected: `signed attribute ${name}`, actual: 'none', class: 'signature' });

/** Reads a ContentInfo that holds SignedData. Throws WB-121 to WB-132. */
export function readSignedData(contentInfo: DerNode): SignedData {
  const outer = contentInfo.cursor('ContentInfo');
  const type = oidText(outer.take(tags.oid, 'contentType'));
  if (type !== cmsOids.signedData) throw malformed('SignedData', type);
  const [inner, ...more] = outer.take(contextTag(0), 'content').children();
  outer.finish();
  if (inner?.tag !== tags.seq || more.length > 0) throw malformed('one SignedData', 'another structure');
  const cursor = inner.cursor('SignedData');
  cursor.take(tags.int, 'version');
  cursor.take(tags.set, 'digestAlgorithms');
  const content = cursor.take(tags.seq, 'encapContentInfo').cursor('EncapsulatedContentInfo');
  const contentType = oidText(content.take(tags.oid, 'eContentType'));
  const [octets, ...others] = content.take(contextTag(0), 'eContent').children();
  content.finish();
  if (octets?.tag !== tags.octets || others.length > 0)
    throw malformed('content as one OCTET STRING', 'none');
  const embedded = cursor.maybe(contextTag(0))?.children() ?? [];
  if (embedded.length > limits.chainCertificates) {
    const expected = `at most ${limits.chainCertificates} certificates`;
    throw fail(R.cms, { expected, actual: `${embedded.length}`, class: 'limit' });
  }
  cursor.maybe(contextTag(1));
  const signers = cursor.take(tags.set, 'signerInfos').children();
  cursor.finish();
  const [signer, ...extra] = signers;
  // RFC 3161 §2.4.2: a token carries the signature of its authority and no other.
  if (signer?.tag !== tags.seq || extra.length > 0)
    throw malformed('exactly one signer', `${signers.length}`);
  return {
    contentType,
    content: octets.body,
    embedded: embedded.map((node) => node.raw),
    signerInfo: readSignerInfo(signer),
  };
}

function readSignerInfo(node: DerNode): SignerInfo {
  const cursor = node.cursor('SignerInfo');
  const version = smallInteger(cursor.take(tags.int, 'version'));
  if (version !== 1 && version !== 3) throw malformed('SignerInfo version 1 or 3', `${version}`);
  const signer = readSignerIdentifier(cursor.any('sid'));
  const digestAlgorithm = readHashAlgorithm(cursor.take(tags.seq, 'digestAlgorithm'), 'digest');
  if (digestAlgorithm === undefined) {
    throw fail(R.algorithm, { expected: 'SHA-256, SHA-384 or SHA-512', actual: 'another message digest' });
  }
  const attributes = cursor.maybe(contextTag(0));
  if (attributes === undefined) throw unattributed('signedAttrs');
  const signatureAlgorithm = readSignerAlgorithm(
    cursor.take(tags.seq, 'signatureAlgorithm'),
    digestAlgorithm,
  );
  const signature = cursor.take(tags.octets, 'signature').body;
  cursor.maybe(contextTag(1));
  cursor.finish();
  return {
    signer,
    digestAlgorithm,
    signatureAlgorithm,
    signature,
    signedBytes: concat(Uint8Array.of(tags.set), attributes.raw.subarray(1)),
    ...readAttributes(attributes),
  };
}

function readSignerIdentifier(node: DerNode): SignerIdentifier {
  if (node.tag === contextTag(0, false)) return { kind: 'keyId', keyId: node.body };
  if (node.tag !== tags.seq) throw malformed('issuerAndSerialNumber or a key identifier', 'another form');
  const cursor = node.cursor('IssuerAndSerialNumber');
  const issuer = cursor.take(tags.seq, 'issuer').raw;
  const serial = cursor.take(tags.int, 'serialNumber').body;
  cursor.finish();
  return { kind: 'issuerSerial', issuer, serial };
}

/** CMS lets an RSA signer name the key's algorithm only; the hash is then the message digest's (RFC 3370 §3.2). */
function readSignerAlgorithm(node: DerNode, digest: HashName): SignatureAlgorithm {
  const { oid } = readAlgorithm(node, 'signer signature');
  if (oid === RSA_ENCRYPTION) return { oid, family: 'rsa', hash: digest };
  return readSignatureAlgorithm(node, 'signer signature');
}

type Attributes = Pick<SignerInfo, 'contentType' | 'messageDigest' | 'signingCertificate'>;

function readAttributes(set: DerNode): Attributes {
  const values = new Map<string, DerNode>();
  for (const attribute of set.children()) {
    if (attribute.tag !== tags.seq) throw malformed('attributes as sequences', 'another form');
    const cursor = attribute.cursor('Attribute');
    const oid = oidText(cursor.take(tags.oid, 'attrType'));
    const [value, ...more] = cursor.take(tags.set, 'attrValues').children();
    cursor.finish();
    if (value === undefined || more.length > 0 || values.has(oid)) {
      throw malformed(`one value of attribute ${oid}`, 'none or several');
    }
    values.set(oid, value);
  }
  const contentType = values.get(cmsOids.contentType);
  const messageDigest = values.get(cmsOids.messageDigest);
  const second = values.get(cmsOids.signingCertificateV2);
  const first = values.get(cmsOids.signingCertificate);
  const certificateId = second ?? first;
  if (contentType?.tag !== tags.oid) throw unattributed('contentType');
  if (messageDigest?.tag !== tags.octets) throw unattributed('messageDigest');
  if (certificateId === undefined) throw unattributed('signingCertificate');
  return {
    contentType: oidText(contentType),
    messageDigest: messageDigest.body,
    signingCertificate: readCertificateId(certificateId, second !== undefined),
  };
}

/** The first certificate identifier: the signer's (RFC 5035 §5.4). Policies and further ones are not read. */
function readCertificateId(node: DerNode, isSecond: boolean): SigningCertificateId {
  const list = node.cursor('SigningCertificate').take(tags.seq, 'certs').cursor('certs');
  const cursor = list.take(tags.seq, 'ESSCertID').cursor('ESSCertID');
  const algorithm = isSecond ? cursor.maybe(tags.seq) : undefined;
  const value = cursor.take(tags.octets, 'certHash').body;
  cursor.maybe(tags.seq);
  cursor.finish();
  if (!isSecond) return { algorithm: 'sha1', hash: value };
  const name = algorithm === undefined ? 'sha256' : readHashAlgorithm(algorithm, 'ESSCertIDv2');
  if (name === undefined) {
    throw fail(R.algorithm, { expected: 'ESSCertIDv2 with SHA-2', actual: 'another hash' });
  }
  return { algorithm: name, hash: value };
}

/** Whether the token names this certificate as its signer's, by issuer and serial or by key identifier. */
export function namesSigner(signer: SignerIdentifier, certificate: Certificate): boolean {
  if (signer.kind === 'issuerSerial') {
    return equalBytes(signer.issuer, certificate.issuer) && equalBytes(signer.serial, certificate.serial);
  }
  return certificate.subjectKeyId !== undefined && equalBytes(signer.keyId, certificate.subjectKeyId);
}

/** The first check of the signature that fails, in words; undefined when `certificate` made it. */
export function signatureFault(data: SignedData, certificate: Certificate): string | undefined {
  const { signerInfo } = data;
  if (!namesSigner(signerInfo.signer, certificate)) return 'a token that names another signer';
  if (signerInfo.contentType !== data.contentType)
    return 'a contentType attribute that differs from the content';
  const digest = hash(signerInfo.digestAlgorithm, data.content);
  if (!equalBytes(digest, signerInfo.messageDigest))
    return 'a messageDigest attribute that does not fit the content';
  const { algorithm, hash: expected } = signerInfo.signingCertificate;
  const actual = algorithm === 'sha1' ? sha1Unsafe(certificate.der) : hash(algorithm, certificate.der);
  if (!equalBytes(actual, expected)) return 'a signingCertificate attribute that names another certificate';
  const { family, hash: signatureHash } = signerInfo.signatureAlgorithm;
  const isOurs =
    familyOf(certificate.publicKey.kind) === family &&
    verifySignature(certificate.publicKey, signerInfo.signedBytes, signerInfo.signature, signatureHash);
  return isOurs ? undefined : 'a signature that does not verify';
}

/** Those embedded certificates that parse. Anyone can put any certificate there, so what does not parse is skipped. */
export function parsedCertificates(embedded: readonly Uint8Array[]): Certificate[] {
  return embedded.flatMap((bytes) => {
    const parsed = attempt(() => readCertificate(bytes));
    return parsed.ok ? [parsed.value] : [];
  });
}
