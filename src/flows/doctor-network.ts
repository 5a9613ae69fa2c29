/**
 * Use case: can this machine reach what it needs? Each address is tried in steps, so that the answer names the first
 * that fails: the name, the connection, TLS, the answer itself. Read only; no credential is sent.
 */
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Clock } from '#base/clock';
import { reasonText, WaybillError } from '#base/reason';
import type { Transport } from '#platform/http-client';

export interface Endpoint {
  /** What it is for: `certificate authority`, `registry`. */
  readonly what: string;
  /** Whole address of a read that needs no credential. */
  readonly url: string;
  /** Statuses that say it is what it is meant to be; default 200. */
  readonly statuses?: readonly number[];
}

export type NetworkStep = 'name' | 'connection' | 'tls' | 'answer' | 'clock';

export interface EndpointReport extends Endpoint {
  readonly ok: boolean;
  readonly milliseconds: number;
  /** The step that failed. */
  readonly failed?: NetworkStep;
  readonly detail: string;
  readonly fix?: string;
}

export interface NetworkDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds for each step. Default 5 s. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5000;
/** A certificate lives ten minutes, so this much is no verdict yet but soon one. */
const SKEW_MS_MAX = 60_000;

/** Every endpoint, in order; they are tried beside each other. */
export function examineNetwork(
  endpoints: readonly Endpoint[],
  deps: NetworkDeps,
): Promise<readonly EndpointReport[]> {
  return Promise.all(endpoints.map((endpoint) => examine(endpoint, deps)));
}

class Failed extends Error {
  readonly step: NetworkStep;
  readonly fix: string;

  constructor(step: NetworkStep, detail: string, fix: string) {
    super(detail);
    this.step = step;
    this.fix = fix;
  }
}

async function examine(endpoint: Endpoint, deps: NetworkDeps): Promise<EndpointReport> {
  const started = deps.clock.now();
  const done = (ok: boolean, detail: string, more: Partial<EndpointReport> = {}): EndpointReport => ({
    ...endpoint,
    ok,
    detail,
    milliseconds: deps.clock.now() - started,
    ...more,
  });
  try {
    return done(true, await steps(endpoint, deps));
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return done(false, error.message, { failed: error.step, fix: error.fix });
  }
}

async function steps(endpoint: Endpoint, deps: NetworkDeps): Promise<string> {
  const { protocol, hostname, port } = new URL(endpoint.url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const timeoutMs = deps.timeoutMs ?? TIMEOUT_MS;
  const address = await resolved(host);
  const at = Number(port) || (protocol === 'https:' ? 443 : 80);
  await connected(address, at, timeoutMs, proxyHint(deps.env));
  return answered(endpoint, deps, timeoutMs);
}

async function resolved(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failed('name', `${host}: ${code}`, 'check the name, and the name servers of this machine');
  }
}

/** Proxies are not used: where one is the only way out, that is the reason. */
function proxyHint(env: NetworkDeps['env']): string {
  const set = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].find((name) => env[name]);
  const open = 'open the way in the firewall, or mirror what is there';
  return set === undefined ? open : `${open}; ${set} is set, and waybill uses no proxy`;
}

function connected(address: string, port: number, timeoutMs: number, fix: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: timeoutMs });
    const end = (why: string | undefined): void => {
      socket.destroy();
      if (why === undefined) resolve();
      else reject(new Failed('connection', `${address} port ${port}: ${why}`, fix));
    };
    socket.on('connect', () => end(undefined));
    socket.on('timeout', () => end(`nothing within ${timeoutMs} ms`));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

const TLS_CODES = /EPROTO|CERT|TLS|SSL|SIGNATURE|SELF_SIGNED|ALTNAME|ISSUER|VERIFY/i;

async function answered(
  { url, statuses = [200] }: Endpoint,
  { transport, clock }: NetworkDeps,
  timeoutMs: number,
): Promise<string> {
  const asked = await transport.request({ url, timeoutMs, redirects: 1 }).catch((error: unknown) => {
    if (!(error instanceof WaybillError)) throw error;
    const isTls = url.startsWith('https:') && TLS_CODES.test(error.reason.actual);
    const fix = isTls
      ? 'let --ca-file or SSL_CERT_FILE name the authority of the server; a proxy that looks into TLS needs its own'
      : error.reason.hint;
    throw new Failed(isTls ? 'tls' : 'answer', isTls ? error.reason.actual : reasonText(error.reason), fix);
  });
  if (!statuses.includes(asked.status)) {
    const detail = `status ${asked.status} instead of ${statuses.join(' or ')}`;
    throw new Failed('answer', detail, 'check that this is the address of the service');
  }
  const date = Date.parse(asked.headers.get('date') ?? '');
  const skew = date - clock.now();
  if (!Number.isNaN(date) && Math.abs(skew) > SKEW_MS_MAX) {
    const way = skew > 0 ? 'behind' : 'ahead of';
    const detail = `this machine is ${Math.round(Math.abs(skew) / 1000)} s ${way} the server`;
    throw new Failed('clock', detail, 'set the clock: tokens and certificates live for minutes');
  }
  return `status ${asked.status}`;
}
