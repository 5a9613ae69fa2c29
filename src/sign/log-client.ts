/**
 * Clients of transparency logs: Rekor v1 (`/api/v1/log/entries`) and v2 (`/api/v2/log/entries`). Both return the
 * entry as a bundle carries it; neither judges it: the signer verifies the whole bundle afterwards.
 */
import { utf8 } from '#base/bytes';
import type { PublicKey } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { type TransparencyLogEntry, tlogEntryFromJson } from '#formats/bundle';
import { envelopeJson } from '#formats/dsse';
import { isJsonObject, type JsonObject, type JsonValue } from '#formats/json';
import { keyDetailsFor } from '#formats/key-details';
import {
  hashedRekordV2RequestJson,
  parseLogEntryV1,
  type RekorRequestV1,
  rekorV1RequestJson,
  type VerifierV2,
} from '#formats/rekor';
import type { HttpResponse } from '#platform/http-client';
import type { Signed } from './content.ts';
import { ask, joinUrl, jsonOf, readAnswer, refused, type WireDeps } from './http.ts';
import { R } from './reasons.ts';

/** What is logged about one signature. */
export interface LogSubmission extends Pick<Signed, 'digest' | 'signature' | 'isPure' | 'envelope'> {
  readonly key: PublicKey;
  /** PEM of the certificate or the public key. */
  readonly verifierPem: string;
  /** DER certificate, when there is one. */
  readonly certificate?: Uint8Array;
}

export interface LogClient {
  readonly url: string;
  readonly version: 1 | 2;
  /**
   * Logs a signature and waits for its proof; `duplicate` when the log has this very entry and does not hand it
   * out again (v2). Throws WB-811, WB-813, WB-814 or WB-818.
   */
  submit(submission: LogSubmission): Promise<TransparencyLogEntry | 'duplicate'>;
}

export function logClient(base: string, version: 1 | 2, deps: WireDeps): LogClient {
  return version === 1 ? logClientV1(base, deps) : logClientV2(base, deps);
}

const jsonHeaders = { 'content-type': 'application/json', accept: 'application/json' };
const TIMEOUT_V1_MS = 30_000;
/** A v2 log answers when a checkpoint covers the entry: clients wait at least 20 s (rekor-tiles CLIENTS.md). */
const TIMEOUT_V2_MS = 45_000;

function logClientV1(base: string, deps: WireDeps): LogClient {
  const url = joinUrl(base, '/api/v1/log/entries');
  return {
    url,
    version: 1,
    submit: async (submission) => {
      const answer = await ask(deps, {
        url,
        method: 'POST',
        headers: jsonHeaders,
        body: encode(rekorV1RequestJson(requestV1(submission))),
        timeoutMs: TIMEOUT_V1_MS,
      });
      if (answer.status === 201 || answer.status === 200) return entryV1(url, answer);
      const location = answer.headers.get('location');
      // The log has this very entry, from an attempt whose answer was lost: it is ours.
      if (answer.status === 409 && location !== undefined) {
        const at = new URL(location, url);
        if (at.host !== new URL(url).host) throw refused(R.logRefused, url, answer);
        const kept = await ask(deps, { url: at.href, headers: jsonHeaders, timeoutMs: TIMEOUT_V1_MS });
        if (kept.status === 200) return entryV1(url, kept);
      }
      throw refused(R.logRefused, url, answer);
    },
  };
}

function requestV1(submission: LogSubmission): RekorRequestV1 {
  const { envelope, signature, digest, verifierPem } = submission;
  if (envelope !== undefined) {
    return { kind: 'dsse', version: '0.0.1', envelope: envelopeJson(envelope), verifiers: [verifierPem] };
  }
  return { kind: 'hashedrekord', version: '0.0.1', hash: digest, signature, verifier: verifierPem };
}

/** `{"<entry id>": {…}}` with exactly one member. */
function entryV1(url: string, answer: HttpResponse): TransparencyLogEntry {
  return readAnswer(url, () => {
    const value = jsonOf(answer);
    const members = isJsonObject(value) ? Object.values(value) : [];
    const [only] = members;
    if (only === undefined || members.length !== 1) {
      throw fail(R.answer, { expected: 'one log entry', actual: `${members.length}` });
    }
    return unwrap(parseLogEntryV1(only));
  });
}

function logClientV2(base: string, deps: WireDeps): LogClient {
  const url = joinUrl(base, '/api/v2/log/entries');
  return {
    url,
    version: 2,
    submit: async (submission) => {
      const answer = await ask(deps, {
        url,
        method: 'POST',
        headers: jsonHeaders,
        body: encode(requestV2(submission)),
        timeoutMs: TIMEOUT_V2_MS,
      });
      if (answer.status === 409) return 'duplicate';
      if (answer.status !== 201 && answer.status !== 200) throw refused(R.logRefused, url, answer);
      return readAnswer(url, () => unwrap(tlogEntryFromJson(jsonOf(answer))));
    },
  };
}

function requestV2(submission: LogSubmission): JsonObject {
  const { key, certificate, digest, signature, isPure } = submission;
  const keyDetails = keyDetailsFor(key, true);
  if (keyDetails === undefined || isPure) {
    const actual = isPure ? 'pure Ed25519, which only the content itself proves' : `${key.kind} ${key.bits}`;
    throw fail(R.keyKind, { expected: 'a signature a v2 log can check', actual });
  }
  const verifier: VerifierV2 =
    certificate === undefined
      ? { kind: 'publicKey', rawBytes: key.spki, keyDetails }
      : { kind: 'x509Certificate', rawBytes: certificate, keyDetails };
  return hashedRekordV2RequestJson({ digest: digest.value, signature, verifier });
}

const encode = (value: JsonValue): Uint8Array => utf8(JSON.stringify(value));

/** The entry of a v1 log at an index, with its proof. Throws WB-811 when there is none, WB-813, WB-814. */
export async function readEntryV1(
  base: string,
  logIndex: number,
  deps: WireDeps,
): Promise<TransparencyLogEntry> {
  const url = `${joinUrl(base, '/api/v1/log/entries')}?logIndex=${logIndex}`;
  const answer = await ask(deps, { url, headers: jsonHeaders, timeoutMs: TIMEOUT_V1_MS });
  if (answer.status !== 200) throw refused(R.logRefused, url, answer);
  return entryV1(url, answer);
}
