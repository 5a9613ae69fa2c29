/**
 * Wire: the API of Sigstore's timestamp authority; RFC 3161 §3.4 with a JSON form beside it. Refusals are its
 * `{code, message}`, its words in front and our reason behind them; who accepts application/timestamp-reply by name
 * gets RFC 3161's own refusal, with status 200.
 */
import { utf8Text } from '#base/bytes';
import type { HashName } from '#base/crypto';
import { limits } from '#base/limits';
import { fail, reasonText, WaybillError } from '#base/reason';
import { R as Formats } from '#formats/crypto-reasons';
import { parseJson, protoReader } from '#formats/json';
import { pemEncode } from '#formats/pem';
import { buildTimeStampRequest, parseTimeStampRequest } from '#formats/tsp';
import {
  absentInOpenApi,
  answerAbsent,
  bodyBytes,
  type HttpApp,
  type HttpReply,
  type HttpRequestIn,
  refusalOf,
  ToldError,
} from '#platform/http-server';
import { openapiFaults } from '#platform/openapi-faults';
import type { Logger } from '#platform/telemetry';
import { R } from './reasons.ts';
import type { Tsa } from './tsa.ts';

/** The JSON form names a hash and little more (timestamp-authority: at most 1024 bytes). */
const JSON_BYTES_MAX = 1024;
const REPLY_TYPE = 'application/timestamp-reply';

export interface TsaRoutes {
  readonly tsa: Tsa;
  readonly log: Logger;
}

export function registerTsa(app: HttpApp, { tsa, log }: TsaRoutes): void {
  answerAbsent(app, absentInOpenApi);
  app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => answerError(error, request, reply, log));
    scope.post('/api/v1/timestamp', { bodyLimit: limits.tsaRequestBytes }, async (request, reply) => {
      const { der, refusal } = await tsa.answer(readRequest(request));
      if (refusal !== undefined) {
        if (request.headers.accept !== REPLY_TYPE) throw new WaybillError(refusal);
        log.warn({ code: refusal.code, actual: refusal.actual }, 'timestamp refused');
      }
      return reply.type(REPLY_TYPE).send(Buffer.from(der));
    });
    scope.get('/api/v1/timestamp/certchain', async (_request, reply) => {
      const chain = tsa.chain.map(({ der }) => pemEncode('CERTIFICATE', der)).join('');
      return reply.type('application/pem-certificate-chain').send(chain);
    });
    scope.get('/ping', async (_request, reply) => reply.type('text/plain').send('.'));
    scope.get('/healthz', async () => ({ status: 'ok' }));
  });
}

/** The DER request, also when it came as JSON. */
function readRequest(request: HttpRequestIn): Uint8Array {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const shown = JSON.stringify(type?.slice(0, 80));
  if (type !== 'application/timestamp-query' && type !== 'application/json') {
    const words = `unsupported media type ${shown}, only [application/timestamp-query application/json] are allowed`;
    throw new ToldError(words, fail(R.contentType, { expected: R.contentType.hint, actual: shown }).reason);
  }
  const body = bodyBytes(request);
  if (body.length === 0 && request.headers.accept !== REPLY_TYPE) {
    const { reason } = fail(R.request, { expected: 'a request', actual: 'an empty body' });
    throw new ToldError('request in body is required', { ...reason, status: 422 }, openapiFaults.required);
  }
  return type === 'application/json' ? requestFromJson(body) : body;
}

const hashNames: readonly HashName[] = ['sha256', 'sha384', 'sha512'];

function requestFromJson(body: Uint8Array): Uint8Array {
  if (body.length > JSON_BYTES_MAX) {
    const refusal = { expected: `at most ${JSON_BYTES_MAX} bytes of JSON`, actual: String(body.length) };
    throw new ToldError('timestamp request is too large', fail(R.request, refusal).reason);
  }
  const parsed = parseJson(body);
  if (!parsed.ok) throw fail(R.request, { expected: 'a JSON object', actual: parsed.error.actual });
  const json = protoReader(parsed.value, '$', { as: R.request });
  const name = json.string('hashAlgorithm').toLowerCase();
  const hashName = hashNames.find((known) => known === name);
  if (hashName === undefined) {
    throw fail(name === 'sha1' ? R.weakHash : R.hash, {
      expected: `hashAlgorithm ${hashNames.join(', ')}`,
      actual: JSON.stringify(name),
    });
  }
  const policy = json.optionalString('tsaPolicyOID');
  if (policy !== undefined && policy !== '' && !/^[0-2](\.(0|[1-9]\d{0,9})){1,20}$/.test(policy)) {
    const { reason } = json.wrong('tsaPolicyOID', 'a dotted object identifier', policy.slice(0, 80));
    throw new ToldError('OID should be comprised of at most 128 components', reason);
  }
  const nonce = json.has('nonce') ? nonceIn(body) : undefined;
  if (nonce === null) throw json.wrong('nonce', 'an integer', json.value('nonce'));
  const der = buildTimeStampRequest({
    hashName,
    // An absent one has no bytes, which is a wrong length.
    hash: json.optionalBytes('artifactHash') ?? new Uint8Array(),
    certReq: json.has('certificates') && json.boolean('certificates'),
    ...(policy === undefined || policy === '' ? {} : { policy }),
    ...(nonce === undefined ? {} : { nonce }),
  });
  // A hash of the wrong length is a fault of the request, told as such rather than inside a 200.
  const checked = parseTimeStampRequest(der);
  if (!checked.ok) throw new WaybillError(checked.error);
  return der;
}

/** What the original says (timestamp-authority pkg/api/error.go); everything else is its general sentence. */
const GENERAL = 'Error generating timestamp response';
const originalWords: Readonly<Record<string, string>> = {
  [R.weakHash.code]: 'Weak hash algorithm in timestamp request',
  [R.policy.code]: 'unaccepted policy: requested TSA policy is not supported by the TSA',
  [R.extension.code]: 'unaccepted extension: requested extensions are not supported by the TSA',
  [Formats.tspImprint.code]: 'Message digest has incorrect length for specified algorithm',
};

/**
 * The nonce of a request, digit by digit: clients send 64 bits and more, of which a number keeps 53. Null for what is
 * written in another way than an integer is, which the original refuses too.
 */
function nonceIn(body: Uint8Array): bigint | null {
  const sources = new Map<unknown, string | undefined>();
  const note = function (this: unknown, key: string, value: unknown, context?: { source?: string }): unknown {
    if (key === 'nonce') sources.set(this, context?.source);
    return value;
  };
  const source = sources.get(JSON.parse(utf8Text(body), note)) ?? '';
  return /^-?(?:0|[1-9]\d*)$/.test(source) ? BigInt(source) : null;
}

function answerError(error: unknown, request: HttpRequestIn, reply: HttpReply, log: Logger): HttpReply {
  const found = refusalOf(error, request, { log, invalid: R.request, bodyBytesMax: limits.tsaRequestBytes });
  // What is too large is a bad request to the original, as whatever it cannot read.
  const isTooLarge = found.status === 413 && !(error instanceof WaybillError);
  const why = isTooLarge ? { ...found, status: 400 } : found;
  const told = error instanceof ToldError ? error : undefined;
  const message = `${told?.words ?? originalWords[why.code] ?? GENERAL}: ${reasonText(why)}`;
  const body = { code: told?.number ?? why.status, message };
  return reply.code(why.status).type('application/json').send(JSON.stringify(body));
}
