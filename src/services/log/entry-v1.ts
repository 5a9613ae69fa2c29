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
  intotoV001Body,
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

/** Accepts hashedrekord 0.0.1, rekord 0.0.1, dsse 0.0.1, intoto 0.0.1 and 0.0.2. Throws WB-1030…1032 and format reasons. */
export function acceptV1(request: Uint8Array | string): AcceptedEntry {
  const value = unwrap(parseJson(request, { maxBytes: limits.logEnvelopeBytes }));
  if (isKind(value, 'intoto', '0.0.2')) return acceptIntoto(value);
  if (isKind(value, 'intoto', '0.0.1')) return acceptIntotoV001(value);
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
    keyid: item.optionalString('keyid') ?? '',
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
    envelopeHash: { algorithm: 'sha256', value: intotoEnvelopeHash(json, claimedHash(value)) },
    payloadHash: { algorithm: 'sha256', value: sha256(payload) },
    payloadType,
    signatures: signatures.map(({ sig, verifier, keyid }) => ({
      ...{ signature: sig, verifier: verifier.pem, keyid },
    })),
  });
  return { body, payloadKeys: payloadKeys(envelope), envelope, attestation: payload };
}

/**
 * intoto 0.0.1: the text of the envelope and one key, of which the log keeps hashes. As Rekor has it, one signature by
 * that key is enough: an envelope may carry others', whose keys nobody gave.
 */
function acceptIntotoV001(value: JsonValue): AcceptedEntry {
  const spec = reader(value, 'request', { as: R.query }).child('spec');
  const text = spec.child('content').text('envelope');
  const envelope = unwrap(parseEnvelope(text, limits.logEnvelopeBytes));
  const verifier = readPemVerifier(utf8Text(spec.bytes('publicKey')));
  const signed = pae(envelope.payloadType, envelope.payload);
  if (!envelope.signatures.some(({ sig }) => messageSignatureHash(verifier.key, signed, sig) !== undefined)) {
    throw fail(R.signature, { expected: 'a signature that verifies with the key', actual: 'none' });
  }
  const body = intotoV001Body({
    envelopeHash: { algorithm: 'sha256', value: sha256(utf8(text)) },
    payloadHash: { algorithm: 'sha256', value: sha256(envelope.payload) },
    verifier: verifier.pem,
  });
  return { body, payloadKeys: payloadKeys(envelope), envelope, attestation: envelope.payload };
}

const SIGNATURES_MAX = 16;

/** What the submitter says the hash of its document is; undefined where it says nothing usable. */
function claimedHash(value: JsonValue): string | undefined {
  const content = reader(value, 'request', { as: R.query }).child('spec').child('content');
  return content.optionalChild('hash')?.optionalString('value')?.toLowerCase();
}

/**
 * The hash of the envelope as a document. Its bytes do not come along, so a claimed hash counts where one of the usual
 * ways to write the envelope has it; Rekor would take any. Else it is that of Go's way.
 */
function intotoEnvelopeHash(json: JsonReader, claimed: string | undefined): Uint8Array {
  const payloadType = json.text('payloadType');
  const payload = utf8Text(json.bytes('payload'));
  const signed = json.children('signatures', SIGNATURES_MAX).map((item) => ({
    keyid: item.optionalString('keyid') ?? '',
    sig: utf8Text(item.bytes('sig')),
  }));
  const bare = signed.map(({ keyid, sig }) => (keyid === '' ? { sig } : { sig, keyid }));
  const hashes = [signed, bare]
    .flatMap((signatures) => [
      { payloadType, payload, signatures },
      { payload, payloadType, signatures },
    ])
    .map((envelope) => JSON.stringify(envelope))
    .flatMap((text) => [text, `${text}\n`])
    .map((text) => sha256(utf8(text)));
  return hashes.find((hash) => toHex(hash) === claimed) ?? (hashes[0] as Uint8Array);
}

/** base64 of base64 text. */
function inner(json: JsonReader, key: string): Uint8Array {
  const text = utf8Text(json.bytes(key));
  const decoded = attempt(() => fromBase64(text));
  if (!decoded.ok) throw json.wrong(key, 'base64 of base64', text.slice(0, 80));
  return decoded.value;
}
