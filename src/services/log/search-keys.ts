/**
 * What an entry can be searched by. Keys of the body are derived again from the entry itself whenever the index
 * is rebuilt; keys of a payload the log does not keep (subjects of a statement) are stored beside the entry.
 */
import { concat, utf8 } from '#base/bytes';
import { type HashName, sha256 } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { attempt } from '#base/result';
import { type Envelope, INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { parseStatement, type Statement } from '#formats/intoto';
import { isJsonObject, type JsonValue } from '#formats/json';
import { pemEncode } from '#formats/pem';
import { parseRekorV1Body, parseRekorV2Body, type RekorBodyV1, readKindVersion } from '#formats/rekor';
import { pemHash, pemOf, readPemVerifier, readVerifier, type Verifier } from './verifier.ts';

/** `sha256:<hex>`, `subject:<san>`, `issuer:<url>`, `key:<hex of the PEM's SHA-256>`. */
export type SearchKey = string;

/** Bytes one key takes in the index. */
export const KEY_BYTES = 16;

/** How a key stands in the index: 128 bits of its hash, so that long identities cost no more than short. */
export const indexedKey = (key: SearchKey): Uint8Array => sha256(utf8(key)).subarray(0, KEY_BYTES);

export const digestKey = (algorithm: HashName, value: Uint8Array): SearchKey =>
  digestFromBytes(algorithm, value);
/** Rekor compares subjects without regard to case. */
export const subjectKey = (subject: string): SearchKey => `subject:${subject.toLowerCase()}`;
export const issuerKey = (issuer: string): SearchKey => `issuer:${issuer}`;
export const keyHashKey = (pem: string): SearchKey => `key:${pemHash(pem)}`;

/** Keys in what `extra` holds beside an entry. */
export const encodeExtra = (keys: readonly SearchKey[]): Uint8Array => concat(...keys.map(indexedKey));

export function decodeExtra(extra: Uint8Array): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let at = 0; at + KEY_BYTES <= extra.length; at += KEY_BYTES)
    keys.push(extra.subarray(at, at + KEY_BYTES));
  return keys;
}

function verifierKeys(verifier: Verifier, pem: string): SearchKey[] {
  const { certificate } = verifier;
  if (certificate === undefined) return [keyHashKey(pem)];
  const { issuer } = certificate.fulcio;
  const subjects = certificate.sans.map((san) => subjectKey(san.value));
  return [keyHashKey(pem), ...subjects, ...(issuer === undefined ? [] : [issuerKey(issuer)])];
}

/** Keys of a v1 body: its digests, and who verifies it. A body that does not parse has none. */
export function bodyKeysV1(body: Uint8Array, kind: string, version: string): SearchKey[] {
  const parsed = parseRekorV1Body(kind, version, body);
  if (!parsed.ok) return [];
  const pems = verifiersOf(parsed.value);
  const keys = pems.flatMap((pem) => {
    const verifier = attempt(() => readPemVerifier(pem));
    return verifier.ok ? verifierKeys(verifier.value, verifier.value.pem) : [];
  });
  return [...digestsOf(parsed.value), ...keys];
}

/** Keys of the body of either version, for readers that meet both. A body that does not parse has none. */
export function bodyKeys(body: Uint8Array): SearchKey[] {
  const read = attempt(() => readKindVersion(body));
  if (!read.ok) return [];
  const { kind, version } = read.value;
  return kind === 'hashedrekord' && version === '0.0.2' ? bodyKeysV2(body) : bodyKeysV1(body, kind, version);
}

function verifiersOf(body: RekorBodyV1): readonly string[] {
  const one = body.kind === 'dsse' || body.verifier === undefined ? [] : [body.verifier];
  return 'signatures' in body ? [...body.signatures.map(({ verifier }) => verifier), ...one] : one;
}

function digestsOf(body: RekorBodyV1): SearchKey[] {
  if ('hash' in body) return [digestKey(body.hash.algorithm, body.hash.value)];
  const hashes = body.payloadHash === undefined ? [body.envelopeHash] : [body.envelopeHash, body.payloadHash];
  return hashes.map((hash) => digestKey(hash.algorithm, hash.value));
}

export function bodyKeysV2(body: Uint8Array): SearchKey[] {
  const parsed = parseRekorV2Body('hashedrekord', '0.0.2', body);
  if (!parsed.ok) return [];
  const { hash, verifier } = parsed.value;
  const digest = digestKey(hash.algorithm, hash.value);
  // A key was read when the entry was accepted; nothing but its bytes is searched for.
  if (verifier.kind === 'publicKey') return [digest, keyHashKey(pemEncode('PUBLIC KEY', verifier.rawBytes))];
  const read = attempt(() => readVerifier(true, verifier.rawBytes));
  const keys = read.ok ? verifierKeys(read.value, pemOf(read.value)) : [];
  return [digest, ...keys];
}

/**
 * Digests an envelope's payload speaks about: itself, and for an in-toto statement every subject and every
 * SLSA v0.2 material. A payload that is no statement gives its own digest alone.
 */
export function payloadKeys(envelope: Pick<Envelope, 'payload' | 'payloadType'>): SearchKey[] {
  const own = digestKey('sha256', sha256(envelope.payload));
  if (envelope.payloadType !== INTOTO_PAYLOAD_TYPE) return [own];
  const statement = parseStatement(envelope.payload);
  return statement.ok ? [...new Set([own, ...statementKeys(statement.value)])] : [own];
}

function statementKeys(statement: Statement): SearchKey[] {
  const subjects = statement.subject.flatMap((subject) => Object.entries(subject.digest));
  const { predicate } = statement;
  const materials = isJsonObject(predicate) ? predicate['materials'] : undefined;
  const more = Array.isArray(materials) ? (materials as readonly JsonValue[]).flatMap(digestsOfMaterial) : [];
  return [...subjects, ...more].map(([algorithm, value]) => `${algorithm}:${value}`);
}

function digestsOfMaterial(material: JsonValue): [string, string][] {
  if (!isJsonObject(material) || !isJsonObject(material['digest'])) return [];
  return Object.entries(material['digest']).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
}
