/**
 * Rekor v1: canonical entry bodies, requests, entries as its API returns them (openapi.yaml, pkg/types). Bodies
 * are compared by content, never by re-serialising what was read.
 */
import { fromBase64, fromHex, toBase64, toHex, utf8, utf8Text } from '#base/bytes';
import type { HashName } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import {
  canonicalJson,
  type JsonObject,
  type JsonReader,
  type JsonValue,
  parseJson,
  reader,
} from './json.ts';
import { R } from './sigstore-reasons.ts';
import type { TransparencyLogEntry } from './tlog-entry.ts';

export interface HashValue {
  readonly algorithm: HashName;
  readonly value: Uint8Array;
}

export interface HashedRekordBodyV1 {
  readonly kind: 'hashedrekord';
  readonly version: '0.0.1';
  readonly hash: HashValue;
  readonly signature: Uint8Array;
  /** PEM of a certificate or public key. */
  readonly verifier: string;
}

export interface RekordBodyV1 extends Omit<HashedRekordBodyV1, 'kind'> {
  readonly kind: 'rekord';
}

export interface DsseBodyV1 {
  readonly kind: 'dsse';
  readonly version: '0.0.1';
  /** Over the envelope as submitted: not reproducible from a bundle. */
  readonly envelopeHash: HashValue;
  readonly payloadHash: HashValue;
  readonly signatures: readonly { readonly signature: Uint8Array; readonly verifier: string }[];
}

export interface IntotoBodyV1 {
  readonly kind: 'intoto';
  readonly version: '0.0.1' | '0.0.2';
  readonly envelopeHash: HashValue;
  readonly payloadHash?: HashValue;
  /** 0.0.2 only: 0.0.1 records no signature, only the hash of the envelope that holds it. */
  readonly signatures: readonly { readonly signature: Uint8Array; readonly verifier: string }[];
  /** 0.0.1 only. */
  readonly verifier?: string;
}

export type RekorBodyV1 = HashedRekordBodyV1 | RekordBodyV1 | DsseBodyV1 | IntotoBodyV1;

interface HashedRekordInput {
  readonly hash: HashValue;
  readonly signature: Uint8Array;
  /** PEM; ends with a newline, as the server re-encodes it. */
  readonly verifier: string;
}

/** Canonical hashedrekord 0.0.1. */
export const hashedRekordV1Body = (input: HashedRekordInput): Uint8Array => utf8(hashedRekordV1Text(input));

/** The same as text, which is ASCII. */
export function hashedRekordV1Text(input: HashedRekordInput): string {
  // RFC 8785 by construction: names in order, and neither base64 nor hex needs an escape.
  const { algorithm, value } = input.hash;
  const content = toBase64(utf8(input.verifier));
  return (
    `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"${algorithm}",` +
    `"value":"${toHex(value)}"}},"signature":{"content":"${toBase64(input.signature)}",` +
    `"publicKey":{"content":"${content}"}}}}`
  );
}

/** Canonical rekord 0.0.1 of an X.509 key or certificate. */
export function rekordV1Body(input: HashedRekordInput): Uint8Array {
  const publicKey = { content: toBase64(utf8(input.verifier)) };
  const signature = { content: toBase64(input.signature), format: 'x509', publicKey };
  const spec = { data: { hash: hashJson(input.hash) }, signature };
  return canonicalBytes({ apiVersion: '0.0.1', kind: 'rekord', spec });
}

/** Canonical dsse 0.0.1; signatures are sorted by their base64 text. */
export function dsseV1Body(
  input: Pick<DsseBodyV1, 'envelopeHash' | 'payloadHash' | 'signatures'>,
): Uint8Array {
  const signatures = input.signatures
    .map(({ signature, verifier }) => ({
      signature: toBase64(signature),
      verifier: toBase64(utf8(verifier)),
    }))
    .sort((a, b) => (a.signature < b.signature ? -1 : 1));
  return canonicalBytes({
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      envelopeHash: hashJson(input.envelopeHash),
      payloadHash: hashJson(input.payloadHash),
      signatures,
    },
  });
}

