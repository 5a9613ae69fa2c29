/**
 * The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636), for clients that open a browser: a page asks
 * who to be, and everybody is believed. Codes live a minute, serve once, and only loopback redirects are taken.
 */
import { toBase64Url, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { isLoopback, type OidcConfig } from './config.ts';
import { R } from './reasons.ts';

/** What a client asks for in the query of `/auth`. */
export interface AuthorizeRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** S256 of the verifier. */
  readonly challenge: string;
  /** Fills the form. */
  readonly hint: string;
}

interface Granted {
  readonly request: AuthorizeRequest;
  readonly email: string;
  readonly expiresAt: number;
}

export interface Authorizer {
  /** Throws WB-1074 for a query that is no authorization request of a client on this machine. */
  read(query: URLSearchParams): AuthorizeRequest;
  /** The address to send the browser to, with a code for this person. */
  grant(request: AuthorizeRequest, email: string): string;
  /** Exchanges a code. Throws WB-1074. */
  redeem(form: URLSearchParams, basicClientId: string | undefined): Promise<Secret>;
}

const CODE_LIFETIME_MS = 60_000;
const CODES_MAX = 1000;

/** Mints for a person; the issuer hands in its own. */
export type MintForPerson = (request: {
  readonly sub: string;
  readonly email: string;
  readonly aud: string;
  readonly claims: Readonly<Record<string, string>>;
}) => Promise<Secret>;

export function createAuthorizer(mint: MintForPerson, config: OidcConfig): Authorizer {
  const codes = new Map<string, Granted>();
  return {
    read,
    grant: (request, email) => {
      if (!/^[^\s@]{1,64}@[^\s@]{1,190}$/.test(email)) throw refuse('an e-mail address', email.slice(0, 80));
      if (codes.size >= CODES_MAX) codes.clear();
      const code = toBase64Url(config.random.bytes(24));
      codes.set(code, { request, email, expiresAt: config.clock.now() + CODE_LIFETIME_MS });
      const target = new URL(request.redirectUri);
      target.searchParams.set('code', code);
      target.searchParams.set('state', request.state);
      return target.href;
    },
    redeem: async (form, basicClientId) => {
      const code = form.get('code') ?? '';
      const granted = codes.get(code);
      codes.delete(code);
      if (granted === undefined || granted.expiresAt <= config.clock.now()) {
        throw refuse('a code that was just given out', 'another one');
      }
      const { request, email } = granted;
      requireSame('client_id', request.clientId, basicClientId ?? form.get('client_id'));
      requireSame('redirect_uri', request.redirectUri, form.get('redirect_uri'));
      const verifier = form.get('code_verifier') ?? '';
      requireSame('code_verifier', request.challenge, toBase64Url(sha256(utf8(verifier))));
      const claims = request.nonce === '' ? {} : { nonce: request.nonce };
      return mint({ sub: email, email, aud: request.clientId, claims });
    },
  };
}

function read(query: URLSearchParams): AuthorizeRequest {
  const text = (name: string): string => query.get(name) ?? '';
  if (text('response_type') !== 'code') throw refuse('response_type=code', text('response_type'));
  if (text('code_challenge_method') !== 'S256' || text('code_challenge') === '') {
    throw refuse('PKCE with code_challenge_method=S256', text('code_challenge_method'));
  }
  const redirect = URL.parse(text('redirect_uri'));
  if (redirect === null || redirect.protocol !== 'http:' || !isLoopback(redirect.hostname)) {
    throw refuse('a redirect_uri on this machine', text('redirect_uri'));
  }
  if (text('client_id') === '') throw refuse('a client_id', 'none');
  return {
    clientId: text('client_id'),
    redirectUri: text('redirect_uri'),
    state: text('state'),
    nonce: text('nonce'),
    challenge: text('code_challenge'),
    hint: text('login_hint'),
  };
}

function requireSame(name: string, expected: string, actual: string | null | undefined): void {
  if (actual !== expected) throw refuse(`the ${name} the code was asked with`, 'another one');
}

const refuse = (expected: string, actual: string): Error =>
  fail(R.authorize, { expected, actual: actual === '' ? 'nothing' : actual });
