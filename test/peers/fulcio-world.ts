/**
 * The real Fulcio and our authority with the same configuration, issuers and certificate log: what either says of a
 * request can be laid beside what the other says.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after } from 'node:test';
import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { utf8 } from '#base/bytes';
import { generateKey, type PrivateKey, publicKeyPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { memoryKeyStore } from '#platform/key-store';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createCa, httpCtSubmitter, readIssuerTable, registerCa } from '#services/ca';
import { createCt, registerCt } from '#services/ct';
import { temporaryFolder } from '../stack/helper.ts';
import { freePort, Processes } from './real-services.ts';

export type Claims = Readonly<Record<string, unknown>>;

const pair = await generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };

/** Any path below it is an issuer of its own, and all sign with one key. */
async function startIssuers(): Promise<string> {
  const tail = '/.well-known/openid-configuration';
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const issuer = `${origin}${path.slice(0, -tail.length)}`;
    const algorithms = { id_token_signing_alg_values_supported: ['ES256', 'RS256'] };
    const document = path.endsWith(tail)
      ? { issuer, jwks_uri: `${origin}/keys`, ...algorithms, authorization_endpoint: `${origin}/auth` }
      : { keys: [jwk] };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  const origin = `http://127.0.0.1:${address.port}`;
  return origin;
}

export type SigningKey = typeof pair.privateKey;

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export interface FulcioWorld {
  /** Of all issuers. */
  readonly origin: string;
  readonly theirs: string;
  readonly ours: string;
  /** Signed by the issuers' key; claims set to undefined are left out. */
  token(claims: Claims, header?: Partial<JWTHeaderParameters>, key?: SigningKey): Promise<string>;
}

/** `configuration` is Fulcio's YAML for issuers below `origin`. */
export async function fulcioWorld(configuration: (origin: string) => string): Promise<FulcioWorld> {
  const origin = await startIssuers();
  const yaml = configuration(origin);
  const home = await temporaryFolder();
  const logger = createLogger('peers', 'silent');
  const ctKey = generateKey('p256');
  const ct = await createCt({ key: ctKey, origin: 'ct.example', roots: [], clock: systemClock, log: logger });
  const ctApp = createHttpServer({ log: logger, bodyBytesMax: 1024 * 1024 });
  registerCt(ctApp, ct, logger);
  const ctUrl = await listen(ctApp, '127.0.0.1', 0);
  const transport = httpTransport();
  const ca = await createCa({
    ...{ keys: memoryKeyStore(), issuers: readIssuerTable(yaml), ctKey: ctKey.publicKey, transport },
    ...{ ct: httpCtSubmitter(ctUrl, transport), clock: systemClock, random: systemRandom, log: logger },
  });
  const app = createHttpServer({ log: logger, bodyBytesMax: 1024 * 1024 });
  registerCa(app, { ca, log: logger });
  const ours = await listen(app, '127.0.0.1', 0);
  const processes = new Processes(home);
  after(async () => {
    await processes.close();
    await app.close();
    await ctApp.close();
    await ct.log.close();
  });
  await writeFile(join(home, 'ct.pub'), publicKeyPem(ctKey.publicKey));
  await writeFile(join(home, 'fulcio.yaml'), yaml);
  const [port, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
  processes.start('fulcio', [
    ...['serve', '--ca', 'ephemeralca', '--log_type', 'prod', '--config-path', join(home, 'fulcio.yaml')],
    ...['--ct-log-url', ctUrl, '--ct-log-public-key-path', join(home, 'ct.pub')],
    ...['--host', '127.0.0.1', '--port', `${port}`, '--grpc-host', '127.0.0.1', '--grpc-port', `${grpc}`],
    ...['--metrics-port', `${metrics}`, '--legacy-unix-domain-socket', join(home, 'fulcio.sock')],
  ]);
  const theirs = `http://127.0.0.1:${port}`;
  const bundle = JSON.parse(await processes.answer('fulcio', `${theirs}/api/v2/trustBundle`)) as {
    chains: [{ certificates: string[] }];
  };
  const chains = [bundle.chains[0].certificates.join('')];
  for (const { der } of unwrap(pemDecode(chains.join(''), 'CERTIFICATE'))) ct.addRoot(der);
  for (const chain of ca.trustBundle()) for (const { der } of chain) ct.addRoot(der);
  return { origin, theirs, ours, token: (...args) => token(origin, ...args) };
}

function token(
  origin: string,
  claims: Claims,
  header: Partial<JWTHeaderParameters> = {},
  key = pair.privateKey,
): Promise<string> {
  const now = Math.floor(systemClock.now() / 1000);
  const all = { iss: origin, aud: 'sigstore', sub: 'user-1', iat: now, exp: now + 300, ...claims };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(kept).setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header }).sign(key);
}

/** A request for a certificate for `key`, with a proof of possession over `name`. */
export const keyRequest = (key: PrivateKey, name: string): object => ({
  publicKeyRequest: {
    publicKey: { algorithm: 'ECDSA', content: publicKeyPem(key.publicKey) },
    proofOfPossession: Buffer.from(key.sign(utf8(name))).toString('base64'),
  },
});

export interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly bearer?: string;
  readonly body?: string | Uint8Array | object;
  readonly type?: string;
}

/** One request, as it was asked, to either. */
export async function ask(base: string, asked: Asked): Promise<Answer> {
  const { path = '/api/v2/signingCert', method = 'POST', bearer, body, type = 'application/json' } = asked;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': type }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body: (isRaw ? body : JSON.stringify(body)) as string }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}
