/** The wire: POST /mutate, POST /validate (AdmissionReview v1), GET /healthz, /readyz, /metrics. */
import type { Clock } from '#base/clock';
import { fail, reason, reasonText, WaybillError } from '#base/reason';
import { bodyBytes, type HttpApp, type HttpRequestIn } from '#platform/http-server';
import type { Logger } from '#platform/telemetry';
import { type AdmissionDeps, mutate, type Outcome, validate } from './admission.ts';
import { TIMEOUT_SECONDS_DEFAULT } from './config.ts';
import type { AdmissionMetrics } from './metrics.ts';
import { R } from './reasons.ts';
import { answerBody, parseReview, type Review, timeoutMsOf } from './review.ts';

export interface AdmissionRoutesDeps extends AdmissionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AdmissionMetrics;
  /** Why the webhook is not ready to judge; undefined when it is. */
  readonly unready: () => string | undefined;
}

/** Time kept for the way back: an answer that arrives late is no answer. */
const RESERVE_MS = 1000;

type Handler = (review: Review, deadlineMs: number, deps: AdmissionDeps) => Promise<Outcome>;

export function registerAdmission(app: HttpApp, deps: AdmissionRoutesDeps): void {
  const route = (path: 'mutate' | 'validate', handler: Handler): void => {
    app.post(`/${path}`, async (request, reply) => {
      const started = deps.clock.now();
      const review = parseReview(reviewBytes(request));
      const query = (request.query as Record<string, unknown>)['timeout'];
      const timeoutMs = timeoutMsOf(typeof query === 'string' ? query : undefined, TIMEOUT_SECONDS_DEFAULT);
      const reserve = Math.min(RESERVE_MS, timeoutMs / 4);
      const outcome = await guarded(handler, review, started + timeoutMs - reserve, deps);
      deps.metrics.record(path, outcome, (deps.clock.now() - started) / 1000);
      logDecision(path, review, outcome, deps.log);
      return reply
        .code(200)
        .type('application/json')
        .send(JSON.stringify(answerBody(review.uid, outcome.answer)));
    });
  };
  route('mutate', mutate);
  route('validate', validate);
  app.get('/healthz', (_request, reply) => reply.type('text/plain').send('ok'));
  app.get('/readyz', (_request, reply) => {
    const why = deps.unready();
    return reply
      .code(why === undefined ? 200 : 503)
      .type('text/plain')
      .send(why ?? 'ok');
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(deps.metrics.contentType).send(await deps.metrics.text()),
  );
}

function reviewBytes(request: HttpRequestIn): Uint8Array {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json(?:;|$)/i.test(type)) {
    throw fail(R.mediaType, { expected: 'application/json', actual: type === '' ? 'none' : type });
  }
  return bodyBytes(request);
}

/** A defect of ours denies, with the uid to find it by; it never lets an object through. */
async function guarded(
  handler: Handler,
  review: Review,
  deadlineMs: number,
  deps: AdmissionRoutesDeps,
): Promise<Outcome> {
  try {
    return await handler(review, deadlineMs, deps);
  } catch (error) {
    deps.metrics.defect();
    deps.log.error({ err: error, uid: review.uid }, 'defect');
    const why =
      error instanceof WaybillError
        ? error.reason
        : reason(R.defect, { expected: 'a judgement', actual: `an internal error (uid ${review.uid})` });
    const status = { code: 500, reason: 'InternalError', message: reasonText(why) };
    return { answer: { allowed: false, status }, kind: 'unavailable' };
  }
}

function logDecision(path: string, review: Review, outcome: Outcome, log: Logger): void {
  const { request } = review;
  const line = {
    path,
    uid: review.uid,
    outcome: outcome.kind,
    kind: request.kind.kind,
    namespace: request.namespace,
    name: request.name,
    dryRun: review.dryRun,
    checks: outcome.decision?.results.map(({ policy, rule, image, digest, status, reasons }) => ({
      policy,
      rule,
      image,
      digest,
      status,
      codes: reasons.map(({ code }) => code),
    })),
  };
  const uses = outcome.uses ?? [];
  if (uses.length > 0) {
    const exceptions = uses.map(({ exception, image }) => ({ name: exception.name, image }));
    log.warn({ ...line, exceptions }, 'admitted by exception');
  } else if (outcome.kind === 'allowed' || outcome.kind === 'nothing') log.debug(line, 'review');
  else log.info(line, 'review');
}