/** intoto 0.0.2 as old logs hold it: signature and key encoded as that type does (base64 of base64 text). */
export function intotoV1Body(input: {
  readonly envelopeHash: HashValue;
  readonly payloadHash: HashValue;
  readonly payloadType: string;
  readonly signatures: readonly { signature: Uint8Array; verifier: string; keyid?: string }[];
}): Uint8Array {
  return canonicalBytes({
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: {
          payloadType: input.payloadType,
          signatures: input.signatures.map(({ signature, verifier, keyid }) => ({
            ...(keyid === undefined || keyid === '' ? {} : { keyid }),
            publicKey: toBase64(utf8(verifier)),
            sig: toBase64(utf8(toBase64(signature))),
          })),
        },
        hash: hashJson(input.envelopeHash),
        payloadHash: hashJson(input.payloadHash),
      },
    },
  });
}

/** Canonical intoto 0.0.1: no signature, only hashes and the one verifier. */
export function intotoV001Body(input: {
  readonly envelopeHash: HashValue;
  readonly payloadHash: HashValue;
  readonly verifier: string;
}): Uint8Array {
  const content = { hash: hashJson(input.envelopeHash), payloadHash: hashJson(input.payloadHash) };
  const spec = { content, publicKey: toBase64(utf8(input.verifier)) };
  return canonicalBytes({ apiVersion: '0.0.1', kind: 'intoto', spec });
}

const hashJson = (hash: HashValue): JsonObject => ({ algorithm: hash.algorithm, value: toHex(hash.value) });
const canonicalBytes = (value: JsonValue): Uint8Array => utf8(canonicalJson(value));

/** Parses a v1 body of the given kind and version. Fails with WB-172, WB-173 or a JSON reason. */
export function parseRekorV1Body(kind: string, version: string, body: Uint8Array): Result<RekorBodyV1> {
  return attempt(() => {
    const wanted = `${kind} ${version}`;
    if (!isKnown(wanted)) throw fail(R.rekorKind, { expected: knownV1.join(', '), actual: wanted });
    const json = reader(unwrap(parseJson(body)), 'body', { as: R.rekorBody });
    if (json.string('kind') !== kind || json.string('apiVersion') !== version) {
      throw json.wrong('kind', `${kind} ${version}`, `${json.string('kind')} ${json.string('apiVersion')}`);
    }
    const spec = json.child('spec');
    switch (wanted) {
      case 'hashedrekord 0.0.1':
        return { kind: 'hashedrekord', version: '0.0.1', ...readHashed(spec) };
      case 'rekord 0.0.1':
        return { kind: 'rekord', version: '0.0.1', ...readHashed(spec) };
      case 'dsse 0.0.1':
        return readDsse(spec);
      case 'intoto 0.0.1':
        return readIntoto1(spec);
      case 'intoto 0.0.2':
        return readIntoto2(spec);
    }
  });
}

const knownV1 = ['hashedrekord 0.0.1', 'rekord 0.0.1', 'dsse 0.0.1', 'intoto 0.0.1', 'intoto 0.0.2'] as const;

function isKnown(kind: string): kind is (typeof knownV1)[number] {
  return (knownV1 as readonly string[]).includes(kind);
}

function readHashed(spec: JsonReader): Pick<HashedRekordBodyV1, 'hash' | 'signature' | 'verifier'> {
  const signature = spec.child('signature');
  return {
    hash: readHash(spec.child('data').child('hash')),
    signature: signature.bytes('content'),
    verifier: readText(signature.child('publicKey'), 'content'),
  };
}

function readDsse(spec: JsonReader): DsseBodyV1 {
  return {
    kind: 'dsse',
    version: '0.0.1',
    envelopeHash: readHash(spec.child('envelopeHash')),
    payloadHash: readHash(spec.child('payloadHash')),
    signatures: spec.children('signatures', SIGNATURES_MAX).map((item) => ({
      signature: item.bytes('signature'),
      verifier: readText(item, 'verifier'),
    })),
  };
}

