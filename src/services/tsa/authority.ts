/**
 * Root and leaf of the timestamp authority: opened from the key store, made at the first start. A key is durable
 * before the certificate that names it, so a crash in between leaves a start that simply goes on.
 */
import { equalBytes, toHex } from '#base/bytes';
import { type KeyHolder, verifySignature } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseCertificatePem } from '#formats/certificate-pem';
import { signDraftBy } from '#formats/draft';
import { pemEncode } from '#formats/pem';
import { type Certificate, parseCertificate, verifyCertificateSignature } from '#formats/x509';
import {
  buildName,
  certificateDraft,
  type ExtensionTemplate,
  extensionOf,
  extKeyUsage,
  keyIdentifier,
  serialNumber,
} from '#formats/x509-build';
import { type KeyHolders, keyHolders } from '#platform/key-store';
import { DAY_MS, type TsaConfig } from './config.ts';
import { R } from './reasons.ts';

const YEARS_TEN_MS = 3650 * DAY_MS;

export interface TsaAuthority {
  readonly root: Certificate;
  /** Extended key usage timeStamping, critical and alone. */
  readonly leaf: Certificate;
  readonly signer: KeyHolder;
}

/** Throws WB-1051 when keys and certificates do not belong together. */
export async function openTsaAuthority(config: TsaConfig): Promise<TsaAuthority> {
  const root = (await keptCertificate(config, 'root')) ?? (await makeRoot(config));
  const leaf = (await keptCertificate(config, 'tsa')) ?? (await makeLeaf(config, root));
  const signer = await heldKey(config, 'tsa', leaf);
  if (!verifyCertificateSignature(leaf, root)) {
    throw fail(R.authority, { expected: 'a certificate signed by the root', actual: 'another signature' });
  }
  return { root, leaf, signer };
}

async function keptCertificate({ keys }: TsaConfig, name: string): Promise<Certificate | undefined> {
  const pem = await keys.read(`${name}.pem`);
  if (pem === undefined) return undefined;
  const read = parseCertificatePem(pem, `${keys.place ?? ''}/${name}.pem`);
  if (read.ok) return read.value;
  const { expected, actual } = read.error;
  throw fail(R.authority, { expected, actual });
}

const holdersOf = ({ keys, holders }: TsaConfig): KeyHolders => holders ?? keyHolders(keys);

/** The kept key, proven by a signature to be the one in the certificate. */
async function heldKey(config: TsaConfig, name: string, certificate: Certificate): Promise<KeyHolder> {
  const signer = await holdersOf(config).find(name);
  const expected = `the key of ${certificate.subjectText} (serial ${toHex(certificate.serial)})`;
  if (signer === undefined) throw fail(R.authority, { expected, actual: 'no such key' });
  const nonce = config.random.bytes(32);
  const isSame = equalBytes(signer.publicKey.spki, certificate.publicKey.spki);
  if (isSame && verifySignature(certificate.publicKey, nonce, await signer.sign(nonce))) return signer;
  throw fail(R.authority, { expected, actual: 'another key' });
}

async function makeRoot(config: TsaConfig): Promise<Certificate> {
  const signer = await holdersOf(config).open('root', 'p256');
  const name = nameOf(config, 'tsa root');
  const extensions = [
    extensionOf.keyUsage('keyCertSign', 'cRLSign'),
    extensionOf.authority(),
    extensionOf.subjectKeyId(signer.publicKey),
  ];
  return publish(config, 'root', { subject: name, issuer: name, of: signer, by: signer, extensions });
}

async function makeLeaf(config: TsaConfig, root: Certificate): Promise<Certificate> {
  const by = await heldKey(config, 'root', root);
  const of = await holdersOf(config).open('tsa', 'p256');
  const extensions = [
    extensionOf.keyUsage('digitalSignature'),
    extensionOf.extKeyUsage([extKeyUsage.timeStamping], true),
    extensionOf.subjectKeyId(of.publicKey),
    extensionOf.authorityKeyId(root.subjectKeyId ?? keyIdentifier(root.publicKey)),
  ];
  const parts = { subject: nameOf(config, 'tsa'), issuer: root.subject, of, by, extensions };
  return publish(config, 'tsa', parts, root.notAfter);
}

function nameOf(config: TsaConfig, role: string): Uint8Array {
  const organization = config.organization ?? 'waybill';
  return buildName([
    { type: 'O', value: organization },
    { type: 'CN', value: `${organization} ${role}` },
  ]);
}

interface CertificateParts {
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly of: KeyHolder;
  readonly by: KeyHolder;
  readonly extensions: readonly ExtensionTemplate[];
}

async function publish(
  config: TsaConfig,
  file: string,
  { subject, issuer, of, by, extensions }: CertificateParts,
  notAfter = config.clock.now() + YEARS_TEN_MS,
): Promise<Certificate> {
  const notBefore = config.clock.now();
  const serial = serialNumber(config.random.bytes(20));
  const { publicKey } = of;
  const template = { subject, issuer, serial, notBefore, notAfter, publicKey, extensions };
  const der = await signDraftBy(certificateDraft(template, by.publicKey), by);
  await config.keys.write(`${file}.pem`, pemEncode('CERTIFICATE', der));
  return unwrap(parseCertificate(der));
}
