/**
 * The servers of Sigstore as processes of their own on loopback: Fulcio with an authority made at its start, Rekor v2
 * over files, the timestamp server. The certificate transparency log Fulcio submits to is ours.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateKey, publicKeyPem } from '#base/crypto';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createCt, registerCt } from '#services/ct';
import { requirePeer } from './cache.ts';

export interface RealServices {
  readonly ca: string;
  readonly log: string;
  /** Whole address of requests. */
  readonly tsa: string;
  readonly ct: string;
  /** PEM files: authorities of `ca` and `tsa`, keys of `log` and `ct`. */
  readonly files: Readonly<Record<'ca' | 'tsa' | 'log' | 'ct', string>>;
  /** What the log calls itself. */
  readonly origin: string;
  /** Pages of metrics. */
  readonly metrics: Readonly<Record<'ca' | 'log' | 'tsa', string>>;
  close(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

export class Processes {
  readonly #folder: string;
  readonly #running: { readonly child: ChildProcess; readonly ended: Promise<unknown> }[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  start(name: string, args: readonly string[]): ChildProcess {
    const child = spawn(requirePeer(name), args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const out = createWriteStream(join(this.#folder, `${name}.log`));
    child.stdout.pipe(out);
    child.stderr.pipe(out);
    this.#running.push({ child, ended: new Promise((resolve) => child.once('close', resolve)) });
    return child;
  }

  async close(): Promise<void> {
    for (const { child } of this.#running) child.kill('SIGKILL');
    await Promise.all(this.#running.map(({ ended }) => ended));
  }

  /** The text at `url`, once the server there answers. */
  async answer(name: string, url: string): Promise<string> {
    for (let i = 0; i < 600; i++) {
      const got = await fetch(url).catch(() => undefined);
      if (got?.ok === true) return got.text();
      await sleep(50);
    }
    throw new Error(`${name} did not start: ${await readFile(join(this.#folder, `${name}.log`), 'utf8')}`);
  }
}

/** `issuer` is the OIDC issuer Fulcio believes. */
export async function startRealServices(folder: string, issuer: string): Promise<RealServices> {
  const at = (name: string): string => join(folder, name);
  const processes = new Processes(folder);
  const ctKey = generateKey('p256');
  const logger = createLogger('peers', 'silent');
  const ct = await createCt({ key: ctKey, origin: 'ct.example', roots: [], clock: systemClock, log: logger });
  const app = createHttpServer({ log: logger, bodyBytesMax: 1024 * 1024 });
  registerCt(app, ct, logger);
  const ctUrl = await listen(app, '127.0.0.1', 0);
  const logKey = generateKeyPairSync('ed25519');
  // Verifiers expect the host of the log's address.
  const origin = '127.0.0.1';
  const files = { ca: at('fulcio.pem'), tsa: at('tsa.pem'), log: at('log.pub'), ct: at('ct.pub') };
  await writeFile(files.ct, publicKeyPem(ctKey.publicKey));
  await writeFile(files.log, logKey.publicKey.export({ format: 'pem', type: 'spki' }));
  await writeFile(at('log.pem'), logKey.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  await writeFile(
    at('fulcio.yaml'),
    `oidc-issuers:\n  ${issuer}:\n    issuer-url: ${issuer}\n    client-id: sigstore\n    type: email\n`,
  );
  const [caPort, caGrpc, caMetrics, logPort, logGrpc, logMetrics, tsaPort] = await Promise.all(
    Array.from({ length: 7 }, freePort),
  );
  const local = origin;
  processes.start('fulcio', [
    ...['serve', '--ca', 'ephemeralca', '--log_type', 'prod', '--config-path', at('fulcio.yaml')],
    ...['--ct-log-url', ctUrl, '--ct-log-public-key-path', files.ct],
    ...['--host', local, '--port', `${caPort}`, '--grpc-host', local, '--grpc-port', `${caGrpc}`],
    ...['--metrics-port', `${caMetrics}`, '--legacy-unix-domain-socket', at('fulcio.sock')],
  ]);
  processes.start('rekor-tiles', [
    ...['serve', '--storage-dir', at('log'), '--signer-filepath', at('log.pem'), '--hostname', origin],
    ...['--http-port', `${logPort}`, '--grpc-port', `${logGrpc}`, '--http-metrics-port', `${logMetrics}`],
    ...['--checkpoint-interval', '100ms', '--batch-max-age', '20ms', '--log-level', 'warn'],
  ]);
  processes.start('timestamp-server', [
    ...['serve', '--host', local, '--port', `${tsaPort}`, '--timestamp-signer', 'memory'],
    ...['--disable-ntp-monitoring', '--log-type', 'prod'],
  ]);
  const [ca, log, tsa] = [caPort, logPort, tsaPort].map((port) => `http://${local}:${port}`) as [
    string,
    string,
    string,
  ];
  const close = async (): Promise<void> => {
    await processes.close();
    await app.close();
    await ct.log.close();
  };
  try {
    const bundle = JSON.parse(await processes.answer('fulcio', `${ca}/api/v2/trustBundle`)) as {
      chains: [{ certificates: string[] }];
    };
    const chain = bundle.chains[0].certificates.join('');
    await writeFile(files.ca, chain);
    for (const { der } of unwrap(pemDecode(chain, 'CERTIFICATE'))) ct.addRoot(der);
    await writeFile(
      files.tsa,
      await processes.answer('timestamp-server', `${tsa}/api/v1/timestamp/certchain`),
    );
    await processes.answer('rekor-tiles', `${log}/healthz`);
  } catch (error) {
    await close();
    throw error;
  }
  const page = (port: number | undefined): string => `http://${local}:${port}/metrics`;
  // The timestamp server has no setting for it.
  const metrics = { ca: page(caMetrics), log: page(logMetrics), tsa: page(2112) };
  return { ca, log, tsa: `${tsa}/api/v1/timestamp`, ct: ctUrl, files, origin, metrics, close };
}
