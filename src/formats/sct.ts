/**
 * Signed certificate timestamps (RFC 6962 §3): the list a certificate carries, the bytes a log signs, and the
 * precertificate body they are signed over, cut out of the final certificate without re-encoding its parts.
 */
import { concat, readUint, toBase64, uintBytes } from '#base/bytes';
import { type PublicKey, sha256, verifySignature, verifySignatureAsync } from '#base/crypto';
import { fail } from '#base/reason';
import { attempt, isNonEmpty, type NonEmpty, ok, type Result, unwrap } from '#base/result';
import { R } from './crypto-reasons.ts';
import { contextTag, type DerNode, der, oidText, readDer, tags } from './der.ts';
import { parseJson, reader } from './json.ts';
import type { Certificate } from './x509.ts';
import { familyOf } from './x509-algorithms.ts';
import { oids, POISON_OID } from './x509-extensions.ts';

export interface Sct {
  /** SHA-256 of the log's SubjectPublicKeyInfo. */
  readonly logId: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** Opaque; static logs put the leaf index here. Part of what is signed. */
  readonly extensions: Uint8Array;
  /** The hash is SHA-256 for both. */
  readonly algorithm: 'ecdsa' | 'rsa';
  readonly signature: Uint8Array;
}

const SIGNATURE_ALGORITHMS = { ecdsa: 3, rsa: 1 } as const;
const SHA256 = 4;
const LOG_ID_BYTES = 32;
const ADD_CHAIN_BYTES_MAX = 64 * 1024;

