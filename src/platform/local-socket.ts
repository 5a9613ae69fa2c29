/** HTTP over a Unix socket: how commands on this machine talk to a process that serves one. */
import { request } from 'node:http';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface SocketAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Asks the process behind `socket`. Throws WB-201 when none answers within `timeoutMs`. */
export function askSocket(
  socket: string,
  question: { readonly method: 'GET' | 'POST'; readonly path: string; readonly json?: unknown },
  timeoutMs: number,
): Promise<SocketAnswer> {
  const { method, path, json } = question;
  return new Promise((resolve, reject) => {
    const refuse = (actual: string, cause?: unknown): void => {
      const expected = `an answer from ${socket}`;
      reject(fail(R.network, { expected, actual, hint: 'check that the process runs' }, cause));
    };
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
    const asked = request({ socketPath: socket, method, path, headers, timeout: timeoutMs }, (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > ANSWER_BYTES_MAX) asked.destroy(new Error('a larger answer'));
        else chunks.push(chunk);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
      answer.on('error', (error) => refuse(error.message, error));
    });
    asked.on('timeout', () => asked.destroy(new Error(`nothing within ${timeoutMs} ms`)));
    asked.on('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message, error));
    asked.end(body);
  });
}

export interface SocketStream {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Asks with GET for what may be large; the body is read while it comes, and breaks off when nothing comes for
 * `idleMs`. Throws the system's own error when nobody answers.
 */
export function openSocketStream(socket: string, path: string, idleMs: number): Promise<SocketStream> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, method: 'GET', path, timeout: idleMs }, (answer) =>
      resolve({ status: answer.statusCode ?? 0, body: answer as AsyncIterable<Uint8Array> }),
    );
    asked.on('timeout', () => asked.destroy(new Error(`nothing within ${idleMs} ms`)));
    asked.on('error', reject);
    asked.end();
  });
}
