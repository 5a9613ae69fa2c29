/**
 * HTTP/1.1 over one kept connection, for requests laid out beforehand. A client that takes as much processor time as the
 * server it asks measures itself: on two cores the quicker of two servers then waits for it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** The bytes of a POST to `url`, for `LeanClient.send`. */
export function postBytes(url: string, headers: Readonly<Record<string, string>>, body: Buffer): Buffer {
  const { host, pathname } = new URL(url);
  const all = { host, ...headers, 'content-length': String(body.length) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
}

export class LeanClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #asked: PromiseWithResolvers<Answer> | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (part) => this.#take(part));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  static async open(url: string): Promise<LeanClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new LeanClient(socket);
  }

  /** One at a time. */
  send(request: Buffer): Promise<Answer> {
    if (this.#asked !== undefined) throw new Error('an answer is still awaited');
    this.#asked = Promise.withResolvers<Answer>();
    this.#socket.write(request);
    return this.#asked.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(part: Buffer): void {
    this.#received = this.#received.length === 0 ? part : Buffer.concat([this.#received, part]);
    try {
      const answer = readAnswer(this.#received);
      if (answer === undefined) return;
      this.#received = Buffer.alloc(0);
      const asked = this.#asked;
      this.#asked = undefined;
      asked?.resolve(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.reject(error);
  }
}

/** Undefined until it is whole. Throws for what no server here sends. */
function readAnswer(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const rest = bytes.subarray(end + 4);
  if (length === undefined) {
    if (!/\r\ntransfer-encoding: chunked/i.test(head)) throw new Error(`an answer without length: ${head}`);
    const body = readChunks(rest);
    return body === undefined ? undefined : { status, body };
  }
  return rest.length < Number(length) ? undefined : { status, body: rest };
}

function readChunks(bytes: Buffer): Buffer | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const length = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const from = line + 2;
    if (bytes.length < from + length + 2) return undefined;
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(bytes.subarray(from, from + length));
    at = from + length + 2;
  }
}
