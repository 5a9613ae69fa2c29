/** Wire: RFC 6962 §4. Errors are plain text, as the RFC leaves them to people. */
import { fromBase64, toBase64 } from '#base/bytes';
import { fail, type Reason, reason, reasonText, WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { addChainResponse, type Sct } from '#formats/sct';
import { allowReading } from '#platform/cross-origin';
import { bodyBytes, type HttpApp, type HttpReply, type HttpRequestIn } from '#platform/http-server';
import { R as platform } from '#platform/reasons';
import type { Logger } from '#platform/telemetry';
import { CHAIN_BYTES_MAX } from './config.ts';
import type { CtLog } from './ct.ts';
import { R } from './reasons.ts';

const HASH_BYTES = 32;
const RETRY_AFTER_S = '1';

/** Registers the log below `prefix`, for example `/ct-2026`; the paths of the RFC follow it. */
export function registerCt(app: HttpApp, ct: CtLog, log: Logger, prefix = ''): void {
  void app.register(async (scope) => {
    allowReading(scope);
    useErrors(scope, log);
    submission(scope, ct, `${prefix}/ct/v1`);
    reading(scope, ct, `${prefix}/ct/v1`);
    tiles(scope, ct, prefix);
    if (prefix !== '') return;
    scope.get('/healthz', async (_request, reply) => health(ct, reply));
  });
}

function health(ct: CtLog, reply: HttpReply): HttpReply {
  const { stopped } = ct.log;
  return stopped === undefined ? send(reply, { status: 'ok' }) : sendReason(reply, stopped);
}

function send(reply: HttpReply, body: object): HttpReply {
  return reply.type('application/json').send(JSON.stringify(body));
}

function submission(app: HttpApp, ct: CtLog, base: string): void {
  const options = { bodyLimit: CHAIN_BYTES_MAX };
  const add = (submit: (chain: readonly Uint8Array[]) => Promise<Sct>) => {
    return async (request: HttpRequestIn, reply: HttpReply): Promise<HttpReply> =>
      send(reply, addChainResponse(await submit(readChain(bodyBytes(request)))));
  };
  app.post(
    `${base}/add-chain`,
    options,
    add((chain) => ct.addChain(chain)),
  );
  app.post(
    `${base}/add-pre-chain`,
    options,
    add((chain) => ct.addPreChain(chain)),
  );
}

function readChain(body: Uint8Array): Uint8Array[] {
  const json = reader(unwrap(parseJson(body, { maxBytes: CHAIN_BYTES_MAX })), 'request', { as: R.query });
  return json.strings('chain').map((text, i) => readBase64(text, `chain[${i}]`));
}

function reading(app: HttpApp, ct: CtLog, base: string): void {
  app.get(`${base}/get-sth`, async (_request, reply) => {
    const head = await ct.signedTreeHead();
    return send(reply, {
      tree_size: head.treeSize,
      timestamp: head.timestamp,
      sha256_root_hash: toBase64(head.root),
      tree_head_signature: toBase64(head.signature),
    });
  });
  app.get(`${base}/get-sth-consistency`, async (request, reply) => {
    const [first, second] = [number(request, 'first'), number(request, 'second')];
    return send(reply, { consistency: (await inTree(() => ct.consistency(first, second))).map(toBase64) });
  });
  app.get(`${base}/get-proof-by-hash`, async (request, reply) => {
    const hash = readBase64(text(request, 'hash'), 'hash');
    if (hash.length !== HASH_BYTES) throw bad(`hash of ${HASH_BYTES} bytes`, `${hash.length} bytes`);
    const size = number(request, 'tree_size');
    const path = await inTree(() => ct.proofByHash(hash, size));
    return send(reply, { leaf_index: path.index, audit_path: path.hashes.map(toBase64) });
  });
  app.get(`${base}/get-entries`, async (request, reply) => {
    const records = await ct.entries(number(request, 'start'), number(request, 'end'));
    return send(reply, { entries: records.map(entryJson) });
  });
  app.get(`${base}/get-entry-and-proof`, async (request, reply) => {
    const [index, size] = [number(request, 'leaf_index'), number(request, 'tree_size')];
    const hashes = await inTree(() => ct.log.inclusionAt(index, size));
    const record = await ct.log.record(index);
    return send(reply, { ...entryJson(record), audit_path: hashes.map(toBase64) });
  });
  app.get(`${base}/get-roots`, async (_request, reply) =>
    send(reply, { certificates: ct.roots.map((root) => toBase64(root.der)) }),
  );
}

/** c2sp.org/static-ct-api: the monitoring prefix is the submission prefix. */
function tiles(app: HttpApp, ct: CtLog, prefix: string): void {
  app.get(`${prefix}/checkpoint`, async (_request, reply) =>
    reply
      .header('cache-control', 'no-cache')
      .type('text/plain; charset=utf-8')
      .send(await ct.checkpoint()),
  );
  app.get(`${prefix}/tile/*`, async (request, reply) => {
    // The path as it was sent: decoded, `%2e%2e` would look like a folder.
    const path = (request.raw.url ?? '').slice(prefix.length + 1).split('?')[0] ?? '';
    return sendFile(reply, 'application/octet-stream', await ct.static.tile(path), path);
  });
  app.get<{ Params: { fingerprint: string } }>(`${prefix}/issuer/:fingerprint`, async (request, reply) => {
    const { fingerprint } = request.params;
    const isHash = /^[0-9a-f]{64}$/.test(fingerprint);
    const der = isHash ? await ct.static.issuer(fingerprint) : undefined;
    return sendFile(reply, 'application/pkix-cert', der, 'an issuer');
  });
}

function sendFile(reply: HttpReply, type: string, bytes: Uint8Array | undefined, what: string): HttpReply {
  if (bytes === undefined) throw fail(R.notFound, { expected: 'a file of the published tree', actual: what });
  reply.header('cache-control', 'public, max-age=31536000, immutable');
  return reply.type(type).send(Buffer.from(bytes));
}

function entryJson(record: { readonly entry: Uint8Array; readonly extra: Uint8Array }): object {
  return { leaf_input: toBase64(record.entry), extra_data: toBase64(record.extra) };
}

function text(request: HttpRequestIn, name: string): string {
  const value = (request.query as Record<string, unknown>)[name];
  if (typeof value === 'string') return value;
  throw bad(`one parameter ${name}`, JSON.stringify(value ?? null));
}

function number(request: HttpRequestIn, name: string): number {
  const value = text(request, name);
  if (/^(?:0|[1-9][0-9]{0,15})$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value);
  throw bad(`${name} as a decimal number`, JSON.stringify(value.slice(0, 40)));
}

function readBase64(value: string, name: string): Uint8Array {
  const bytes = attempt(() => fromBase64(value));
  if (bytes.ok) return bytes.value;
  throw bad(`${name} as canonical base64`, JSON.stringify(value.slice(0, 40)));
}

const bad = (expected: string, actual: string): WaybillError => fail(R.query, { expected, actual });

/** A size outside the tree is a mistake in the question here, not a missing page. */
async function inTree<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof WaybillError) || error.reason.check !== 'tlog.range') throw error;
    throw bad(error.reason.expected, error.reason.actual);
  }
}

function sendReason(reply: HttpReply, why: Reason): HttpReply {
  if (why.status === 503) reply.header('retry-after', RETRY_AFTER_S);
  const status = why.side === 'evidence' ? 400 : why.status;
  return reply
    .code(status)
    .type('text/plain; charset=utf-8')
    .send(`${reasonText(why)}\n`);
}

function useErrors(scope: HttpApp, log: Logger): void {
  scope.setErrorHandler((error, request, reply) => {
    if (error instanceof WaybillError) return sendReason(reply, error.reason);
    const { statusCode: status = 500, message } = error as Error & { statusCode?: number };
    if (status >= 400 && status < 500) {
      return reply.code(status).type('text/plain; charset=utf-8').send(`${message}\n`);
    }
    log.error({ err: error, method: request.method, path: request.url.split('?')[0] }, 'defect');
    return sendReason(reply, reason(platform.defect, { expected: 'no defect', actual: 'an internal error' }));
  });
}
