/** Wire: the routes of the log's API version, each answering errors in that version's form. */
import { allowReading } from '#platform/cross-origin';
import { absentInGateway, absentInOpenApi, answerAbsent, type HttpApp } from '#platform/http-server';
import type { Logger } from '#platform/telemetry';
import type { LogService } from './log.ts';
import { routesV1 } from './routes-v1.ts';
import { routesV2 } from './routes-v2.ts';
import { errorV1, errorV2, useErrors } from './wire.ts';

/** Registers the log on `app`. Both versions may share one: their paths differ. */
export function registerLog(app: HttpApp, service: LogService, log: Logger): void {
  answerAbsent(app, service.api === 'v1' ? absentInOpenApi : absentInGateway);
  // A scope of its own keeps this API's form of errors away from other services on the same server.
  void app.register(async (scope) => {
    allowReading(scope, ['/api/v1/log/entries/retrieve', '/api/v1/index/retrieve']);
    useErrors(scope, service.api === 'v1' ? errorV1 : errorV2, log);
    if (service.api === 'v1') routesV1(scope, service);
    else routesV2(scope, service);
  });
}
