/** Wire: c2sp.org/tlog-witness. Bodies are plain text. */
import { reasonText, WaybillError } from '#base/reason';
import { bodyBytes, type HttpApp, refusalOf } from '#platform/http-server';
import { R as platform } from '#platform/reasons';
import { REQUEST_BYTES_MAX, type WitnessConfig } from './config.ts';
import type { Witness } from './witness.ts';

const SIZE_TYPE = 'text/x.tlog.size';
const TEXT_TYPE = 'text/plain; charset=utf-8';

export function registerWitness(app: HttpApp, witness: Witness, { log }: Pick<WitnessConfig, 'log'>): void {
  void app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => {
      const invalid = platform.notFound;
      const why =
        error instanceof WaybillError && error.reason.side === 'evidence'
          ? { ...error.reason, status: 400 }
          : refusalOf(error, request, { log, invalid, bodyBytesMax: REQUEST_BYTES_MAX });
      return reply
        .code(why.status)
        .type(TEXT_TYPE)
        .send(`${reasonText(why)}\n`);
    });
    scope.post('/add-checkpoint', { bodyLimit: REQUEST_BYTES_MAX }, async (request, reply) => {
      const answer = witness.addCheckpoint(bodyBytes(request));
      if (answer.kind === 'cosigned') return reply.type(TEXT_TYPE).send(answer.lines);
      // Exactly this type: logs read the size by it.
      return reply.code(409).header('content-type', SIZE_TYPE).send(`${answer.size}\n`);
    });
    scope.get('/', async (_request, reply) => reply.type(TEXT_TYPE).send(`${witness.verifierKey}\n`));
    scope.get('/healthz', async (_request, reply) => reply.type('application/json').send('{"status":"ok"}'));
  });
}
