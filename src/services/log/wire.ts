/** Errors on the wire, in the words of the API whose clients read them. */
import { type Reason, reason, reasonText, WaybillError } from '#base/reason';
import type { HttpApp, HttpReply } from '#platform/http-server';
import { R as platform } from '#platform/reasons';
import type { Logger } from '#platform/telemetry';
import { RETRY_AFTER_S } from './config.ts';
import { R } from './reasons.ts';

export type ErrorBody = (status: number, message: string, why?: Reason) => object;

/** Statuses of gRPC for HTTP ones, as the gateway of rekor-tiles maps them. */
const grpcCodes: Readonly<Record<number, number>> = {
  400: 3,
  404: 5,
  409: 6,
  413: 3,
  422: 3,
  429: 8,
  503: 14,
};
const GRPC_INTERNAL = 13;

/** Numbers of go-openapi for parameters that do not fit (its errors package); the status is 422 for each. */
const parameterCodes: Readonly<Record<string, number>> = {
  [R.type.code]: 601,
  [R.required.code]: 602,
  [R.pattern.code]: 605,
  [R.range.code]: 609,
};

/** go-openapi's model of Rekor v1. */
export const errorV1: ErrorBody = (status, message, why) => ({
  code: parameterCodes[why?.code ?? ''] ?? status,
  message,
});
/** google.rpc.Status. */
export const errorV2: ErrorBody = (status, message) => ({
  code: grpcCodes[status] ?? GRPC_INTERNAL,
  message,
  details: [],
});

export function sendError(
  reply: HttpReply,
  status: number,
  message: string,
  body: ErrorBody,
  why?: Reason,
): HttpReply {
  if (status === 503) reply.header('retry-after', String(RETRY_AFTER_S));
  return reply
    .code(status)
    .type('application/json')
    .send(JSON.stringify(body(status, message, why)));
}

/** An entry that is not taken, with the words of the original in front. */
class RefusedEntry extends WaybillError {
  readonly words: string;
  constructor(words: string, why: Reason) {
    super(why);
    this.words = words;
  }
}

/** Runs the reading of a proposed entry. */
export async function accepting<T>(words: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof WaybillError ? new RefusedEntry(words, error.reason) : error;
  }
}

/** A log refuses what it cannot verify as a bad request: evidence is what clients send here. */
function statusOf(why: Reason): number {
  return why.side === 'evidence' ? 400 : why.status;
}

/** Answers every error of the routes of `scope` in this API's form. */
export function useErrors(scope: HttpApp, body: ErrorBody, log: Logger): void {
  scope.setErrorHandler((error, request, reply) => {
    if (error instanceof WaybillError) {
      const { reason: why } = error;
      const words = error instanceof RefusedEntry ? `${error.words}: ` : '';
      return sendError(reply, statusOf(why), `${words}${reasonText(why)}`, body, why);
    }
    const { statusCode: status = 500, message } = error as Error & { statusCode?: number };
    if (status >= 400 && status < 500) return sendError(reply, status, message, body);
    log.error({ err: error, method: request.method, path: request.url.split('?')[0] }, 'defect');
    const why = reason(platform.defect, { expected: 'no defect', actual: 'an internal error' });
    return sendError(reply, 500, reasonText(why), body);
  });
}