function readIntoto1(spec: JsonReader): IntotoBodyV1 {
  const content = spec.child('content');
  return {
    kind: 'intoto',
    version: '0.0.1',
    envelopeHash: readHash(content.child('hash')),
    ...readPayloadHash(content),
    signatures: [],
    verifier: readText(spec, 'publicKey'),
  };
}

function readIntoto2(spec: JsonReader): IntotoBodyV1 {
  const content = spec.child('content');
  return {
    kind: 'intoto',
    version: '0.0.2',
    envelopeHash: readHash(content.child('hash')),
    ...readPayloadHash(content),
    signatures: content
      .child('envelope')
      .children('signatures', SIGNATURES_MAX)
      .map((item) => ({
        signature: unwrapBase64(item, 'sig'),
        verifier: readText(item, 'publicKey'),
      })),
  };
}

const SIGNATURES_MAX = 16;

function readPayloadHash(content: JsonReader): { payloadHash?: HashValue } {
  const hash = content.optionalChild('payloadHash');
  return hash === undefined ? {} : { payloadHash: readHash(hash) };
}

/** The signature of an intoto 0.0.2 entry: base64 of the base64 text. */
function unwrapBase64(json: JsonReader, key: string): Uint8Array {
  const text = readText(json, key);
  const decoded = attempt(() => fromBase64(text));
  if (!decoded.ok) throw json.wrong(key, 'base64 of base64', text.slice(0, 80));
  return decoded.value;
}

function readText(json: JsonReader, key: string): string {
  return utf8Text(json.bytes(key));
}

const hashBytes: Readonly<Record<string, number>> = { sha256: 32, sha384: 48, sha512: 64 };

function readHash(json: JsonReader): HashValue {
  const algorithm = json.string('algorithm');
  const value = json.hex('value');
  if (!Object.hasOwn(hashBytes, algorithm) || hashBytes[algorithm] !== value.length) {
    throw json.wrong('algorithm', 'sha256, sha384 or sha512 with a value of its length', algorithm);
  }
  return { algorithm: algorithm as HashName, value };
}

/** What a client proposes to a v1 log. */
export type RekorRequestV1 =
  | ({ readonly kind: 'hashedrekord'; readonly version: '0.0.1' } & Pick<
      HashedRekordBodyV1,
      'hash' | 'signature' | 'verifier'
    >)
  | {
      readonly kind: 'dsse';
      readonly version: '0.0.1';
      /** The envelope's JSON text as submitted. */
      readonly envelope: string;
      /** PEM, one or more. */
      readonly verifiers: readonly string[];
    };

/** Parses the body of `POST /api/v1/log/entries`. Fails with WB-172, WB-174 or a JSON reason. */
export function parseRekorV1Request(input: Uint8Array | string): Result<RekorRequestV1> {
  return attempt(() => {
    const value = unwrap(parseJson(input, { maxBytes: limits.logEnvelopeBytes }));
    const json = reader(value, 'request', { as: R.rekorRequest });
    const kind = json.string('kind');
    const version = json.string('apiVersion');
    const spec = json.child('spec');
    if (kind === 'hashedrekord' && version === '0.0.1') return { kind, version, ...readHashed(spec) };
    if (kind === 'dsse' && version === '0.0.1') {
      const proposed = spec.child('proposedContent');
      const verifiers = proposed.bytesArray('verifiers', SIGNATURES_MAX).map(utf8Text);
      if (verifiers.length === 0) throw proposed.wrong('verifiers', 'at least one verifier', 'none');
      return { kind, version, envelope: proposed.text('envelope'), verifiers };
    }
    throw fail(R.rekorKind, { expected: 'hashedrekord 0.0.1 or dsse 0.0.1', actual: `${kind} ${version}` });
  });
}

