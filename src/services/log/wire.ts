/** Errors on the wire, in the words of the API whose clients read them. */
import { limits } from '#base/limits';
import { type Reason, reason, reasonText, WaybillError } from '#base/reason';
import { type HttpApp, type HttpReply, ToldError } from '#platform/http-server';
import { R as platform } from '#platform/reasons';
import type { Logger } from '#platform/telemetry';
import { RETRY_AFTER_S } from './config.ts';
import { R } from './reasons.ts';

export type ErrorBody = (status: number, message: string, number?: number) => object;

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

/** go-openapi's model of Rekor v1. `number` is that of a parameter's fault. */
export const errorV1: ErrorBody = (status, message, number) => ({ code: number ?? status, message });
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
  number?: number,
): HttpReply {
  if (status === 503) reply.header('retry-after', String(RETRY_AFTER_S));
  return reply
    .code(status)
    .type('application/json')
    .send(JSON.stringify(body(status, message, number)));
}

export const told = (words: string, { reason: why }: WaybillError, number?: number): WaybillError =>
  new ToldError(words, why, number);

/** Runs the reading of a proposed entry. */
export async function accepting<T>(words: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof WaybillError && !(error instanceof ToldError) ? told(words, error) : error;
  }
}

/** A log refuses what it cannot verify as a bad request: evidence is what clients send here. */
function statusOf(why: Reason): number {
  return why.side === 'evidence' ? 400 : why.status;
}

/** Rekor v2's gateway makes a bad request of it, in the words of Go's reader of bodies. */
function tooLarge(actual: string): string {
  const why = reason(R.query, { expected: `a body of at most ${limits.logRequestBytes} bytes`, actual });
  return `http: request body too large: ${reasonText(why)}`;
}

/** Answers every error of the routes of `scope` in this API's form. */
export function useErrors(scope: HttpApp, body: ErrorBody, log: Logger): void {
  scope.setErrorHandler((error, request, reply) => {
    if (error instanceof WaybillError) {
      const { reason: why } = error;
      const [words, number] =
        error instanceof ToldError ? [`${error.words}: `, error.number] : ['', undefined];
      return sendError(reply, statusOf(why), `${words}${reasonText(why)}`, body, number);
    }
    const { statusCode: status = 500, message } = error as Error & { statusCode?: number };
    if (status === 413 && body === errorV2) return sendError(reply, 400, tooLarge(message), body);
    if (status >= 400 && status < 500) return sendError(reply, status, message, body);
    log.error({ err: error, method: request.method, path: request.url.split('?')[0] }, 'defect');
    const why = reason(platform.defect, { expected: 'no defect', actual: 'an internal error' });
    return sendError(reply, 500, reasonText(why), body);
  });
}
