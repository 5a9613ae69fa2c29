/** Dependencies that fail at their n-th call, once or from then on, and the loop that raises n until none fires. */

import { limits } from '#base/limits';
import { fail, type ReasonSpec } from '#base/reason';
import type { HttpRequest, HttpResponse, HttpStream, Transport } from '#platform/http-client';

export const faultKinds = [
  'throw',
  'timeout',
  'truncated',
  'status 500',
  'empty',
  'flipped',
  'garbage',
] as const;
/** `missing`: an answer that says there is no such thing, a file that is gone. */
export type FaultKind = (typeof faultKinds)[number] | 'missing';

export interface FaultPlan {
  readonly kind: FaultKind;
  /** Which call fails, the first being 1. */
  readonly at: number;
  /** From that call on, every one. */
  readonly lasts: boolean;
}

/** Counts calls and says which are to fail. */
export class Faults {
  readonly plan: FaultPlan | undefined;
  calls = 0;
  fired = 0;

  constructor(plan?: FaultPlan) {
    this.plan = plan;
  }

  /** The kind of fault this call meets; undefined: none. */
  next(): FaultKind | undefined {
    this.calls++;
    const { plan } = this;
    if (plan === undefined || !(plan.lasts ? this.calls >= plan.at : this.calls === plan.at))
      return undefined;
    this.fired++;
    return plan.kind;
  }
}

const network: ReasonSpec = {
  code: 'WB-201',
  check: 'http.request',
  side: 'environment',
  summary: 'A server could not be reached or broke off.',
  hint: 'check the address and that the server runs',
  exit: 20,
};
const timeout: ReasonSpec = { ...network, code: 'WB-202', check: 'http.timeout' };

/** Fails as every transport has to: with a reason (contract of `Transport`). */
export function broken(kind: FaultKind, what: string): Error {
  const spec = kind === 'timeout' ? timeout : network;
  return fail(spec, {
    expected: `an answer from ${what}`,
    actual: kind === 'timeout' ? `none in ${limits.httpTimeoutMs} ms` : 'ECONNRESET',
  });
}

/** The bytes as a fault leaves them. */
export function spoilt(kind: FaultKind, body: Uint8Array): Uint8Array {
  if (kind === 'truncated') return body.subarray(0, body.length >> 1);
  if (kind === 'empty') return new Uint8Array();
  if (kind === 'garbage') return new TextEncoder().encode('<html>please log in</html>');
  const copy = Uint8Array.from(body);
  if (copy.length > 0) copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 1;
  return copy;
}

const failure = new TextEncoder().encode('{"errors":[{"code":"UNKNOWN","message":"no"}]}');

function statusOf(kind: FaultKind): number | undefined {
  if (kind === 'missing') return 404;
  return kind === 'status 500' ? 500 : undefined;
}

/** A transport whose answers fail as planned. */
export function faultyTransport(inner: Transport, faults: Faults): Transport {
  const throws = (kind: FaultKind, { url }: HttpRequest): void => {
    if (kind === 'throw' || kind === 'timeout') throw broken(kind, url);
  };
  return {
    async request(request): Promise<HttpResponse> {
      const kind = faults.next();
      if (kind === undefined) return inner.request(request);
      throws(kind, request);
      const answer = await inner.request(request);
      const status = statusOf(kind);
      if (status !== undefined) return { ...answer, status, body: failure };
      return { ...answer, body: spoilt(kind, answer.body) };
    },
    async stream(request): Promise<HttpStream> {
      const kind = faults.next();
      if (kind === undefined) return inner.stream(request);
      throws(kind, request);
      const answer = await inner.stream(request);
      const chunks: Uint8Array[] = [];
      for await (const chunk of answer.body) chunks.push(chunk);
      const whole = Buffer.concat(chunks);
      const status = statusOf(kind);
      if (status !== undefined) return { ...answer, status, body: once(failure) };
      return { ...answer, body: once(spoilt(kind, whole)) };
    },
  };
}

/** Each question asked once, and answered from memory after that: hundreds of runs ask the same. */
export function recordedTransport(inner: Transport): Transport {
  const answers = new Map<string, Promise<{ readonly head: HttpResponse; readonly body: Uint8Array }>>();
  const recall = (request: HttpRequest, kind: string, ask: () => Promise<HttpResponse>) => {
    const { url, method = 'GET', body, headers = {} } = request;
    const sent = body instanceof Uint8Array ? Buffer.from(body).toString('hex') : '';
    const name = `${kind} ${method} ${url} ${headers['range'] ?? ''} ${sent}`;
    const known = answers.get(name) ?? ask().then((head) => ({ head, body: head.body }));
    answers.set(name, known);
    return known;
  };
  return {
    request: async (request) => (await recall(request, 'request', () => inner.request(request))).head,
    stream: async (request) => {
      const { head, body } = await recall(request, 'stream', async () => {
        const answer = await inner.stream(request);
        const chunks: Uint8Array[] = [];
        for await (const chunk of answer.body) chunks.push(chunk);
        return { ...answer, body: new Uint8Array(Buffer.concat(chunks)) };
      });
      return { ...head, body: once(body) };
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** More calls than any of the flows makes: reached only by one that never ends. */
const CALLS_MAX = 500;

/**
 * Runs `work` with a fault at the first call, the second, and so on, of every kind, once and lasting, until no
 * fault fires any more. Returns how many runs met a fault.
 */
export async function atEveryCall(
  work: (faults: Faults) => Promise<void>,
  kinds: readonly FaultKind[] = faultKinds,
  lasting: readonly boolean[] = [false, true],
): Promise<number> {
  let runs = 0;
  for (const kind of kinds) {
    for (const lasts of lasting) {
      for (let at = 1; ; at++) {
        if (at > CALLS_MAX) throw new Error(`still failing at call ${at}`);
        const faults = new Faults({ kind, at, lasts });
        await work(faults);
        if (faults.fired === 0) break;
        runs++;
      }
    }
  }
  return runs;
}
