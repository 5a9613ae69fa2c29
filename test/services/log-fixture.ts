/** Logs on loopback, and signers of every kind a log is asked to take. */
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey, publicKeyPem } from '#base/crypto';
import { pemEncode } from '#formats/pem';
import {
  buildCertificate,
  emptyName,
  extensionOf,
  extKeyUsage,
  fulcioExtensionTemplates,
  selfSignedAuthority,
} from '#formats/x509-build';
import { createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import { createLog, type LogApi, type LogConfig, type LogService, registerLog } from '#services/log';

export const START_MS = Date.UTC(2026, 2, 1, 12);
export const HOSTNAME = 'log.example';
export const quiet = createLogger('test', 'silent');

const keys = { v1: generateKey('p256'), v2: generateKey('ed25519') } as const;

export interface RunningLog {
  readonly url: string;
  readonly service: LogService;
  readonly clock: FixedClock;
  close(): Promise<void>;
}

export async function startLog(
  api: LogApi,
  dataDir?: string,
  more: Partial<LogConfig> = {},
): Promise<RunningLog> {
  const clock = new FixedClock(START_MS);
  const place = dataDir === undefined ? {} : { dataDir, create: true };
  const config = { api, hostname: HOSTNAME, key: keys[api], clock, log: quiet, ...place, ...more };
  const service = await createLog(config);
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerLog(app, service, quiet);
  const url = await listen(app, '127.0.0.1', 0);
  return {
    url,
    service,
    clock,
    close: async () => {
      await app.close();
      await service.close();
    },
  };
}

/** Runs `body` with a log and closes it in any case. */
export async function withLog(api: LogApi, body: (log: RunningLog) => Promise<void>): Promise<void> {
  const log = await startLog(api);
  try {
    await body(log);
  } finally {
    await log.close();
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the server said
  readonly json: any;
}

export async function call(
  url: string,
  body?: unknown,
  method = body === undefined ? 'GET' : 'POST',
): Promise<Answer> {
  const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

export interface CertifiedSigner {
  readonly key: PrivateKey;
  readonly certificatePem: string;
  readonly certificateDer: Uint8Array;
}

export const authority = selfSignedAuthority('test root', generateKey('p256'), {
  serial: Uint8Array.of(1),
  notBefore: START_MS - 86_400_000,
  notAfter: START_MS + 86_400_000,
});

export const IDENTITY = 'https://ci.example/Team/workflow.yml@refs/heads/main';
export const ISSUER = 'https://issuer.example';

/** A code signing certificate of ten minutes for a fresh key, with so many bytes of ballast. */
export function certified(kind: 'p256' | 'p384' = 'p256', ballast = 0): CertifiedSigner {
  const key = generateKey(kind);
  const certificateDer = buildCertificate(
    {
      subject: emptyName,
      issuer: authority.certificate.subject,
      serial: Uint8Array.of(7, 7),
      notBefore: START_MS - 60_000,
      notAfter: START_MS + 540_000,
      publicKey: key.publicKey,
      extensions: [
        extensionOf.keyUsage('digitalSignature'),
        extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
        extensionOf.subjectAltName([{ type: 'uri', value: IDENTITY }], true),
        ...fulcioExtensionTemplates({ issuer: ISSUER }),
        ...(ballast === 0 ? [] : [{ oid: '1.2.3.4', value: new Uint8Array(ballast) }]),
      ],
    },
    authority.signer,
  );
  return { key, certificateDer, certificatePem: pemEncode('CERTIFICATE', certificateDer) };
}

export const pemOfKey = (key: PrivateKey): string => publicKeyPem(key.publicKey);
