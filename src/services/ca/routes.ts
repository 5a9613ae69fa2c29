/**
 * Wire: Fulcio's HTTP API (fulcio.proto), v2 and the old v1. Refusals are gRPC-gateway JSON with Fulcio's own
 * messages in front, and our reason behind them and in `details`.
 */
import type { Der } from '#base/brand';
import { limits } from '#base/limits';
import { fail, type Reason, reasonText, WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { type JsonReader, parseJson, protoReader } from '#formats/json';
import { pemEncode } from '#formats/pem';
import {
  absentInGateway,
  answerAbsent,
  bodyBytes,
  type HttpApp,
  type HttpReply,
  type HttpRequestIn,
  refusalOf,
} from '#platform/http-server';
import type { Logger } from '#platform/telemetry';
import type { Ca, Issued } from './ca.ts';
import type { IssuerConfig } from './config.ts';
import { csrFromPem, type KeyProof, spkiFromPem } from './proof.ts';
import { R } from './reasons.ts';

export interface CaRoutes {
  readonly ca: Ca;
  readonly log: Logger;
}

export function registerCa(app: HttpApp, { ca, log }: CaRoutes): void {
  answerAbsent(app, absentInGateway);
  // A scope of its own: the error form below is this API's and nobody else's.
  app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => answerError(error, request, reply, log));
    const post = { bodyLimit: limits.caRequestBytes };
    scope.post('/api/v2/signingCert', post, async (request) => {
      const json = readBody(request);
      const issued = await ca.issue(tokenOf(request, json), () => readProofV2(json));
      return { signedCertificateEmbeddedSct: { chain: { certificates: pemChain(issued) } } };
    });
    scope.get('/api/v2/trustBundle', async () => ({
      chains: ca.trustBundle().map((chain) => ({
        certificates: chain.map(({ der }) => pemEncode('CERTIFICATE', der)),
      })),
    }));
    scope.get('/api/v2/configuration', async () => ({
      issuers: [
        ...ca.issuers.issuers.map((issuer) => ({ issuerUrl: issuer.issuerUrl, ...issuerJson(issuer) })),
        ...ca.issuers.metaIssuers.map((issuer) => ({
          wildcardIssuerUrl: issuer.issuerUrl,
          ...issuerJson(issuer),
        })),
      ],
    }));
    scope.post('/api/v1/signingCert', post, async (request, reply) => {
      const json = readBody(request);
      const issued = await ca.issue(tokenOf(request), () => readProofV1(json));
      return reply.code(201).type('application/pem-certificate-chain').send(pemChain(issued).join(''));
    });
    scope.get('/api/v1/rootCert', async (_request, reply) => {
      const pem = ca.trustBundle().flatMap((chain) => chain.map(({ der }) => pemEncode('CERTIFICATE', der)));
      return reply.type('application/pem-certificate-chain').send(pem.join(''));
    });
    scope.get('/healthz', async () => ({ status: 'SERVING' }));
  });
}

function readBody(request: HttpRequestIn): JsonReader {
  const bytes = bodyBytes(request);
  // The gateway takes an absent document for one without fields.
  if (bytes.length === 0) return protoReader({}, '$', { as: R.request });
  const parsed = parseJson(bytes, { maxBytes: limits.caRequestBytes });
  if (!parsed.ok) throw fail(R.request, { expected: 'a JSON object', actual: parsed.error.actual });
  return protoReader(parsed.value, '$', { as: R.request });
}

