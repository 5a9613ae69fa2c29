/** DSSE envelopes (github.com/secure-systems-lab/dsse, protocol v1). */
import { concat, toBase64, utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonObject, type JsonValue, parseJson, protoReader } from './json.ts';
import { R } from './sigstore-reasons.ts';

/** Payload type of in-toto statements. */
export const INTOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

export interface EnvelopeSignature {
  readonly sig: Uint8Array;
  /** A hint only; never used for trust. */
  readonly keyid?: string;
}

export interface Envelope {
  readonly payloadType: string;
  /** The decoded payload, byte for byte as it was signed. */
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

/** Most signatures one envelope may carry; a bundle's envelope carries exactly one. */
const SIGNATURES_MAX = 16;

/** Pre-authentication encoding: the bytes that are signed. Lengths count bytes, not characters. */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType);
  return concat(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload);
}

/** Parses an envelope from its JSON (value, text or bytes). Fails with WB-155 or a JSON reason. */
export function parseEnvelope(input: Uint8Array | string | JsonObject, maxBytes?: number): Result<Envelope> {
  return attempt(() => {
    const options = maxBytes === undefined ? {} : { maxBytes };
    const value =
      typeof input === 'string' || input instanceof Uint8Array ? unwrap(parseJson(input, options)) : input;
    return readEnvelope(value);
  });
}

/** Throws `WaybillError`; for parsers that embed an envelope. */
export function readEnvelope(value: JsonValue, path = 'envelope'): Envelope {
  const json = protoReader(value, path, { as: R.envelope });
  const signatures = json.children('signatures', SIGNATURES_MAX).map((item): EnvelopeSignature => {
    const sig = item.bytes('sig');
    if (sig.length === 0) throw item.wrong('sig', 'a signature', '');
    const keyid = item.optionalString('keyid');
    return keyid === undefined || keyid === '' ? { sig } : { sig, keyid };
  });
  if (signatures.length === 0) {
    throw fail(R.envelope, { expected: 'at least one signature', actual: 'none' });
  }
  return { payloadType: json.text('payloadType'), payload: json.bytes('payload'), signatures };
}

/** The JSON value of an envelope. */
export function envelopeValue(envelope: Envelope): JsonObject {
  return {
    payload: toBase64(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map(({ sig, keyid }): JsonObject => {
      return keyid === undefined ? { sig: toBase64(sig) } : { keyid, sig: toBase64(sig) };
    }),
  };
}

/** The JSON text of an envelope, in the member order of Go's encoder. */
export function envelopeJson(envelope: Envelope): string {
  return JSON.stringify(envelopeValue(envelope));
}
