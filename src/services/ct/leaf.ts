/** MerkleTreeLeaf and the data beside it (RFC 6962 §3.1, §3.4, §4.6). */
import { concat, readUint, toHex, uintBytes } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { precertTbs, sctSignedData } from '#formats/sct';
import type { Certificate } from '#formats/x509';
import type { NamedFile, Personality } from '#tlog';

const TIMESTAMP_AT = 2;
const TIMESTAMP_BYTES = 8;

const vector = (width: number, bytes: Uint8Array): Uint8Array =>
  concat(uintBytes(bytes.length, width), bytes);

/** The leaf of a precertificate, without its index yet: the very bytes its SCT signs (RFC 6962 §3.2 and §3.4 agree byte for byte). */
export function precertLeaf(certificate: Certificate, issuer: Certificate, timestamp: number): Uint8Array {
  const extensions = new Uint8Array(0);
  return sctSignedData({ timestamp, extensions }, sha256(issuer.publicKey.spki), precertTbs(certificate));
}

/** The leaf of a certificate that is final, without its index yet. */
export function certificateLeaf(certificate: Certificate, timestamp: number): Uint8Array {
  const head = concat(Uint8Array.of(0, 0), uintBytes(timestamp, TIMESTAMP_BYTES), uintBytes(0, 2));
  return concat(head, vector(3, certificate.der), uintBytes(0, 2));
}

export const leafTimestamp = (leaf: Uint8Array): number => readUint(leaf, TIMESTAMP_AT, TIMESTAMP_BYTES);

const ENTRY_TYPE_AT = TIMESTAMP_AT + TIMESTAMP_BYTES;
const ENTRY_AT = ENTRY_TYPE_AT + 2;
const KEY_HASH_BYTES = 32;

/** Where the extensions of a leaf begin: after the certificate, or after issuer key hash and TBS. */
function extensionsAt(leaf: Uint8Array): number {
  const isPrecert = readUint(leaf, ENTRY_TYPE_AT, 2) === 1;
  const lengthAt = ENTRY_AT + (isPrecert ? KEY_HASH_BYTES : 0);
  return lengthAt + 3 + readUint(leaf, lengthAt, 3);
}

/** The extensions of a leaf, without their length: what its SCT carries. */
export const leafExtensions = (leaf: Uint8Array): Uint8Array => leaf.subarray(extensionsAt(leaf) + 2);

const LEAF_INDEX = 0;
const LEAF_INDEX_BYTES = 5;

/** CTExtensions with the leaf's own index (c2sp.org/static-ct-api). */
function leafIndexExtension(index: number): Uint8Array {
  const value = uintBytes(index, LEAF_INDEX_BYTES);
  return concat(Uint8Array.of(LEAF_INDEX), uintBytes(value.length, 2), value);
}

/** As before leaves had extensions: logs of that time find their entries by it. */
const NO_EXTENSIONS = uintBytes(0, 2);

/** Two submissions of one certificate differ in their timestamp and, once logged, in their index alone. */
export const ctPersonality: Personality = {
  leaf: (entry) => entry,
  identity: (entry) => sha256(concat(entry.subarray(ENTRY_TYPE_AT, extensionsAt(entry)), NO_EXTENSIONS)),
  placed: (entry, index) => {
    const extensions = leafIndexExtension(index);
    return concat(entry.subarray(0, extensionsAt(entry)), uintBytes(extensions.length, 2), extensions);
  },
  files: ({ entry, extra }) => readExtra(entry, extra).issuers.map(issuerFile),
};

/** Where the issuers of entries are kept (c2sp.org/static-ct-api): by the SHA-256 that data tiles name them by. */
export const issuerPath = (fingerprint: string): string => `issuer/${fingerprint}`;

const issuerFile = (bytes: Uint8Array): NamedFile => ({ path: issuerPath(toHex(sha256(bytes))), bytes });

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

/** What `extraData` wrote: the precertificate of a precertificate entry, and the issuers. */
export function readExtra(
  leaf: Uint8Array,
  extra: Uint8Array,
): { precert?: Uint8Array; issuers: Uint8Array[] } {
  const isPrecert = readUint(leaf, ENTRY_TYPE_AT, 2) === 1;
  const precert = isPrecert ? extra.subarray(3, 3 + readUint(extra, 0, 3)) : undefined;
  const issuers: Uint8Array[] = [];
  for (let at = (precert === undefined ? 0 : 3 + precert.length) + 3; at < extra.length; ) {
    const length = readUint(extra, at, 3);
    issuers.push(extra.subarray(at + 3, at + 3 + length));
    at += 3 + length;
  }
  return precert === undefined ? { issuers } : { precert, issuers };
}
