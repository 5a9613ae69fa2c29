/** A transport that writes down what it is asked, and how much of it runs side by side. */
import { type HttpRequest, httpTransport, type Transport } from '#platform/http-client';

export interface Counted {
  /** `METHOD path`, in order. */
  readonly asked: string[];
  /** Most requests under way at once. */
  most: number;
}

export function counting(inner: Transport = httpTransport()): { transport: Transport; state: Counted } {
  const state: Counted = { asked: [], most: 0 };
  let running = 0;
  const through = async <T>(request: HttpRequest, send: () => Promise<T>): Promise<T> => {
    state.asked.push(`${request.method ?? 'GET'} ${new URL(request.url).pathname}`);
    state.most = Math.max(state.most, ++running);
    try {
      return await send();
    } finally {
      running--;
    }
  };
  const transport: Transport = {
    request: (request) => through(request, () => inner.request(request)),
    stream: (request) => through(request, () => inner.stream(request)),
  };
  return { transport, state };
}
