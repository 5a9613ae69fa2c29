/** Bodies that are small: read whole, up to a cap and a time. */
import { fail } from '#base/reason';
import type { HttpRequestIn } from '#platform/http-server';
import { R } from './reasons.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** WB-1090 for what is announced larger, or at the first byte too many; WB-1103 when it takes too long. */
export async function wholeBody(
  request: HttpRequestIn,
  { maxBytes, timeoutMs }: BodyLimits,
): Promise<Uint8Array> {
  const tooLarge = (actual: string): Error =>
    fail(R.tooLarge, { expected: `at most ${maxBytes} bytes`, actual });
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) throw tooLarge(`${announced}`);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(fail(R.slow, { expected: `a body within ${timeoutMs} ms`, actual: 'more to come' }));
  }, timeoutMs);
  const read = async (): Promise<Uint8Array> => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge('more');
      chunks.push(chunk);
    }
    return new Uint8Array(Buffer.concat(chunks, length));
  };
  try {
    return await Promise.race([read(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Ends the connection of a refused request whose body goes on: the answer would be lost if it ended at once, and it
 * would be held for as long as the sender likes if it never did.
 */
export function endLater({ raw }: HttpRequestIn, lingerMs: number): void {
  if (raw.complete || raw.destroyed) return;
  const timer = setTimeout(() => {
    if (!raw.complete) raw.socket.destroy();
  }, lingerMs);
  timer.unref();
  raw.socket.once('close', () => clearTimeout(timer));
}