/** The JSON of a v1 request. */
export function rekorV1RequestJson(request: RekorRequestV1): JsonObject {
  const { kind, version } = request;
  if (kind === 'dsse') {
    const verifiers = request.verifiers.map((pem) => toBase64(utf8(pem)));
    return {
      apiVersion: version,
      kind,
      spec: { proposedContent: { envelope: request.envelope, verifiers } },
    };
  }
  return {
    apiVersion: version,
    kind,
    spec: {
      data: { hash: hashJson(request.hash) },
      signature: {
        content: toBase64(request.signature),
        publicKey: { content: toBase64(utf8(request.verifier)) },
      },
    },
  };
}

/** The bytes a SignedEntryTimestamp signs: canonical JSON of body, time, log id and index. */
export function setPayload(
  entry: Pick<TransparencyLogEntry, 'canonicalizedBody' | 'integratedTime' | 'logId' | 'logIndex'>,
): Uint8Array {
  // RFC 8785 by construction: names in order, base64 and hex need no escapes, integers are safe.
  const body = toBase64(entry.canonicalizedBody);
  const { integratedTime, logId, logIndex } = entry;
  return utf8(
    `{"body":"${body}","integratedTime":${integratedTime},"logID":"${toHex(logId)}","logIndex":${logIndex}}`,
  );
}

/** One value of the object a v1 log answers with. */
export function logEntryV1Json(entry: TransparencyLogEntry): JsonObject {
  const { inclusionProof: proof, inclusionPromise: promise } = entry;
  const inclusionProof: JsonObject =
    proof === undefined
      ? {}
      : {
          inclusionProof: {
            checkpoint: proof.checkpoint,
            hashes: proof.hashes.map(toHex),
            logIndex: proof.logIndex,
            rootHash: toHex(proof.rootHash),
            treeSize: proof.treeSize,
          },
        };
  return {
    body: toBase64(entry.canonicalizedBody),
    integratedTime: entry.integratedTime,
    logID: toHex(entry.logId),
    logIndex: entry.logIndex,
    verification: {
      ...inclusionProof,
      ...(promise === undefined ? {} : { signedEntryTimestamp: toBase64(promise) }),
    },
  };
}

/** Parses one value of a v1 log's answer; kind and version come from the body itself. Fails with WB-173. */
export function parseLogEntryV1(value: JsonValue, path = 'logEntry'): Result<TransparencyLogEntry> {
  return attempt(() => {
    const json = reader(value, path, { as: R.rekorBody });
    const canonicalizedBody = json.bytes('body');
    const verification = json.has('verification') ? json.child('verification') : undefined;
    const promise = verification?.has('signedEntryTimestamp')
      ? verification.bytes('signedEntryTimestamp')
      : undefined;
    const proof = verification?.has('inclusionProof') ? verification.child('inclusionProof') : undefined;
    return {
      ...readKindVersion(canonicalizedBody),
      logIndex: json.integer('logIndex'),
      logId: json.hex('logID'),
      integratedTime: json.integer('integratedTime'),
      canonicalizedBody,
      ...(promise === undefined ? {} : { inclusionPromise: promise }),
      ...(proof === undefined ? {} : { inclusionProof: readProof(proof) }),
    };
  });
}

function readProof(json: JsonReader) {
  return {
    logIndex: json.integer('logIndex'),
    rootHash: json.hex('rootHash'),
    treeSize: json.integer('treeSize'),
    hashes: json.strings('hashes', limits.proofHashes).map((hash) => fromHex(hash)),
    checkpoint: json.string('checkpoint'),
  };
}

/** Kind and version an entry body claims. Throws `WaybillError`. */
export function readKindVersion(body: Uint8Array): { kind: string; version: string } {
  const json = reader(unwrap(parseJson(body)), 'body', { as: R.rekorBody });
  return { kind: json.text('kind'), version: json.text('apiVersion') };
}
