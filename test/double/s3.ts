/**
 * An S3-compatible store in memory on loopback: objects by path, tags that change with the bytes, conditional
 * writes, listing in pages. Signatures are not checked; the client is the real one.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const PAGE = 3;

export interface S3Double {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  /** Requests by method. */
  readonly seen: string[];
  /** Answers the next request of this method with 500, after doing it when `after` is true. */
  failNext(method: string, after: boolean): void;
  /** A store that does as if conditions were not there. */
  ignoreConditions: boolean;
  /** Answers everything with 503. */
  isAway: boolean;
  close(): Promise<void>;
}

const tagOf = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

function error(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function list(objects: Map<string, Buffer>, bucket: string, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? '';
  const keys = [...objects.keys()]
    .filter((path) => path.startsWith(`${bucket}/${prefix}`))
    .map((path) => path.slice(bucket.length + 1))
    .sort()
    .filter((key) => key > after);
  const page = keys.slice(0, PAGE);
  const isCut = keys.length > PAGE;
  const next = isCut ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
  const contents = page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('');
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${contents}</ListBucketResult>`;
}

export async function startS3(...buckets: readonly string[]): Promise<S3Double> {
  const objects = new Map<string, Buffer>();
  const seen: string[] = [];
  let failing: { method: string; after: boolean } | undefined;
  const put = (request: IncomingMessage, path: string, body: Buffer): number => {
    const stored = objects.get(path);
    const { 'if-none-match': none, 'if-match': match } = request.headers;
    if (!double.ignoreConditions) {
      if (none === '*' && stored !== undefined) return 412;
      if (match !== undefined && stored === undefined) return 404;
      if (match !== undefined && tagOf(stored as Buffer) !== match) return 412;
    }
    objects.set(path, body);
    return 200;
  };
  const parts = new Map<string, Map<number, Buffer>>();
  const multipart = (
    { method, path, query, body }: { method: string; path: string; query: URLSearchParams; body: Buffer },
    response: ServerResponse,
  ): void => {
    const id = query.get('uploadId') ?? `upload-${parts.size}`;
    const held = parts.get(id) ?? new Map<number, Buffer>();
    parts.set(id, held);
    const answer = (name: string, content: string): void => {
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end(`<?xml version="1.0"?><${name}>${content}</${name}>`);
    };
    if (query.has('uploads')) {
      answer('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`);
      return;
    }
    if (method === 'PUT') {
      held.set(Number(query.get('partNumber')), body);
      response.writeHead(200, { etag: tagOf(body) }).end();
      return;
    }
    if (method === 'DELETE') {
      parts.delete(id);
      response.writeHead(204).end();
      return;
    }
    const whole = Buffer.concat([...held].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));
    objects.set(path, whole);
    answer('CompleteMultipartUploadResult', `<ETag>${tagOf(whole)}</ETag>`);
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://s3');
    const path = decodeURIComponent(url.pathname.slice(1));
    const method = request.method ?? '';
    seen.push(method);
    const body = await bodyOf(request);
    const fault = failing?.method === method ? failing : undefined;
    if (fault !== undefined) failing = undefined;
    if (double.isAway) return error(response, 503, 'ServiceUnavailable');
    if (fault?.after === false) return error(response, 500, 'InternalError');
    const bucket = path.split('/')[0] ?? '';
    if (!buckets.includes(bucket)) return error(response, 404, 'NoSuchBucket');
    if (url.searchParams.has('uploads') || url.searchParams.has('uploadId')) {
      multipart({ method, path, query: url.searchParams, body }, response);
    } else if (method === 'PUT') {
      const status = put(request, path, body);
      if (fault !== undefined) return error(response, 500, 'InternalError');
      if (status !== 200) return error(response, status, status === 412 ? 'PreconditionFailed' : 'NoSuchKey');
      response.writeHead(200, { etag: tagOf(body) }).end();
    } else if (method === 'DELETE') {
      objects.delete(path);
      response.writeHead(204).end();
    } else if (url.searchParams.has('list-type')) {
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end(list(objects, bucket, url.searchParams));
    } else {
      const stored = objects.get(path);
      if (stored === undefined) return error(response, 404, 'NoSuchKey');
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      const bytes = start === undefined ? stored : stored.subarray(Number(start), Number(end) + 1);
      const status = start === undefined ? 200 : 206;
      response.writeHead(status, { etag: tagOf(stored), 'content-length': bytes.length }).end(bytes);
    }
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const double: S3Double = {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    seen,
    failNext: (method, after) => {
      failing = { method, after };
    },
    ignoreConditions: false,
    isAway: false,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return double;
}
