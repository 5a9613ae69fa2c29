/** MerkleTreeLeaf and the data beside it (RFC 6962 §3.1, §3.4, §4.6). */
import { concat, readUint, uintBytes } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { precertTbs, sctSignedData } from '#formats/sct';
import type { Certificate } from '#formats/x509';
import type { Personality } from '#tlog';

const TIMESTAMP_AT = 2;
const TIMESTAMP_BYTES = 8;

const vector = (width: number, bytes: Uint8Array): Uint8Array =>
  concat(uintBytes(bytes.length, width), bytes);

/** The leaf of a precertificate: the very bytes its SCT signs (RFC 6962 §3.2 and §3.4 agree byte for byte). */
export function precertLeaf(certificate: Certificate, issuer: Certificate, timestamp: number): Uint8Array {
  const extensions = new Uint8Array(0);
  return sctSignedData({ timestamp, extensions }, sha256(issuer.publicKey.spki), precertTbs(certificate));
}

/** The leaf of a certificate that is final. */
export function certificateLeaf(certificate: Certificate, timestamp: number): Uint8Array {
  const head = concat(Uint8Array.of(0, 0), uintBytes(timestamp, TIMESTAMP_BYTES), uintBytes(0, 2));
  return concat(head, vector(3, certificate.der), uintBytes(0, 2));
}

export const leafTimestamp = (leaf: Uint8Array): number => readUint(leaf, TIMESTAMP_AT, TIMESTAMP_BYTES);

/** Two submissions of one certificate differ in their timestamp alone. */
export const ctPersonality: Personality = {
  leaf: (entry) => entry,
  identity: (entry) => sha256(entry.subarray(TIMESTAMP_AT + TIMESTAMP_BYTES)),
};

const chainBytes = (chain: readonly Certificate[]): Uint8Array =>
  vector(3, concat(...chain.map((certificate) => vector(3, certificate.der))));

/** extra_data: the issuers, and before them the precertificate itself, which its leaf does not hold. */
export function extraData(
  certificate: Certificate,
  issuers: readonly Certificate[],
  isPrecert: boolean,
): Uint8Array {
  return isPrecert ? concat(vector(3, certificate.der), chainBytes(issuers)) : chainBytes(issuers);
}
