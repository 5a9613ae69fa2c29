/** A CA with its surroundings in memory: an issuer behind a transport, a certificate log, captured log lines. */
import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import type { Der } from '#base/brand';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey, publicKeyPem, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { precertTbs, type Sct, sctSignedData } from '#formats/sct';
import { parseCertificate } from '#formats/x509';
import type { HttpRequest, HttpResponse, Transport } from '#platform/http-client';
import { createHttpServer, type HttpApp } from '#platform/http-server';
import { memoryKeyStore } from '#platform/key-store';
import { R as platformReasons } from '#platform/reasons';
import { systemRandom } from '#platform/system';
import { createLogger, type Logger } from '#platform/telemetry';
import { type Ca, type CaConfig, createCa, type IssuerConfig, issuerTable, registerCa } from '#services/ca';

export const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
export const ISSUER = 'https://issuer.example';

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Answers by URL; a function is asked each time. Everything else cannot be reached. */
export class FakeWeb implements Transport {
  readonly pages = new Map<string, Answer | (() => Answer)>();
  readonly asked: string[] = [];

  async request(request: HttpRequest): Promise<HttpResponse> {
    this.asked.push(request.url);
    const page = this.pages.get(request.url);
    if (page === undefined) {
      throw fail(platformReasons.network, {
        expected: `an answer from ${request.url}`,
        actual: 'ECONNREFUSED',
      });
    }
    const { status = 200, headers = {}, body = '' } = typeof page === 'function' ? page() : page;
    const bytes = utf8(body);
    if (bytes.length > (request.maxBytes ?? Number.POSITIVE_INFINITY)) {
      throw fail(platformReasons.bodyTooLarge, { expected: 'fewer bytes', actual: `${bytes.length}` });
    }
    return { status, headers: new Map(Object.entries(headers)), body: bytes, url: request.url };
  }

  stream(): never {
    throw new Error('not used');
  }
}

const pair = await generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };

/** Publishes an issuer with the shared key. */
export function publishIssuer(
  web: FakeWeb,
  issuer = ISSUER,
  over: { jwksUri?: string; named?: string } = {},
): void {
  const jwksUri = over.jwksUri ?? `${issuer}/keys`;
  web.pages.set(`${issuer}/.well-known/openid-configuration`, {
    body: JSON.stringify({ issuer: over.named ?? issuer, jwks_uri: jwksUri }),
  });
  web.pages.set(jwksUri, { body: JSON.stringify({ keys: [jwk] }) });
}

export type Claims = Readonly<Record<string, unknown>>;

/** A signed token; claims set to undefined are left out. */
export async function token(claims: Claims = {}, header: Partial<JWTHeaderParameters> = {}): Promise<string> {
  const all = {
    iss: ISSUER,
    aud: 'sigstore',
    sub: 'user-1',
    email: 'dev@example.com',
    email_verified: true,
    iat: NOW / 1000,
    exp: NOW / 1000 + 300,
    ...claims,
  };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(kept).setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header }).sign(pair.privateKey);
}

export interface FakeLog {
  readonly key: PrivateKey;
  readonly chains: (readonly Der[])[];
  /** Replaces what the log answers. */
  answer: (good: Sct) => Sct | Promise<Sct>;
}

export function fakeLog(clock: FixedClock): FakeLog & CaConfig['ct'] {
  const key = generateKey('p256');
  const log = {
    key,
    chains: [] as (readonly Der[])[],
    answer: (good: Sct): Sct | Promise<Sct> => good,
    addPreChain: async (chain: readonly Der[]): Promise<Sct> => {
      log.chains.push(chain);
      const [precertificate, issuer] = chain.map((der) => unwrap(parseCertificate(der)));
      const fields = { timestamp: clock.now(), extensions: Uint8Array.of(0, 0, 5, 0, 0, 0, 0, 1) };
      const data = sctSignedData(fields, sha256(issuer!.publicKey.spki), precertTbs(precertificate!));
      return log.answer({
        ...fields,
        logId: sha256(key.publicKey.spki),
        algorithm: 'ecdsa',
        signature: key.sign(data),
      });
    },
  };
  return log;
}

export interface CaFixture {
  readonly ca: Ca;
  readonly app: HttpApp;
  readonly web: FakeWeb;
  readonly log: FakeLog;
  readonly clock: FixedClock;
  /** Every line that was logged. */
  readonly lines: string[];
  /** Posts to the v2 door; the proof is by `key` over `name`. */
  readonly sign: (bearer: string, over?: Partial<SignOptions>) => Promise<Reply>;
}

interface SignOptions {
  readonly key: PrivateKey;
  readonly name: string;
  readonly body: unknown;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly json: {
    readonly code?: number;
    readonly message?: string;
    readonly details?: readonly { readonly reason: string }[];
    readonly signedCertificateEmbeddedSct?: { readonly chain: { readonly certificates: readonly string[] } };
  };
}

export const email: IssuerConfig = { issuerUrl: ISSUER, clientId: 'sigstore', type: 'email' };

export async function caFixture(
  issuers: readonly IssuerConfig[] = [email],
  over: Partial<CaConfig> & { readonly meta?: readonly IssuerConfig[] } = {},
): Promise<CaFixture> {
  const clock = new FixedClock(NOW);
  const web = new FakeWeb();
  publishIssuer(web);
  const log = fakeLog(clock);
  const lines: string[] = [];
  const logger: Logger = createLogger('ca', 'trace', { write: (line: string) => void lines.push(line) });
  const ca = await createCa({
    keys: memoryKeyStore(),
    issuers: issuerTable(issuers, over.meta),
    ct: log,
    ctKey: log.key.publicKey,
    clock,
    random: systemRandom,
    transport: web,
    log: logger,
    ...over,
  });
  const app = createHttpServer({ log: logger, bodyBytesMax: 1024 * 1024 });
  registerCa(app, { ca, log: logger });
  const sign = async (bearer: string, options: Partial<SignOptions> = {}): Promise<Reply> => {
    const key = options.key ?? generateKey('p256');
    const body = options.body ?? keyRequest(key, options.name ?? 'dev@example.com');
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v2/signingCert',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      payload: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: answer.statusCode, text: answer.body, json: answer.json() };
  };
  return { ca, app, web, log, clock, lines, sign };
}

export function keyRequest(key: PrivateKey, name: string): object {
  return {
    publicKeyRequest: {
      publicKey: { algorithm: 'ECDSA', content: publicKeyPem(key.publicKey) },
      proofOfPossession: Buffer.from(key.sign(utf8(name))).toString('base64'),
    },
  };
}
