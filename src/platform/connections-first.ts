/**
 * Connections before requests. In one turn of its event loop Node takes one connection of those that wait in the kernel
 * (libuv accepts in no loop since 1.45), and reads every request that has arrived. Serving hundreds makes a turn tens
 * of milliseconds long: of hundreds that connect at once the last would wait for as many turns, seconds, while the
 * first are served again and again. So no request is handed on as long as each turn brings another connection. Turns
 * are short then, and who connects together is served together.
 */
import type { RequestListener, Server } from 'node:http';

/**
 * Connections after which the requests that wait are handed on in any case: who connects without end slows the others
 * and stops nobody.
 */
export const CONNECTIONS_IN_A_ROW_MAX = 512;

/** Puts what listens for the requests of `server` behind its connections. Requests keep their order. */
export function connectionsFirst(server: Pick<Server, 'on' | 'listeners' | 'removeAllListeners'>): void {
  const listeners = server.listeners('request') as RequestListener[];
  let waiting: Parameters<RequestListener>[] = [];
  let inARow = 0;
  let isNew = false;

  const serve: RequestListener = (request, reply) => {
    for (const listener of listeners) listener(request, reply);
  };
  /** At the end of a turn: whether it brought a connection. If so, the next one may bring another. */
  const look = (): void => {
    if (isNew && inARow < CONNECTIONS_IN_A_ROW_MAX) {
      isNew = false;
      setImmediate(look);
      return;
    }
    const released = waiting;
    waiting = [];
    inARow = 0;
    isNew = false;
    for (const [request, reply] of released) {
      // Nobody is there to be answered.
      if (!request.socket.destroyed) serve(request, reply);
    }
  };

  server.removeAllListeners('request');
  server.on('connection', () => {
    if (inARow === 0) setImmediate(look);
    inARow++;
    isNew = true;
  });
  server.on('request', (request, reply) => {
    if (inARow === 0) serve(request, reply);
    else waiting.push([request, reply]);
  });
}
