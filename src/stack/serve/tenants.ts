/**
 * Who may write to a station, and how much. A tenant is told by an API key, kept here as its SHA-256 only, by an
 * identity token that verifies, or by the certificate of its connection (mutual TLS). Reads are open: what a log or a mirror serves is public. Strangers, where they are
 * let in at all, share one quota per network.
 */
import { isIPv6 } from 'node:net';
import { toHex, utf8, utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import { sha256 } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import { Secret } from '#base/secret';
import { type JsonReader, own } from '#formats/json';
import { readFileLimited } from '#platform/files';
import type { Transport } from '#platform/http-client';
import type { HttpApp, HttpReply, HttpRequestIn } from '#platform/http-server';
import type { Logger } from '#platform/telemetry';
import { type TokenVerifier, tokenVerifier } from '#services/ca';
import { tlsClientOf } from './clients.ts';
import { R } from './reasons.ts';
import { requireKnown, yamlReader } from './yaml.ts';

export interface Quota {
  readonly requestsPerMinute: number;
  /** Bodies that came in; a request that goes beyond is still served, the next one waits. */
  readonly bytesPerMinute: number;
  /** Largest announced body; the limit of the API holds as well. */
  readonly bodyBytesMax: number;
}

interface TokenRule {
  readonly issuer: string;
  /** Exactly, or with one `*` at the end. */
  readonly subject: string;
}

/** One name a certificate must have. A name of one kind is never taken for one of another. */
interface CertificateRule {
  readonly kind: 'subject' | 'dns' | 'uri' | 'email';
  /** Exactly (the subject as RFC 4514 writes it), or with one `*` at the end. */
  readonly value: string;
}

export interface Tenant {
  readonly name: string;
  readonly keys: readonly string[];
  readonly tokens: readonly TokenRule[];
  readonly certificates: readonly CertificateRule[];
  readonly quota: Quota;
}

export interface TenantTable {
  readonly tenants: readonly Tenant[];
  readonly audience: string;
  /** Undefined: nobody writes without a key or token. */
  readonly anonymous: Quota | undefined;
}

export interface Tenants {
  /** Checks every write before its body is read. */
  guard(app: HttpApp): void;
  /** Reads the file again. Throws WB-209, WB-1212 and keeps what was. */
  refresh(): Promise<void>;
}

const FILE_BYTES_MAX = 1024 * 1024;
const MINUTE_MS = 60_000;
/** Networks of strangers that are counted apart; beyond, all share one count. */
const NETWORKS_MAX = 100_000;
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

interface TenantsSettings {
  readonly tenantsFile?: string;
  readonly clock: Clock;
  readonly transport: Transport;
}

export async function openTenants(settings: TenantsSettings, log: Logger): Promise<Tenants | undefined> {
  const { tenantsFile, clock, transport } = settings;
  if (tenantsFile === undefined) return undefined;
  const load = async (): Promise<string> => utf8Text(await readFileLimited(tenantsFile, FILE_BYTES_MAX));
  let text = await load();
  let gate = new Gate(readTenants(text), clock, transport);
  return {
    guard: (app) => {
      app.addHook('onRequest', (request, reply) => gate.admit(request, reply));
      app.addHook('onResponse', async (request) => gate.settle(request));
    },
    refresh: async () => {
      const next = await load();
      if (next === text) return;
      gate = new Gate(readTenants(next), clock, transport);
      text = next;
      log.info('tenants changed');
    },
  };
}

/** Reads the table of tenants from YAML. Throws WB-1212. */
export function readTenants(text: string): TenantTable {
  const json = yamlReader(text, 'tenants');
  requireKnown(json, ['tenants', 'anonymous', 'audience']);
  const anonymous = json.optionalChild('anonymous');
  const tenants = json.children('tenants').map((one): Tenant => {
    requireKnown(one, ['name', 'keys', 'tokens', 'certificates', ...quotaFields]);
    const keys = one.has('keys') ? one.strings('keys', 64) : [];
    for (const key of keys) {
      if (!/^[0-9a-f]{64}$/.test(key))
        throw one.wrong('keys', 'the SHA-256 of a key, 64 hex digits', 'another text');
    }
    const tokens = one.has('tokens') ? one.children('tokens', 64) : [];
    return {
      name: one.text('name'),
      keys,
      tokens: tokens.map((rule) => ({ issuer: rule.text('issuer'), subject: rule.text('subject') })),
      certificates: one.has('certificates') ? one.children('certificates', 64).map(certificateRule) : [],
      quota: quotaIn(one),
    };
  });
  return {
    tenants,
    audience: json.optionalString('audience') ?? 'waybill',
    anonymous: anonymous === undefined ? undefined : quotaIn(anonymous),
  };
}

const certificateKinds = ['subject', 'dns', 'uri', 'email'] as const;

function certificateRule(json: JsonReader): CertificateRule {
  requireKnown(json, [...certificateKinds]);
  const [kind, other] = certificateKinds.filter((name) => json.has(name));
  if (kind !== undefined && other === undefined) return { kind, value: json.text(kind) };
  throw json.wrong('', `one of ${certificateKinds.join(', ')}`, other === undefined ? 'none' : 'several');
}

/** Exactly, or what begins like the rule up to the `*` at its end. */
const matches = (rule: string, text: string): boolean =>
  rule.endsWith('*') ? text.startsWith(rule.slice(0, -1)) : text === rule;

const quotaFields = ['requests-per-minute', 'bytes-per-minute', 'body-bytes'];

function quotaIn(json: JsonReader): Quota {
  const [requests, bytes, body] = quotaFields.map((name) => {
    const value = json.optionalInteger(name) ?? Number.POSITIVE_INFINITY;
    if (value < 1) throw json.wrong(name, 'a number above 0', value);
    return value;
  }) as [number, number, number];
  return { requestsPerMinute: requests, bytesPerMinute: bytes, bodyBytesMax: body };
}

/** What is left of a quota: it fills up again evenly, to one minute's worth. */
class Bucket {
  readonly #quota: Quota;
  #requests: number;
  #bytes: number;
  #at: number;

  constructor(quota: Quota, now: number) {
    this.#quota = quota;
    this.#requests = quota.requestsPerMinute;
    this.#bytes = quota.bytesPerMinute;
    this.#at = now;
  }

  /** Takes one request; else the seconds until there is one. */
  take(now: number): number {
    const { requestsPerMinute, bytesPerMinute } = this.#quota;
    const part = Math.max(0, now - this.#at) / MINUTE_MS;
    this.#at = now;
    this.#requests = filled(this.#requests, requestsPerMinute, part);
    this.#bytes = filled(this.#bytes, bytesPerMinute, part);
    if (this.#requests >= 1 && this.#bytes > 0) {
      this.#requests -= 1;
      return 0;
    }
    const wait = (missing: number, perMinute: number): number =>
      missing <= 0 ? 0 : (missing / perMinute) * 60;
    return Math.max(
      1,
      Math.ceil(Math.max(wait(1 - this.#requests, requestsPerMinute), wait(-this.#bytes, bytesPerMinute))),
    );
  }

  spend(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Without a limit it is always full: no time times infinity is no number. */
const filled = (left: number, perMinute: number, part: number): number =>
  perMinute === Number.POSITIVE_INFINITY ? perMinute : Math.min(perMinute, left + part * perMinute);

interface Admitted {
  readonly bucket: Bucket;
  /** Length of its body, which the parser holds it to; 0 when it comes in chunks. */
  readonly announced: number;
  /** Bytes the connection had read when the request came: the first of its body may be among them. */
  readonly before: number;
}

class Gate {
  readonly #table: TenantTable;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  readonly #tokens: TokenVerifier;
  readonly #admitted = new WeakMap<HttpRequestIn, Admitted>();

  constructor(table: TenantTable, clock: Clock, transport: Transport) {
    this.#table = table;
    this.#clock = clock;
    const issuers = new Set(table.tenants.flatMap(({ tokens }) => tokens.map(({ issuer }) => issuer)));
    this.#tokens = tokenVerifier([...issuers], table.audience, { clock, transport });
  }

  /** Throws WB-1217 for a stranger where none is let in, WB-1216 beyond a quota. */
  async admit(request: HttpRequestIn, reply: HttpReply): Promise<void> {
    if (READS.has(request.method)) return;
    const { name, quota } = await this.#whoAsks(request);
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > quota.bodyBytesMax) {
      const expected = `a body of at most ${quota.bodyBytesMax} bytes from ${name}`;
      const error = fail(R.quota, { expected, actual: `${announced} bytes`, hint: 'send a smaller body' });
      throw new WaybillError({ ...error.reason, status: 413 });
    }
    const now = this.#clock.now();
    const bucket = this.#bucketOf(name, quota, now);
    const seconds = bucket.take(now);
    if (seconds > 0) {
      reply.header('retry-after', String(seconds));
      const expected = `${name} within its quota of ${quota.requestsPerMinute} requests a minute`;
      throw fail(R.quota, { expected, actual: `room again in ${seconds} s` });
    }
    this.#admitted.set(request, { bucket, announced, before: request.raw.socket.bytesRead });
  }

  /** Counts what really came, announced or not. */
  settle(request: HttpRequestIn): void {
    const admitted = this.#admitted.get(request);
    if (admitted === undefined) return;
    const { bucket, announced, before } = admitted;
    bucket.spend(Math.max(announced, request.raw.socket.bytesRead - before));
  }

  #bucketOf(name: string, quota: Quota, now: number): Bucket {
    const key = this.#buckets.size < NETWORKS_MAX || this.#buckets.has(name) ? name : 'all others';
    const bucket = this.#buckets.get(key) ?? new Bucket(quota, now);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  async #whoAsks(request: HttpRequestIn): Promise<{ readonly name: string; readonly quota: Quota }> {
    const credential = credentialOf(request);
    if (credential !== undefined) {
      const tenant = this.#byKey(credential) ?? (await this.#byToken(credential));
      if (tenant !== undefined) return { name: `tenant ${tenant.name}`, quota: tenant.quota };
    }
    const byCertificate = this.#byCertificate(request);
    if (byCertificate !== undefined)
      return { name: `tenant ${byCertificate.name}`, quota: byCertificate.quota };
    const { anonymous } = this.#table;
    if (anonymous !== undefined) {
      return { name: `network ${networkOf(request.raw.socket.remoteAddress ?? '')}`, quota: anonymous };
    }
    const actual = credential === undefined ? 'no credential' : 'a credential of nobody';
    throw fail(R.tenant, { expected: 'the API key, token or certificate of a tenant', actual });
  }

  #byKey(credential: Secret): Tenant | undefined {
    // Compared as hashes: the time it takes tells nothing usable about a key.
    const hash = toHex(sha256(utf8(credential.reveal())));
    return this.#table.tenants.find(({ keys }) => keys.includes(hash));
  }

  #byCertificate(request: HttpRequestIn): Tenant | undefined {
    const certificate = tlsClientOf(request)?.certificate;
    if (certificate === undefined) return undefined;
    const names = [{ type: 'subject', value: certificate.subjectText }, ...certificate.sans];
    const fits = ({ kind, value }: CertificateRule): boolean =>
      names.some((name) => name.type === kind && matches(value, name.value));
    return this.#table.tenants.find(({ certificates }) => certificates.some(fits));
  }

  /** A token that does not verify is nobody's: it must not use up the quota of whom it names. */
  async #byToken(credential: Secret): Promise<Tenant | undefined> {
    if (credential.reveal().split('.').length !== 3) return undefined;
    try {
      const { issuer, claims } = await this.#tokens(credential);
      const sub = own(claims, 'sub');
      if (typeof sub !== 'string') return undefined;
      const fits = (rule: TokenRule): boolean => rule.issuer === issuer && matches(rule.subject, sub);
      return this.#table.tenants.find(({ tokens }) => tokens.some(fits));
    } catch (error) {
      if (error instanceof WaybillError && error.reason.side !== 'environment') return undefined;
      throw error;
    }
  }
}

/** `X-Api-Key`, a bearer, or the password of Basic, as registries' clients send it. */
function credentialOf(request: HttpRequestIn): Secret | undefined {
  const key = request.headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return new Secret(key);
  const [, scheme = '', value = ''] =
    /^(Bearer|Basic) +(\S{1,16384})$/i.exec(request.headers.authorization ?? '') ?? [];
  if (value === '') return undefined;
  if (/^bearer$/i.test(scheme)) return new Secret(value);
  const text = Buffer.from(value, 'base64').toString('utf8');
  return new Secret(text.slice(text.indexOf(':') + 1));
}

/** Addresses of one line are one stranger: /24 of IPv4, /64 of IPv6. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return plain.split('.').slice(0, 3).join('.');
  const [head = '', tail] = plain.split('%')[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...middle, ...right]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':');
}