/** The field wins over the header, as in the original. */
function tokenOf(request: HttpRequestIn, json?: JsonReader): Secret {
  const field = json?.optionalChild('credentials')?.optionalString('oidcIdentityToken');
  const header = /^Bearer +([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return new Secret(field || header || '');
}

const decoder = new TextDecoder();

function readProofV2(json: JsonReader): KeyProof {
  const csr = json.optionalBytes('certificateSigningRequest');
  const signed = json.optionalChild('publicKeyRequest');
  const expected = 'either publicKeyRequest or certificateSigningRequest';
  if (csr !== undefined && signed !== undefined) throw json.wrong('', expected, 'both');
  // In the original a request without a key fails at reading it.
  if (csr === undefined && signed === undefined) throw fail(R.publicKey, { expected, actual: 'neither' });
  if (csr !== undefined) return { kind: 'csr', der: csrFromPem(decoder.decode(csr)) };
  const request = signed as JsonReader;
  const key = request.optionalChild('publicKey');
  if (key === undefined) throw fail(R.publicKey, { expected: 'publicKeyRequest.publicKey', actual: 'none' });
  return {
    kind: 'signature',
    spki: spkiFromPem(key.string('content')),
    signature: request.bytes('proofOfPossession'),
  };
}

function readProofV1(json: JsonReader): KeyProof {
  const csr = json.optionalBytes('certificateSigningRequest');
  if (csr !== undefined && csr.length > 0) return { kind: 'csr', der: csrFromPem(decoder.decode(csr)) };
  return {
    kind: 'signature',
    spki: spkiOf(json.child('publicKey').bytes('content')),
    signature: json.bytes('signedEmailAddress'),
  };
}

/** The old API's `content` is DER, as it says, or PEM, as cosign 2 sends it; DER begins with a SEQUENCE. */
const spkiOf = (content: Uint8Array): Uint8Array =>
  content[0] === SEQUENCE ? content : spkiFromPem(decoder.decode(content));
const SEQUENCE = 0x30;

/** PEM of the authorities' own certificates, which stand in every answer. */
const issuerPems = new WeakMap<Der, string>();

function issuerPem(der: Der): string {
  const pem = issuerPems.get(der) ?? pemEncode('CERTIFICATE', der);
  issuerPems.set(der, pem);
  return pem;
}

const pemChain = ({ chain: [leaf, ...issuers] }: Issued): string[] => [
  pemEncode('CERTIFICATE', leaf),
  ...issuers.map(issuerPem),
];

function issuerJson(issuer: IssuerConfig): object {
  return {
    audience: issuer.clientId,
    challengeClaim: issuer.challengeClaim ?? (issuer.type === 'email' ? 'email' : 'sub'),
    spiffeTrustDomain: issuer.spiffeTrustDomain ?? '',
    issuerType: issuer.type,
    subjectDomain: issuer.subjectDomain ?? '',
    skipEmailVerification: issuer.skipEmailVerification ?? false,
  };
}

/** Messages that clients and their users know from Fulcio. */
const fulcioMessages: Readonly<Record<string, string>> = {
  [R.token.code]: 'There was an error processing the identity token',
  [R.issuer.code]: 'There was an error processing the identity token',
  [R.audience.code]: 'There was an error processing the identity token',
  [R.tokenTime.code]: 'There was an error processing the identity token',
  [R.email.code]: 'There was an error processing the identity token',
  [R.claims.code]: 'There was an error processing the identity token',
  [R.publicKey.code]: 'The public key supplied in the request could not be parsed',
  [R.weakKey.code]: 'The public key supplied in the request is insecure',
  [R.possession.code]: 'The signature supplied in the request could not be verified',
  [R.csr.code]: 'The certificate signing request could not be parsed',
  [R.transparency.code]: 'Error entering certificate in CTL',
};

/** HTTP status → gRPC code, as the gateway maps them (google.rpc.Code). */
const grpcCodes: Readonly<Record<number, number>> = {
  400: 3,
  404: 5,
  413: 8,
  429: 8,
  500: 13,
  503: 14,
  504: 4,
};

/** What Go's reader of bodies says of one that is too large; the gateway makes a bad request of it. */
const TOO_LARGE = 'http: request body too large';

/** The body of a refusal. */
export function errorBody(why: Reason, front = fulcioMessages[why.code]): object {
  return {
    code: grpcCodes[why.status] ?? 2,
    message: front === undefined ? reasonText(why) : `${front}: ${reasonText(why)}`,
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: why.code,
        domain: 'waybill.dev',
        metadata: { check: why.check, expected: why.expected, actual: why.actual, hint: why.hint },
      },
    ],
  };
}

function answerError(error: unknown, request: HttpRequestIn, reply: HttpReply, log: Logger): HttpReply {
  const found = refusalOf(error, request, { log, invalid: R.request, bodyBytesMax: limits.caRequestBytes });
  const isTooLarge = found.status === 413 && !(error instanceof WaybillError);
  const why = isTooLarge ? { ...found, status: 400 } : found;
  const mayRetry = (why.status === 429 || why.status === 503) && !reply.hasHeader('retry-after');
  return reply
    .code(why.status)
    .headers(mayRetry ? { 'retry-after': '5' } : {})
    .type('application/json')
    .send(JSON.stringify(isTooLarge ? errorBody(why, TOO_LARGE) : errorBody(why)));
}
