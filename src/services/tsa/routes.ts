/**
 * Wire: the API of Sigstore's timestamp authority; RFC 3161 §3.4 with a JSON form beside it. Refusals are its
 * `{code, message}`, its words in front and our reason behind them; who accepts application/timestamp-reply by name
 * gets RFC 3161's own refusal, with status 200.
 */
import { fromHex } from '#base/bytes';
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
} from '#platform/http-server';
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
  if (type === 'application/timestamp-query') return bodyBytes(request);
  if (type === 'application/json') return requestFromJson(bodyBytes(request));
  throw fail(R.contentType, { expected: R.contentType.hint, actual: JSON.stringify(type?.slice(0, 80)) });
}

const hashNames: readonly HashName[] = ['sha256', 'sha384', 'sha512'];

function requestFromJson(body: Uint8Array): Uint8Array {
  const parsed = parseJson(body, { maxBytes: JSON_BYTES_MAX });
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
    throw json.wrong('tsaPolicyOID', 'a dotted object identifier', policy);
  }
  const nonce = json.optionalInteger('nonce');
  const der = buildTimeStampRequest({
    hashName,
    hash: json.bytes('artifactHash'),
    certReq: json.has('certificates') && json.boolean('certificates'),
    ...(policy === undefined || policy === '' ? {} : { policy }),
    ...(nonce === undefined || nonce === 0 ? {} : { nonce: fromHex(evenHex(nonce)) }),
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

const evenHex = (value: number): string => {
  const hex = value.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
};

function answerError(error: unknown, request: HttpRequestIn, reply: HttpReply, log: Logger): HttpReply {
  const why = refusalOf(error, request, { log, invalid: R.request, bodyBytesMax: limits.tsaRequestBytes });
  const message = `${originalWords[why.code] ?? GENERAL}: ${reasonText(why)}`;
  const body = { code: why.status, message };
  return reply.code(why.status).type('application/json').send(JSON.stringify(body));
}
