/** Client of a timestamp authority (RFC 3161 over HTTP). */
import { equalBytes } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { buildTimeStampRequest, parseTimeStampResponse } from '#formats/tsp';
import { ask, readAnswer, refused, type WireDeps } from './http.ts';
import { R } from './reasons.ts';

export interface TsaClient {
  readonly url: string;
  /** A TimeStampResp (DER) over the SHA-256 of `signature`. Throws WB-812, WB-813 or WB-814. */
  timestamp(signature: Uint8Array): Promise<Uint8Array>;
}

const TIMEOUT_MS = 15_000;

/** `url` is the full request URL, as signing configs name it. */
export function tsaClient(url: string, deps: WireDeps): TsaClient {
  return {
    url,
    timestamp: async (signature) => {
      const imprint = sha256(signature);
      const nonce = positive(deps.random.bytes(16));
      // No certificate in the token: verifiers take it from the trusted root, and bundles stay small.
      const request = buildTimeStampRequest({ hashName: 'sha256', hash: imprint, nonce, certReq: false });
      const answer = await ask(deps, {
        url,
        method: 'POST',
        headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
        body: request,
        timeoutMs: TIMEOUT_MS,
        maxBytes: 64 * 1024,
      });
      if (answer.status !== 200 && answer.status !== 201) throw refused(R.tsaRefused, url, answer);
      const token = readAnswer(url, () => unwrap(parseTimeStampResponse(answer.body)));
      const isOurs =
        equalBytes(token.messageImprint.hash, imprint) &&
        token.nonce !== undefined &&
        equalBytes(stripZeros(token.nonce), stripZeros(nonce));
      if (isOurs) return answer.body;
      const expected = `a token for our request from ${url}`;
      throw fail(R.answer, { expected, actual: 'one for another', class: 'time' });
    },
  };
}

/** A magnitude whose first octet neither is zero nor needs a sign octet, so that every server echoes it alike. */
function positive(bytes: Uint8Array): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[0] = ((out[0] ?? 0) & 0x7f) | 0x40;
  return out;
}

function stripZeros(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? new Uint8Array() : bytes.subarray(first);
}
