/**
 * Root and intermediate of the authority: opened from the key store, made at the first start. A key is durable
 * before the certificate that names it, so a crash in between leaves a start that simply goes on.
 */
import { equalBytes, toHex } from '#base/bytes';
import { type KeyHolder, verifySignature } from '#base/crypto';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseCertificatePem } from '#formats/certificate-pem';
import { signDraftBy } from '#formats/draft';
import { pemEncode } from '#formats/pem';
import { type Certificate, parseCertificate, verifyCertificateSignature } from '#formats/x509';
import {
  buildName,
  type CertificateTemplate,
  certificateDraft,
  extensionOf,
  extKeyUsage,
  keyIdentifier,
  serialNumber,
} from '#formats/x509-build';
import type { KeyHolders, KeyStore } from '#platform/key-store';
import { DAY_MS } from './config.ts';
import { R } from './reasons.ts';

const ROOT_DAYS = 3650;
const INTERMEDIATE_DAYS = 1825;

export interface Authority {
  readonly root: Certificate;
  readonly intermediate: Certificate;
  /** The intermediate's key. The root's is not held in memory. */
  readonly signer: KeyHolder;
}

export interface AuthorityOptions {
  /** Where the certificates are kept. */
  readonly keys: KeyStore;
  readonly holders: KeyHolders;
  readonly random: Random;
  readonly organization: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Throws WB-1015 when keys and certificates do not belong together. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const root = (await keptCertificate(options.keys, 'root')) ?? (await makeRoot(options));
  const kept = await keptCertificate(options.keys, 'intermediate');
  const intermediate = kept ?? (await makeIntermediate(options, root));
  const signer = await options.holders.find('intermediate');
  if (signer === undefined) {
    throw fail(R.authority, { expected: 'the key of the intermediate certificate', actual: 'no such key' });
  }
  await requireMatch(signer, intermediate, options.random);
  if (!verifyCertificateSignature(intermediate, root)) {
    throw fail(R.authority, { expected: 'an intermediate signed by the root', actual: 'another signature' });
  }
  return { root, intermediate, signer };
}

async function keptCertificate(keys: KeyStore, name: string): Promise<Certificate | undefined> {
  const pem = await keys.read(`${name}.pem`);
  if (pem === undefined) return undefined;
  const read = parseCertificatePem(pem, `${keys.place ?? ''}/${name}.pem`);
  if (read.ok) return read.value;
  const { expected, actual } = read.error;
  throw fail(R.authority, { expected, actual });
}

/** Proves by a signature that the key in hand is the one the world was told about. */
async function requireMatch(signer: KeyHolder, certificate: Certificate, random: Random): Promise<void> {
  const nonce = random.bytes(32);
  const isSame = equalBytes(signer.publicKey.spki, certificate.publicKey.spki);
  if (isSame && verifySignature(certificate.publicKey, nonce, await signer.sign(nonce))) return;
  const expected = `the key of ${certificate.subjectText} (serial ${toHex(certificate.serial)})`;
  throw fail(R.authority, { expected, actual: 'another key' });
}

async function makeRoot(options: AuthorityOptions): Promise<Certificate> {
  const signer = await options.holders.open('root', 'p256');
  const name = authorityName(options.organization, 'root');
  const template: CertificateTemplate = {
    subject: name,
    issuer: name,
    serial: serialNumber(options.random.bytes(20)),
    notBefore: options.now,
    notAfter: options.now + ROOT_DAYS * DAY_MS,
    publicKey: signer.publicKey,
    extensions: [
      extensionOf.keyUsage('keyCertSign', 'cRLSign'),
      extensionOf.authority(),
      extensionOf.subjectKeyId(signer.publicKey),
    ],
  };
  const draft = certificateDraft(template, signer.publicKey);
  return publish(options.keys, 'root', await signDraftBy(draft, signer));
}

async function makeIntermediate(options: AuthorityOptions, root: Certificate): Promise<Certificate> {
  const rootSigner = await options.holders.find('root');
  if (rootSigner === undefined) {
    throw fail(R.authority, { expected: 'the root key, to sign an intermediate', actual: 'no such key' });
  }
  await requireMatch(rootSigner, root, options.random);
  const { publicKey } = await options.holders.open('intermediate', 'p256');
  const template: CertificateTemplate = {
    subject: authorityName(options.organization, 'intermediate'),
    issuer: root.subject,
    serial: serialNumber(options.random.bytes(20)),
    notBefore: options.now,
    notAfter: Math.min(options.now + INTERMEDIATE_DAYS * DAY_MS, root.notAfter),
    publicKey,
    extensions: [
      extensionOf.keyUsage('keyCertSign', 'cRLSign'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
      extensionOf.authority(0),
      extensionOf.subjectKeyId(publicKey),
      extensionOf.authorityKeyId(root.subjectKeyId ?? keyIdentifier(root.publicKey)),
    ],
  };
  const draft = certificateDraft(template, rootSigner.publicKey);
  return publish(options.keys, 'intermediate', await signDraftBy(draft, rootSigner));
}

const authorityName = (organization: string, role: string): Uint8Array =>
  buildName([
    { type: 'O', value: organization },
    { type: 'CN', value: `${organization} ${role}` },
  ]);

async function publish(keys: KeyStore, name: string, der: Uint8Array): Promise<Certificate> {
  const certificate = unwrap(parseCertificate(der));
  await keys.write(`${name}.pem`, pemEncode('CERTIFICATE', der));
  return certificate;
}
