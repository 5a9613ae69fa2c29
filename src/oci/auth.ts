/**
 * Authorization for one registry host: Basic, or the token flow of distribution-spec's reference
 * (docs "token/jwt", "token/oauth"). Tokens are kept per scope until the registry refuses them.
 */
import { toBase64, utf8 } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import { isJsonObject, parseJson } from '#formats/json';
import { type HttpRequest, type HttpResponse, safeUrl, type Transport } from '#platform/http-client';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { isLoopback, isReachableFrom, isTrustedRealm, shownUrl } from './hosts.ts';
import { R } from './reasons.ts';

/** What a request is about, so that the token asked for covers it. */
export interface Scope {
  /** '' for none. */
  readonly repository: string;
  readonly actions: 'pull' | 'pull,push' | 'delete';
  /** Also read from this repository (cross-repository mount). */
  readonly mountFrom?: string;
}

export interface AuthOptions {
  readonly transport: Transport;
  readonly credentials: CredentialSource;
  /** Token servers that may get credentials besides the ones `isTrustedRealm` knows. */
  readonly authHosts: readonly string[];
}

export interface HostAuth {
  /** The value of `Authorization`, when one is known to be needed. */
  header(scope: Scope): Promise<Secret | undefined>;
  /** Learns from a 401; false when trying again is useless. */
  learn(challengeHeader: string | undefined, scope: Scope): Promise<boolean>;
}

export function hostAuth(registry: string, options: AuthOptions): HostAuth {
  const headers = new Map<string, Secret>();
  const asking = new Map<string, Promise<Secret | undefined>>();
  let known: Challenge | undefined;
  // Requests that run side by side need one token, not one each.
  const request = (challenge: Challenge, scope: Scope): Promise<Secret | undefined> => {
    const key = scopeText(scope);
    const running = asking.get(key) ?? find(challenge, scope).finally(() => asking.delete(key));
    asking.set(key, running);
    return running;
  };
  const find = async (challenge: Challenge, scope: Scope): Promise<Secret | undefined> => {
    const found = await options.credentials.find(registry, scope.repository);
    const credential = found?.credential;
    if (credential?.kind === 'bearer') return new Secret(`Bearer ${credential.token.reveal()}`);
    if (challenge.scheme === 'basic') return basicHeader(credential);
    return new Secret(`Bearer ${await fetchToken(registry, challenge, scope, credential, options)}`);
  };
  return {
    async header(scope) {
      const key = scopeText(scope);
      if (headers.has(key) || known === undefined) return headers.get(key);
      const header = await request(known, scope);
      if (header !== undefined) headers.set(key, header);
      return header;
    },
    async learn(challengeHeader, scope) {
      const challenges = parseChallenges(challengeHeader ?? '');
      const chosen = challenges.find((c) => c.scheme === 'bearer') ?? challenges[0];
      if (chosen === undefined) return false;
      known = chosen;
      headers.delete(scopeText(scope));
      const header = await request(chosen, scope);
      if (header === undefined) return false;
      headers.set(scopeText(scope), header);
      return true;
    },
  };
}

function basicHeader(credential: Credential | undefined): Secret | undefined {
  if (credential?.kind !== 'basic') return undefined;
  return new Secret(`Basic ${toBase64(utf8(`${credential.username}:${credential.password.reveal()}`))}`);
}

/** '' for a login alone. */
function scopeText(scope: Scope): string {
  if (scope.repository === '') return '';
  const own = `repository:${scope.repository}:${scope.actions}`;
  return scope.mountFrom === undefined ? own : `${own} repository:${scope.mountFrom}:pull`;
}

async function fetchToken(
  registry: string,
  challenge: Challenge,
  scope: Scope,
  credential: Credential | undefined,
  options: AuthOptions,
): Promise<string> {
  const realm = parseRealm(challenge, registry, options.authHosts);
  if (credential !== undefined && !isTrustedRealm(realm, registry, options.authHosts)) {
    throw fail(R.tokenServer, {
      expected: `a token server on the host of ${registry}`,
      actual: `${realm.origin}, so no credentials were sent`,
    });
  }
  const service = challenge.parameters.get('service');
  const response = await options.transport.request(
    tokenRequest(realm, service, scopeText(scope), credential),
  );
  if (response.status === 401 || response.status === 403) {
    throw fail(R.auth, {
      expected: `a token for ${scopeText(scope) || registry} from ${safeUrl(realm.href)}`,
      actual: `status ${response.status}${credential === undefined ? ' without credentials' : ''}`,
    });
  }
  return readToken(response);
}

function parseRealm(challenge: Challenge, registry: string, authHosts: readonly string[]): URL {
  const text = challenge.parameters.get('realm') ?? '';
  const realm = URL.parse(text);
  const isAllowed =
    realm !== null &&
    (realm.protocol === 'https:' || (realm.protocol === 'http:' && isLoopback(realm.host))) &&
    realm.username === '' &&
    (isReachableFrom(registry, realm.host) || authHosts.includes(realm.host));
  if (isAllowed) return realm;
  throw fail(R.tokenServer, {
    expected: 'an https address of a token server',
    actual: realm === null ? safeUrl(text) : shownUrl(realm),
  });
}

function tokenRequest(
  realm: URL,
  service: string | undefined,
  scope: string,
  credential: Credential | undefined,
): HttpRequest {
  if (credential?.kind === 'identityToken') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credential.token.reveal(),
      client_id: 'waybill',
      ...(scope === '' ? {} : { scope }),
      ...(service === undefined ? {} : { service }),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { url: realm.href, method: 'POST', headers, body: utf8(form.toString()), maxBytes: 65_536 };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const one of scope.split(' ')) if (one !== '') url.searchParams.append('scope', one);
  const basic = basicHeader(credential);
  const headers = basic === undefined ? {} : { authorization: basic.reveal() };
  return { url: url.href, headers, maxBytes: 65_536 };
}

/** The token is put into a header: nothing but visible ASCII may be in it. */
function readToken(response: HttpResponse): string {
  const parsed = response.status === 200 ? parseJson(response.body) : undefined;
  const json = parsed?.ok === true && isJsonObject(parsed.value) ? parsed.value : {};
  const token = json['token'] ?? json['access_token'];
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) && token.length <= limits.tokenBytes) {
    return token;
  }
  const actual = typeof token === 'string' ? 'one that cannot be used' : `none (status ${response.status})`;
  throw fail(R.tokenServer, { expected: `a token from ${safeUrl(response.url)}`, actual });
}
