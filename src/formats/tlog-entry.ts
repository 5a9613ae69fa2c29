/** Transparency log entries as bundles and the Rekor v2 API carry them (sigstore_rekor.proto). */
import { toBase64 } from '#base/bytes';
import { limits } from '#base/limits';
import { attempt, type Result } from '#base/result';
import { type JsonObject, type JsonReader, type JsonValue, protoReader } from './json.ts';
import { R } from './sigstore-reasons.ts';

export interface InclusionProof {
  /** Index of the leaf in its own tree (Rekor v1: in its shard). */
  readonly logIndex: number;
  readonly rootHash: Uint8Array;
  readonly treeSize: number;
  /** Leaf to root. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note; empty only in bundles of version 0.1. */
  readonly checkpoint: string;
}

export interface TransparencyLogEntry {
  /** Rekor v1: index over all shards. */
  readonly logIndex: number;
  readonly logId: Uint8Array;
  readonly kind: string;
  readonly version: string;
  /** Seconds since the Unix epoch; 0 when the log gives no time (Rekor v2). */
  readonly integratedTime: number;
  /** SignedEntryTimestamp. */
  readonly inclusionPromise?: Uint8Array;
  readonly inclusionProof?: InclusionProof;
  /** The leaf, byte for byte. */
  readonly canonicalizedBody: Uint8Array;
}

/** Parses one entry from protobuf JSON. Fails with WB-164. */
export function tlogEntryFromJson(value: JsonValue, path = 'tlogEntry'): Result<TransparencyLogEntry> {
  return attempt(() => readTlogEntry(protoReader(value, path, { as: R.logEntry })));
}

/** Throws `WaybillError`; for parsers that embed entries. */
export function readTlogEntry(json: JsonReader): TransparencyLogEntry {
  const kindVersion = json.child('kindVersion');
  const promise = json.optionalChild('inclusionPromise')?.bytes('signedEntryTimestamp');
  if (promise?.length === 0) throw json.wrong('inclusionPromise', 'a promise that is signed', '');
  const proof = json.optionalChild('inclusionProof');
  const canonicalizedBody = json.bytes('canonicalizedBody');
  if (canonicalizedBody.length === 0) throw json.wrong('canonicalizedBody', 'the leaf', '');
  return {
    logIndex: json.optionalInteger('logIndex') ?? 0,
    logId: readLogId(json),
    kind: kindVersion.text('kind'),
    version: kindVersion.text('version'),
    integratedTime: json.optionalInteger('integratedTime') ?? 0,
    ...(promise === undefined ? {} : { inclusionPromise: promise }),
    ...(proof === undefined ? {} : { inclusionProof: readProof(proof) }),
    canonicalizedBody,
  };
}

function readLogId(json: JsonReader): Uint8Array {
  const keyId = json.child('logId').bytes('keyId');
  if (keyId.length !== 32) throw json.wrong('logId.keyId', '32 bytes', `${keyId.length} bytes`);
  return keyId;
}

function readProof(json: JsonReader): InclusionProof {
  const hashes = json.bytesArray('hashes', limits.proofHashes);
  const odd = hashes.find((hash) => hash.length !== 32);
  if (odd !== undefined) throw json.wrong('hashes', 'hashes of 32 bytes', `${odd.length} bytes`);
  const treeSize = json.optionalInteger('treeSize');
  if (treeSize === 0) throw json.wrong('treeSize', 'a tree that holds the entry', '0', 'log-proof');
  return {
    logIndex: json.optionalInteger('logIndex') ?? 0,
    rootHash: json.optionalBytes('rootHash') ?? new Uint8Array(),
    treeSize: treeSize ?? 0,
    hashes,
    checkpoint: json.optionalChild('checkpoint')?.optionalString('envelope') ?? '',
  };
}

/** The protobuf JSON of an entry: int64 as strings, bytes as base64; what is absent is left out. */
export function tlogEntryJson(entry: TransparencyLogEntry): JsonObject {
  const { inclusionPromise, inclusionProof } = entry;
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: toBase64(entry.logId) },
    kindVersion: { kind: entry.kind, version: entry.version },
    integratedTime: String(entry.integratedTime),
    ...(inclusionPromise === undefined
      ? {}
      : { inclusionPromise: { signedEntryTimestamp: toBase64(inclusionPromise) } }),
    ...(inclusionProof === undefined ? {} : { inclusionProof: proofJson(inclusionProof) }),
    canonicalizedBody: toBase64(entry.canonicalizedBody),
  };
}

function proofJson(proof: InclusionProof): JsonObject {
  return {
    logIndex: String(proof.logIndex),
    rootHash: toBase64(proof.rootHash),
    // A size that was left out is not the same as a tree without entries.
    ...(proof.treeSize === 0 ? {} : { treeSize: String(proof.treeSize) }),
    hashes: proof.hashes.map(toBase64),
    checkpoint: { envelope: proof.checkpoint },
  };
}
