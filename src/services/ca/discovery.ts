/**
 * The keys of identity issuers: OpenID discovery, then the key set, both bounded, cached and fetched once for
 * all who wait. A redirect is followed on the same origin only; for issuers allowed by a pattern the keys must
 * live on the issuer's own host.
 */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Clock } from '#base/clock';
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { type HttpResponse, safeUrl, type Transport } from '#platform/http-client';
import { type IssuerConfig, MINUTE_MS } from './config.ts';
import type { Reach } from './reach.ts';
import { R } from './reasons.ts';

export interface IssuerKeys {
  /** Finds the key of a token; keeps what it imported. */
  readonly resolve: ReturnType<typeof createLocalJWKSet>;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
}

const FRESH_MS = 10 * MINUTE_MS;
/** After a token names an unknown key, the set is fetched anew, but not more often than this. */
const COOLDOWN_MS = MINUTE_MS / 2;
/** After a failure the last keys serve this long, so that a short outage of an issuer stops nobody. */
const STALE_MS = 60 * MINUTE_MS;
const ISSUERS_MAX = 256;
const TIMEOUT_MS = 10_000;

export interface KeyDirectory {
  /** Keys of an issuer. `unknownKey`: the caller saw a key id that the given set lacks. Throws WB-1012. */
  keysOf(issuer: IssuerConfig, isMeta: boolean, unknownKey?: IssuerKeys): Promise<IssuerKeys>;
}

/** `reach` gives the transport to an issuer's host. */
export function keyDirectory(reach: Reach, clock: Clock): KeyDirectory {
  const cached = new Map<string, IssuerKeys>();
  const pending = new Map<string, Promise<IssuerKeys>>();

  const refresh = async (config: IssuerConfig, isMeta: boolean): Promise<IssuerKeys> => {
    const { issuerUrl: issuer } = config;
    try {
      const resolve = createLocalJWKSet(await fetchKeys(reach(config), issuer, isMeta));
      const entry = { resolve, fetchedAt: clock.now() };
      cached.delete(issuer);
      cached.set(issuer, entry);
      const [oldest] = cached.keys();
      if (cached.size > ISSUERS_MAX && oldest !== undefined) cached.delete(oldest);
      return entry;
    } catch (error) {
      const last = cached.get(issuer);
      if (last !== undefined && clock.now() - last.fetchedAt < STALE_MS) return last;
      throw error;
    } finally {
      pending.delete(issuer);
    }
  };

  return {
    keysOf: async (config, isMeta, unknownKey) => {
      const { issuerUrl: issuer } = config;
      const entry = cached.get(issuer);
      const age = entry === undefined ? Number.POSITIVE_INFINITY : clock.now() - entry.fetchedAt;
      const isEnough = unknownKey === undefined ? age < FRESH_MS : entry !== unknownKey || age < COOLDOWN_MS;
      if (entry !== undefined && isEnough) return entry;
      const running = pending.get(issuer) ?? refresh(config, isMeta);
      pending.set(issuer, running);
      return running;
    },
  };
}

async function fetchKeys(transport: Transport, issuer: string, isMeta: boolean): Promise<JSONWebKeySet> {
  const where = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await getJson(transport, where);
  const named = document.string('issuer');
  if (named !== issuer) throw unusable(`discovery that names issuer ${issuer}`, named);
  const jwksUri = URL.parse(document.string('jwks_uri'));
  const home = new URL(issuer);
  const isSecure = jwksUri?.protocol === 'https:' || jwksUri?.origin === home.origin;
  if (jwksUri === null || !isSecure || (isMeta && jwksUri.host !== home.host)) {
    const expected = isMeta ? `keys on host ${home.host}` : 'keys behind https';
    throw unusable(expected, document.string('jwks_uri'));
  }
  const set = await getJson(transport, jwksUri.href);
  return { keys: set.children('keys', limits.jwksKeys).map((key) => ({ kty: '', ...key.object })) };
}

const unusable = (expected: string, actual: string): WaybillError => fail(R.discovery, { expected, actual });

async function getJson(transport: Transport, url: string): Promise<JsonReader> {
  const answer = await getSameOrigin(transport, url);
  if (answer.status !== 200) throw unusable(`status 200 from ${safeUrl(url)}`, `status ${answer.status}`);
  const parsed = parseJson(answer.body, { maxBytes: limits.jwksBytes });
  if (!parsed.ok) throw unusable(`JSON from ${safeUrl(url)}`, `${parsed.error.code}: ${parsed.error.actual}`);
  return reader(parsed.value, safeUrl(url), { as: R.discovery });
}

async function getSameOrigin(transport: Transport, start: string): Promise<HttpResponse> {
  let url = start;
  for (let hop = 0; hop <= limits.httpRedirects; hop++) {
    const answer = await getOnce(transport, url);
    const location = answer.headers.get('location');
    if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
    const next = URL.parse(location, url);
    if (next?.origin !== new URL(start).origin) {
      throw unusable(`no redirect away from ${new URL(start).origin}`, `one to ${next?.origin}`);
    }
    url = next.href;
  }
  throw unusable(`at most ${limits.httpRedirects} redirects from ${safeUrl(start)}`, 'more');
}

async function getOnce(transport: Transport, url: string): Promise<HttpResponse> {
  try {
    return await transport.request({
      url,
      headers: { accept: 'application/json' },
      maxBytes: limits.jwksBytes,
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    throw fail(R.discovery, { expected: error.reason.expected, actual: error.reason.actual }, error);
  }
}
