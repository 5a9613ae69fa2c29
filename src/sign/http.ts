/** One way to ask a signing service: retries within a budget, and the same classes of failure everywhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import { limits } from '#base/limits';
import type { Random } from '#base/random';
import { fail, type ReasonSpec, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { isJsonObject, own, parseJson } from '#formats/json';
import { type HttpRequest, type HttpResponse, safeUrl, type Transport } from '#platform/http-client';
import { R } from './reasons.ts';

export interface WireDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
}

/** Milliseconds one call may take with all its retries. */
const RETRY_BUDGET_MS = 90_000;
const FIRST_PAUSE_MS = 250;

/**
 * Sends until an answer says something: 429 and 5xx and broken connections are tried again, with doubling
 * pauses and jitter, `Retry-After` respected, until attempts or budget end (WB-813, or the network's reason).
 */
export async function ask(deps: WireDeps, request: HttpRequest): Promise<HttpResponse> {
  const started = deps.clock.now();
  let pause = FIRST_PAUSE_MS;
  for (let attempts = 1; ; attempts++) {
    const answer = await once(deps.transport, request);
    if (!(answer instanceof WaybillError) && !isTransient(answer.status)) return answer;
    const wanted = answer instanceof WaybillError ? 0 : retryAfterMs(answer, deps.clock.now());
    const jitter = ((deps.random.bytes(1)[0] ?? 0) / 255) * pause;
    const wait = Math.max(wanted, pause / 2 + jitter);
    if (attempts >= limits.httpRetries || deps.clock.now() - started + wait > RETRY_BUDGET_MS) {
      throw answer instanceof WaybillError ? answer : unavailable(request.url, answer, attempts);
    }
    await sleep(wait);
    pause *= 2;
  }
}

async function once(transport: Transport, request: HttpRequest): Promise<HttpResponse | WaybillError> {
  try {
    return await transport.request(request);
  } catch (error) {
    if (error instanceof WaybillError && error.reason.side === 'environment') return error;
    throw error;
  }
}

// 501 says the service will never do it.
const isTransient = (status: number): boolean => status === 429 || (status >= 500 && status !== 501);

/** Seconds, or a date (RFC 9110 §10.2.3). */
function retryAfterMs(answer: HttpResponse, now: number): number {
  const text = answer.headers.get('retry-after') ?? '';
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

function unavailable(url: string, answer: HttpResponse, attempts: number): WaybillError {
  const actual = `status ${answer.status} after ${attempts} attempts: ${messageOf(answer)}`;
  return fail(R.unavailable, { expected: `an answer from ${safeUrl(url)}`, actual });
}

/** A refusal with the server's own words. */
export function refused(spec: ReasonSpec, url: string, answer: HttpResponse): WaybillError {
  const actual = `status ${answer.status}: ${messageOf(answer)}`;
  return fail(spec, { expected: `${safeUrl(url)} to accept the request`, actual });
}

/** `message` of a JSON error body (gRPC gateway, Rekor, ours), else the beginning of the text. */
export function messageOf(answer: HttpResponse): string {
  const json = parseJson(answer.body, { maxBytes: limits.httpErrorBodyBytes });
  const message = json.ok && isJsonObject(json.value) ? own(json.value, 'message') : undefined;
  if (typeof message === 'string') return message;
  const text = attempt(() => utf8Text(answer.body.subarray(0, 300)));
  return text.ok && text.value.trim() !== '' ? text.value.trim() : 'no message';
}

/** Runs a reader over a service's answer; what does not read is the service's fault (WB-814). */
export function readAnswer<T>(url: string, body: () => T): T {
  const read = attempt(body);
  if (read.ok) return read.value;
  const actual = `${read.error.check}: ${read.error.actual}`;
  throw fail(R.answer, { expected: `an answer of its kind from ${safeUrl(url)}`, actual });
}

export const jsonOf = (answer: HttpResponse) => unwrap(parseJson(answer.body));

/** Joins a base URL and a path, whether or not the base ends in a slash. */
export const joinUrl = (base: string, path: string): string => `${base.replace(/\/+$/, '')}${path}`;
