/** Proposed Rekor v1 entries → canonical bodies. Nothing is accepted whose signature was not checked here. */
import { fromBase64, toHex, utf8, utf8Text } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { type Envelope, pae, parseEnvelope } from '#formats/dsse';
import { isJsonObject, type JsonReader, type JsonValue, own, parseJson, reader } from '#formats/json';
import {
  dsseV1Body,
  hashedRekordV1Body,
  intotoV1Body,
  parseRekorV1Request,
  type RekorRequestV1,
  rekordV1Body,
} from '#formats/rekor';
import type { AcceptedEntry } from './entry.ts';
import { R } from './reasons.ts';
import { payloadKeys } from './search-keys.ts';
import {
  messageSignatureHash,
  type PemVerifier,
  readPemVerifier,
  requireDigestSignature,
} from './verifier.ts';

/** Accepts hashedrekord 0.0.1, rekord 0.0.1, dsse 0.0.1 and intoto 0.0.2. Throws WB-1030…1032 and format reasons. */
export function acceptV1(request: Uint8Array | string): AcceptedEntry {
  const value = unwrap(parseJson(request, { maxBytes: limits.logEnvelopeBytes }));
  if (isKind(value, 'intoto', '0.0.2')) return acceptIntoto(value);
  refuseAddresses(value);
  if (isKind(value, 'rekord', '0.0.1')) return acceptRekord(value);
  const parsed = unwrap(parseRekorV1Request(request));
  return parsed.kind === 'dsse' ? acceptDsse(parsed) : acceptHashedRekord(parsed);
}

function isKind(value: JsonValue, kind: string, version: string): boolean {
  return isJsonObject(value) && own(value, 'kind') === kind && own(value, 'apiVersion') === version;
}

/** Old request forms name an artifact or a key by URL. A log that fetched them would be a proxy into its network. */
function refuseAddresses(value: JsonValue): void {
  const spec = isJsonObject(value) ? own(value, 'spec') : undefined;
  const data = isJsonObject(spec) ? own(spec, 'data') : undefined;
  const signature = isJsonObject(spec) ? own(spec, 'signature') : undefined;
  const publicKey = isJsonObject(signature) ? own(signature, 'publicKey') : undefined;
  for (const part of [data, signature, publicKey]) {
    if (!isJsonObject(part) || own(part, 'url') === undefined) continue;
    throw fail(R.query, { expected: 'content, not an address to fetch it from', actual: 'a url' });
  }
}

function acceptHashedRekord(request: RekorRequestV1 & { kind: 'hashedrekord' }): AcceptedEntry {
  const verifier = readPemVerifier(request.verifier);
  const { hash, signature } = request;
  requireDigestSignature(verifier.key, hash.algorithm, hash.value, signature);
  const body = hashedRekordV1Body({ hash, signature, verifier: verifier.pem });
  return { body, payloadKeys: [] };
}

/**
 * rekord 0.0.1: the artifact itself and a signature over it, of which the log keeps the hash. Only X.509 keys and
 * certificates; a hash beside the content must be the content's.
 */
function acceptRekord(value: JsonValue): AcceptedEntry {
  const spec = reader(value, 'request', { as: R.query }).child('spec');
  const [data, signed] = [spec.child('data'), spec.child('signature')];
  const format = signed.text('format');
  if (format !== 'x509') throw signed.wrong('format', 'x509', format);
  const content = data.bytes('content');
  const digest = sha256(content);
  const claimed = data.optionalChild('hash');
  if (claimed !== undefined && claimed.text('value').toLowerCase() !== toHex(digest)) {
    throw fail(R.digest, { expected: 'the SHA-256 of the content', actual: claimed.text('value') });
  }
  const verifier = readPemVerifier(utf8Text(signed.child('publicKey').bytes('content')));
  const signature = signed.bytes('content');
  if (messageSignatureHash(verifier.key, content, signature) === undefined) {
    throw fail(R.signature, { expected: 'a signature over the content', actual: 'one that does not verify' });
  }
  const hash = { algorithm: 'sha256', value: digest } as const;
  return { body: rekordV1Body({ hash, signature, verifier: verifier.pem }), payloadKeys: [] };
}