/** TLS presentation language, read front to back. Throws WB-131 at an overrun. */
class TlsReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(length: number): Uint8Array {
    if (length > this.left) throw malformed(`${length} more bytes`, `${this.left}`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint(width: number): number {
    return readUint(this.bytes(width), 0, width);
  }

  finish(): void {
    if (this.left > 0) throw malformed('nothing after the structure', `${this.left} more bytes`);
  }
}

const malformed = (expected: string, actual: string): Error => fail(R.sct, { expected, actual });

/** One serialised SCT, version 1. Refusals: WB-131. */
export function parseSct(bytes: Uint8Array): Result<Sct> {
  return attempt(() => readSct(bytes));
}

function readSct(bytes: Uint8Array): Sct {
  const reader = new TlsReader(bytes);
  const version = reader.uint(1);
  if (version !== 0) throw malformed('SCT version 1 (0)', `${version}`);
  const logId = reader.bytes(LOG_ID_BYTES);
  const timestamp = reader.uint(8);
  if (!Number.isSafeInteger(timestamp)) throw malformed('a timestamp below 2^53 ms', `${timestamp}`);
  const extensions = reader.bytes(reader.uint(2));
  const { algorithm, signature } = readDigitallySigned(reader.bytes(reader.left));
  return { logId, timestamp, extensions, algorithm, signature };
}

/** TLS DigitallySigned (RFC 5246 §4.7): hash, algorithm, 16-bit length, signature. Throws WB-131. */
function readDigitallySigned(bytes: Uint8Array): Pick<Sct, 'algorithm' | 'signature'> {
  const reader = new TlsReader(bytes);
  const hash = reader.uint(1);
  const kind = reader.uint(1);
  const algorithm = kind === SIGNATURE_ALGORITHMS.ecdsa ? 'ecdsa' : kind === 1 ? 'rsa' : undefined;
  if (hash !== SHA256 || algorithm === undefined) {
    throw malformed('SHA-256 with ECDSA or RSA', `hash ${hash}, signature ${kind}`);
  }
  const signature = reader.bytes(reader.uint(2));
  if (signature.length === 0) throw malformed('a signature', 'an empty one');
  reader.finish();
  return { algorithm, signature };
}

export function digitallySigned(algorithm: Sct['algorithm'], signature: Uint8Array): Uint8Array {
  return concat(
    Uint8Array.of(SHA256, SIGNATURE_ALGORITHMS[algorithm]),
    uintBytes(signature.length, 2),
    signature,
  );
}

export function sctBytes(sct: Sct): Uint8Array {
  return concat(
    Uint8Array.of(0),
    sct.logId,
    uintBytes(sct.timestamp, 8),
    uintBytes(sct.extensions.length, 2),
    sct.extensions,
    digitallySigned(sct.algorithm, sct.signature),
  );
}

/** The value of the SCT list extension: an OCTET STRING around a TLS list. Refusals: WB-121, WB-131. */
export function parseSctList(extensionValue: Uint8Array): Result<NonEmpty<Sct>> {
  return attempt(() => {
    const node = readDer(extensionValue);
    if (node.tag !== tags.octets) throw malformed('an OCTET STRING', `tag 0x${node.tag.toString(16)}`);
    const outer = new TlsReader(node.body);
    const list = new TlsReader(outer.bytes(outer.uint(2)));
    outer.finish();
    const scts: Sct[] = [];
    while (list.left > 0) scts.push(readSct(list.bytes(list.uint(2))));
    if (!isNonEmpty(scts)) throw malformed('at least one SCT', 'an empty list');
    return scts;
  });
}

/** The value of the SCT list extension for these SCTs. */
export function sctListValue(scts: NonEmpty<Sct>): Uint8Array {
  const items = scts.map(sctBytes).flatMap((bytes) => [uintBytes(bytes.length, 2), bytes]);
  const list = concat(...items);
  return der.octets(uintBytes(list.length, 2), list);
}

/** The SCTs inside a certificate; an empty list where it has none. */
export function embeddedScts(certificate: Certificate): Result<readonly Sct[]> {
  const extension = certificate.extensions.get(oids.sctList);
  return extension === undefined ? ok([]) : parseSctList(extension.value);
}

/**
 * The TBSCertificate a log signed for this certificate or precertificate: without SCT list and poison
 * (RFC 6962 §3.2). Every part but the changed lengths is copied from the original bytes.
 */
export function precertTbs(certificate: Certificate): Uint8Array {
  const { tbsNode } = certificate;
  const { source } = tbsNode;
  const explicit = tbsNode.children().find((child) => child.tag === contextTag(3));
  const list = explicit?.children()[0];
  if (explicit === undefined || list === undefined) return tbsNode.raw;
  // Extensions that stay are copied in runs, from the end of one that goes to the start of the next.
  const runs: Uint8Array[] = [];
  let from = list.bodyStart;
  for (const extension of list.children()) {
    if (!isLogOwn(extension)) continue;
    if (extension.start > from) runs.push(source.subarray(from, extension.start));
    from = extension.end;
  }
  if (list.end > from) runs.push(source.subarray(from, list.end));
  const kept = runs.length === 0 ? [] : [der.explicit(3, der.seq(...runs))];
  const before = source.subarray(tbsNode.bodyStart, explicit.start);
  return der.seq(before, ...kept, source.subarray(explicit.end, tbsNode.end));
}

function isLogOwn(extension: DerNode): boolean {
  const oid = extension.children()[0];
  if (oid === undefined) return false;
  const text = oidText(oid);
  return text === oids.sctList || text === POISON_OID;
}

/** What a log signs for a precertificate entry (RFC 6962 §3.2). `issuerKeyHash` is SHA-256 of the issuer's SPKI. */
export function sctSignedData(sct: SignedFields, issuerKeyHash: Uint8Array, tbs: Uint8Array): Uint8Array {
  return timestampedEntry(sct, Uint8Array.of(0, 1), issuerKeyHash, uintBytes(tbs.length, 3), tbs);
}

/** What a log signs for a certificate that was issued before it was logged: an x509_entry (RFC 6962 §3.2). */
export function certificateSignedData(sct: SignedFields, certificate: Uint8Array): Uint8Array {
  return timestampedEntry(sct, Uint8Array.of(0, 0), uintBytes(certificate.length, 3), certificate);
}

type SignedFields = Pick<Sct, 'timestamp' | 'extensions'>;

/** `entry`: the entry's type and what it holds. */
function timestampedEntry(
  { timestamp, extensions }: SignedFields,
  ...entry: readonly Uint8Array[]
): Uint8Array {
  return concat(
    Uint8Array.of(0, 0),
    uintBytes(timestamp, 8),
    ...entry,
    uintBytes(extensions.length, 2),
    extensions,
  );
}

/** Whether `key` signed this SCT for `certificate` as issued by the holder of `issuerKey`. */
export function verifySct(sct: Sct, certificate: Certificate, issuerKey: PublicKey, key: PublicKey): boolean {
  if (familyOf(key.kind) !== sct.algorithm) return false;
  const data = sctSignedData(sct, sha256(issuerKey.spki), precertTbs(certificate));
  return verifySignature(key, data, sct.signature, 'sha256');
}

/**
 * The same for a TBSCertificate as `precertTbs` cuts it and SHA-256 of the issuer's SubjectPublicKeyInfo, on another
 * thread.
 */
export async function verifySctOverTbs(
  sct: Sct,
  tbs: Uint8Array,
  issuerKeyHash: Uint8Array,
  key: PublicKey,
): Promise<boolean> {
  if (familyOf(key.kind) !== sct.algorithm) return false;
  return verifySignatureAsync(key, sctSignedData(sct, issuerKeyHash, tbs), sct.signature, 'sha256');
}

/** The answer of `add-chain` and `add-pre-chain` (RFC 6962 §4.1). */
export interface AddChainResponse {
  readonly sct_version: 0;
  readonly id: string;
  readonly timestamp: number;
  readonly extensions: string;
  readonly signature: string;
}

export function addChainResponse(sct: Sct): AddChainResponse {
  return {
    sct_version: 0,
    id: toBase64(sct.logId),
    timestamp: sct.timestamp,
    extensions: toBase64(sct.extensions),
    signature: toBase64(digitallySigned(sct.algorithm, sct.signature)),
  };
}

/** Reads an `add-pre-chain` answer. Refusals: WB-131, WB-150 to WB-153. */
export function parseAddChainResponse(body: Uint8Array): Result<Sct> {
  return attempt(() => {
    const json = reader(unwrap(parseJson(body, { maxBytes: ADD_CHAIN_BYTES_MAX })), '$', { as: R.sct });
    const version = json.integer('sct_version');
    if (version !== 0) throw malformed('SCT version 1 (0)', `${version}`);
    const logId = json.bytes('id');
    if (logId.length !== LOG_ID_BYTES)
      throw malformed(`a log id of ${LOG_ID_BYTES} bytes`, `${logId.length}`);
    return {
      logId,
      timestamp: json.integer('timestamp'),
      extensions: json.optionalBytes('extensions') ?? new Uint8Array(0),
      ...readDigitallySigned(json.bytes('signature')),
    };
  });
}
