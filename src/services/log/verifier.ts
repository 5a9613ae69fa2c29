/** The key or certificate beside a signature, and the check of that signature. */
import { toHex, utf8 } from '#base/bytes';
import { type HashName, type PublicKey, publicKeyFromSpki, sha256, verifySignature } from '#base/crypto';
import { verifyEcdsaDigestAsync } from '#base/ecdsa-digest';
import { limits } from '#base/limits';
import { fail, type WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { pemDecode, pemEncode } from '#formats/pem';
import { type Certificate, parseCertificate } from '#formats/x509';
import { verifyHashSignature } from '#verify';
import { R } from './reasons.ts';

export interface Verifier {
  readonly key: PublicKey;
  readonly certificate?: Certificate;
}

/** What the log keeps of a PEM verifier: the same content in the one spelling Go writes. */
export interface PemVerifier extends Verifier {
  readonly pem: string;
}

const CERTIFICATE = 'CERTIFICATE';
const PUBLIC_KEY = 'PUBLIC KEY';

/** Reads PEM: certificates (the first one signs) or one public key. Throws WB-1031, WB-120…128, WB-105. */
export function readPemVerifier(pem: string): PemVerifier {
  const blocks = unwrap(pemDecode(pem));
  const [first] = blocks;
  const labels = new Set(blocks.map((block) => block.label));
  const known = first.label === CERTIFICATE || (first.label === PUBLIC_KEY && blocks.length === 1);
  if (!known || labels.size !== 1 || blocks.length > limits.chainCertificates) {
    const actual = blocks.length === 1 ? first.label : `${blocks.length} blocks: ${[...labels].join(', ')}`;
    const expected = `1–${limits.chainCertificates} PEM certificates or one PUBLIC KEY`;
    throw fail(R.verifier, { expected, actual });
  }
  const text = blocks.map((block) => pemEncode(block.label, block.der)).join('');
  return { ...readVerifier(first.label === CERTIFICATE, first.der), pem: text };
}

/** Reads a DER certificate or SubjectPublicKeyInfo. */
export function readVerifier(isCertificate: boolean, bytes: Uint8Array): Verifier {
  if (!isCertificate) return { key: unwrap(publicKeyFromSpki(bytes)) };
  const certificate = unwrap(parseCertificate(bytes));
  return { key: certificate.publicKey, certificate };
}

/** The PEM a verifier is searched by. */
export function pemOf(verifier: Verifier): string {
  const { certificate, key } = verifier;
  return certificate === undefined
    ? pemEncode(PUBLIC_KEY, key.spki)
    : pemEncode(CERTIFICATE, certificate.der);
}

export const pemHash = (pem: string): string => toHex(sha256(utf8(pem)));

/** Over a digest: ECDSA, RSA PKCS#1 v1.5, Ed25519ph. Throws WB-1030. */
export function requireDigestSignature(
  key: PublicKey,
  algorithm: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
): void {
  if (!verifyHashSignature(key, algorithm, digest, signature)) throw notOverDigest(key, algorithm);
}

/** The same; what ECDSA costs most runs on another thread. `digest` has the length of `algorithm`. Rejects with WB-1030. */
export async function requireDigestSignatureAsync(
  key: PublicKey,
  algorithm: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  const isEcdsa = key.kind !== 'rsa' && key.kind !== 'ed25519';
  const isValid = isEcdsa
    ? await verifyEcdsaDigestAsync(key, digest, signature)
    : verifyHashSignature(key, algorithm, digest, signature);
  if (!isValid) throw notOverDigest(key, algorithm);
}

function notOverDigest(key: PublicKey, algorithm: HashName): WaybillError {
  const expected = `a ${key.kind} signature over the ${algorithm} digest`;
  return fail(R.signature, { expected, actual: 'another' });
}

/** Hashes a DSSE signature may be made with; old P-384 and P-521 signers use SHA-256. */
const messageHashes: Readonly<Record<PublicKey['kind'], readonly HashName[]>> = {
  p256: ['sha256'],
  p384: ['sha384', 'sha256'],
  p521: ['sha512', 'sha256'],
  rsa: ['sha256'],
  ed25519: ['sha512'],
};

/** The hash of a valid signature over bytes; undefined when there is none. Ed25519 is pure here. */
export function messageSignatureHash(
  key: PublicKey,
  bytes: Uint8Array,
  signature: Uint8Array,
): HashName | undefined {
  return messageHashes[key.kind].find((algorithm) => verifySignature(key, bytes, signature, algorithm));
}