function acceptDsse(request: RekorRequestV1 & { kind: 'dsse' }): AcceptedEntry {
  const envelope = unwrap(parseEnvelope(request.envelope, limits.logEnvelopeBytes));
  const signatures = pairSignatures(envelope, request.verifiers.map(readPemVerifier));
  const body = dsseV1Body({
    // Over the text as it came: clients cannot reproduce it, which is why verifiers compare payloadHash.
    envelopeHash: { algorithm: 'sha256', value: sha256(utf8(request.envelope)) },
    payloadHash: { algorithm: 'sha256', value: sha256(envelope.payload) },
    signatures,
  });
  return { body, payloadKeys: payloadKeys(envelope), envelope };
}

interface PairedSignature {
  readonly signature: Uint8Array;
  readonly verifier: string;
}

/** Each signature with the verifier it verifies with; a signature or a verifier left over is WB-1030. */
function pairSignatures(envelope: Envelope, verifiers: readonly PemVerifier[]): PairedSignature[] {
  const signed = pae(envelope.payloadType, envelope.payload);
  const used = new Set<PemVerifier>();
  const pairs = envelope.signatures.map(({ sig }) => {
    const verifier = verifiers.find((one) => messageSignatureHash(one.key, signed, sig) !== undefined);
    if (verifier === undefined) {
      throw fail(R.signature, {
        expected: 'each signature to verify with a given key',
        actual: 'one does not',
      });
    }
    used.add(verifier);
    return { signature: sig, verifier: verifier.pem };
  });
  if (used.size === verifiers.length) return pairs;
  throw fail(R.signature, { expected: 'a signature for each given key', actual: 'a key without signature' });
}

/**
 * intoto 0.0.2, which cosign 1 and 2 write: payload and signatures are base64 of base64 text, and each signature
 * carries its own key.
 */
function acceptIntoto(value: JsonValue): AcceptedEntry {
  const json = reader(value, 'request', { as: R.query }).child('spec').child('content').child('envelope');
  const signatures = json.children('signatures', SIGNATURES_MAX).map((item) => ({
    sig: inner(item, 'sig'),
    verifier: readPemVerifier(utf8Text(item.bytes('publicKey'))),
  }));
  if (signatures.length === 0) throw json.wrong('signatures', 'at least one signature', 'none');
  const payload = inner(json, 'payload');
  const payloadType = json.text('payloadType');
  const envelope: Envelope = { payloadType, payload, signatures };
  const signed = pae(payloadType, payload);
  for (const { sig, verifier } of signatures) {
    if (messageSignatureHash(verifier.key, signed, sig) !== undefined) continue;
    throw fail(R.signature, { expected: 'each signature to verify with its key', actual: 'one does not' });
  }
  const body = intotoV1Body({
    envelopeHash: { algorithm: 'sha256', value: sha256(intotoEnvelopeBytes(json)) },
    payloadHash: { algorithm: 'sha256', value: sha256(payload) },
    payloadType,
    signatures: signatures.map(({ sig, verifier }) => ({ signature: sig, verifier: verifier.pem })),
  });
  return { body, payloadKeys: payloadKeys(envelope), envelope, attestation: payload };
}

const SIGNATURES_MAX = 16;

/** The envelope as a DSSE document, in the order Go writes its fields: what the entry's hash is over. */
function intotoEnvelopeBytes(json: JsonReader): Uint8Array {
  const signatures = json.children('signatures', SIGNATURES_MAX).map((item) => ({
    keyid: item.optionalString('keyid') ?? '',
    sig: utf8Text(item.bytes('sig')),
  }));
  const payload = utf8Text(json.bytes('payload'));
  return utf8(JSON.stringify({ payloadType: json.text('payloadType'), payload, signatures }));
}

/** base64 of base64 text. */
function inner(json: JsonReader, key: string): Uint8Array {
  const text = utf8Text(json.bytes(key));
  const decoded = attempt(() => fromBase64(text));
  if (!decoded.ok) throw json.wrong(key, 'base64 of base64', text.slice(0, 80));
  return decoded.value;
}
