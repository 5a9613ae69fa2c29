/**
 * A real registry of ours behind a proxy that misbehaves on request. Rules match method and path; the first
 * that still has uses left decides. Every request is kept, with its headers, for the test to look at.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRegistry, type RegistryConfig, type RunningRegistry } from '#services/registry';

export type Fault =
  /** Answers itself. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** Changes the first byte of the body. */
  | { readonly kind: 'flip' }
  /** Leaves the last byte out and ends normally. */
  | { readonly kind: 'truncate' }
  /** Goes on after the body for ever. */
  | { readonly kind: 'endless' }
  /** Sends a byte now and then. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** Never answers. */
  | { readonly kind: 'silent' }
  /** Breaks the connection. */
  | { readonly kind: 'break' }
  /** Changes headers of the answer; undefined removes one. */
  | { readonly kind: 'headers'; readonly set: Readonly<Record<string, string | undefined>> }
  /** Passes the request on without these headers, like a registry that does not know them. */
  | { readonly kind: 'deaf'; readonly to: readonly string[] }
  /** Runs before the request is passed on. */
  | { readonly kind: 'meanwhile'; readonly run: () => Promise<void> };

export interface Rule {
  readonly method?: string;
  readonly path: RegExp;
  readonly fault: Fault;
  /** Uses; default without end. */
  readonly times?: number;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface FaultyRegistry {
  /** `127.0.0.1:port`: what references begin with. */
  readonly host: string;
  readonly seen: SeenRequest[];
  /** The registry behind, without faults. */
  readonly inner: RunningRegistry;
  /** Replaces the rules. */
  misbehave(...rules: readonly Rule[]): void;
  close(): Promise<void>;
}

export async function faultyRegistry(config: Partial<RegistryConfig> = {}): Promise<FaultyRegistry> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waybill-registry-'));
  const inner = await createRegistry({ dataDir, ...config });
  const seen: SeenRequest[] = [];
  let rules: { readonly rule: Rule; left: number }[] = [];
  const server = createServer((request, response) => {
    const { method = '', url: path = '', headers } = request;
    seen.push({ method, path, headers });
    const active = rules.find(
      ({ rule, left }) => left > 0 && rule.path.test(path) && (rule.method ?? method) === method,
    );
    if (active !== undefined) active.left--;
    serve(request, response, inner.origin, active?.rule.fault).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    inner,
    misbehave: (...next) => {
      rules = next.map((rule) => ({ rule, left: rule.times ?? Number.POSITIVE_INFINITY }));
    },
    close: async () => {
      await closed(server);
      await inner.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  origin: string,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.kind === 'silent') return;
  if (fault?.kind === 'break') return void request.socket.destroy();
  if (fault?.kind === 'answer') {
    request.resume();
    response.writeHead(fault.status, fault.headers);
    return void response.end(fault.body);
  }
  if (fault?.kind === 'meanwhile') await fault.run();
  const headers = { ...request.headers };
  for (const name of fault?.kind === 'deaf' ? fault.to : []) delete headers[name];
  const options = { method: request.method ?? 'GET', headers };
  const upstream = httpRequest(`${origin}${request.url ?? ''}`, options, (answer) => {
    relay(answer, response, fault).catch(() => response.destroy());
  });
  upstream.on('error', () => response.destroy());
  request.pipe(upstream);
}

const rewritesBody = new Set(['truncate', 'endless', 'drip']);

async function relay(
  answer: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  const headers: Record<string, string | string[] | undefined> = { ...answer.headers };
  if (fault?.kind === 'headers') Object.assign(headers, fault.set);
  // The lie about the length is told with chunked encoding, so the HTTP client itself sees nothing wrong.
  if (fault !== undefined && rewritesBody.has(fault.kind)) delete headers['content-length'];
  const kept = Object.entries(headers).filter(([, value]) => value !== undefined);
  response.writeHead(answer.statusCode ?? 500, Object.fromEntries(kept));
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  await send(Buffer.concat(chunks), response, fault);
}

async function send(body: Buffer, response: ServerResponse, fault: Fault | undefined): Promise<void> {
  switch (fault?.kind) {
    case 'flip':
      body[0] = (body[0] ?? 0) ^ 1;
      response.end(body);
      return;
    case 'truncate':
      response.end(body.subarray(0, -1));
      return;
    case 'endless':
      response.write(body);
      while (!response.destroyed) {
        response.write(Buffer.alloc(1024));
        await new Promise((resolve) => setImmediate(resolve));
      }
      return;
    case 'drip':
      for (const byte of body) {
        if (response.destroyed) return;
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setTimeout(resolve, fault.everyMs));
      }
      response.end();
      return;
    default:
      response.end(body);
  }
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
