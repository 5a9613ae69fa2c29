/**
 * Who may do what: static tokens and people with passwords, each with rights per repository, and the short tokens both
 * get for logging in (login.ts).
 */
import { equalBytes, toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import type { Action, RegistryConfig, TokenGrant, UserGrant } from './config.ts';
import { matchesPassword } from './password.ts';
import { R } from './reasons.ts';
import type { LoginTokens, Scope } from './tokens.ts';

/** Whoever sent a request. */
export interface Caller {
  /** `token:ci`, `user:alice`, or `anonymous`. */
  readonly subject: string;
  allows(action: Action, repository: string): boolean;
  /** Throws WB-1093 or WB-1094 unless the caller may do it. */
  require(action: Action, repository: string): void;
  /** Throws WB-1093 for strangers, unless those may do something. */
  requireLogin(): void;
}

export interface Access {
  /** Whether anything at all is reserved: without it nobody is asked to log in. */
  readonly isClosed: boolean;
  /** Throws WB-1093 for credentials that are none of this registry. */
  authenticate(authorization: string | undefined): Promise<Caller>;
}

type Grant = (TokenGrant | UserGrant) & { readonly subject: string };

/** Logins by password that are remembered, by hash. */
const REMEMBERED_MAX = 1000;
/** Passwords that are looked at together: each takes 32 MiB. */
const LOOKS_MAX = 2;

export function access(
  config: Pick<RegistryConfig, 'anonymous' | 'tokens' | 'users'>,
  logins: LoginTokens,
): Access {
  const tokens = (config.tokens ?? []).map((one) => ({ ...one, subject: `token:${one.name}` }));
  const users = (config.users ?? []).map((one) => ({ ...one, subject: `user:${one.name}` }));
  const isClosed = tokens.length + users.length > 0;
  const anonymous = config.anonymous ?? (isClosed ? [] : ['pull', 'push', 'delete']);
  const passwords = rememberedPasswords();
  const byToken = (text: string): Grant | undefined => tokens.find((one) => same(one.token.reveal(), text));

  const identify = async (authorization: string): Promise<Caller | undefined> => {
    const { scheme, value } = schemeOf(authorization);
    if (scheme === 'bearer') {
      const grant = byToken(value);
      if (grant !== undefined) return callerOf(grant);
      const login = await logins.verify(value);
      if (login === undefined) return undefined;
      const known = [...tokens, ...users].find((one) => one.subject === login.subject);
      if (known === undefined && login.subject !== ANONYMOUS) return undefined;
      return callerOf(known, login.scopes);
    }
    const { username, password } = basicOf(scheme === 'basic' ? value : '');
    if (password === '') return undefined;
    const token = byToken(password);
    if (token !== undefined) return callerOf(token);
    if (users.length === 0) return undefined;
    const user = users.find((one) => one.name === username);
    // As long as for somebody who is known: the time tells no names.
    const isRight = await passwords.matches(user?.passwordHash ?? NOBODY, new Secret(password));
    return user !== undefined && isRight ? callerOf(user) : undefined;
  };

  const callerOf = (grant: Grant | undefined, scopes?: readonly Scope[]): Caller =>
    newCaller(grant, anonymous, scopes);

  return {
    isClosed,
    authenticate: async (authorization) => {
      if (authorization === undefined || !isClosed) return callerOf(undefined);
      const caller = await identify(authorization);
      if (caller !== undefined) return caller;
      throw fail(R.unauthorized, { expected: 'a token of this registry', actual: 'another credential' });
    },
  };
}

/** With `scopes`, no more than was asked for at the login. */
function newCaller(
  grant: Grant | undefined,
  anonymous: readonly Action[],
  scopes: readonly Scope[] | undefined,
): Caller {
  const mayAtAll = (action: Action, repository: string): boolean =>
    anonymous.includes(action) ||
    (grant?.actions.includes(action) === true && grant.repositories.some((p) => covers(p, repository)));
  const isAsked = (action: Action, repository: string): boolean =>
    scopes === undefined ||
    anonymous.includes(action) ||
    scopes.some((one) => one.repository === repository && one.actions.includes(action));
  return {
    subject: grant?.subject ?? ANONYMOUS,
    allows: (action, repository) => mayAtAll(action, repository) && isAsked(action, repository),
    require: (action, repository) => {
      const expected = `the right to ${action} ${repository}`;
      if (!mayAtAll(action, repository)) {
        if (grant !== undefined) throw fail(R.denied, { expected, actual: `${grant.subject} without it` });
        throw fail(R.unauthorized, { expected, actual: 'no credentials' });
      }
      // Asked for again with this scope, it is given.
      if (!isAsked(action, repository)) {
        throw fail(R.unauthorized, { expected, actual: 'a login for something else' });
      }
    },
    requireLogin: () => {
      if (grant !== undefined || anonymous.length > 0) return;
      throw fail(R.unauthorized, { expected: 'a token of this registry', actual: 'no credentials' });
    },
  };
}

const ANONYMOUS = 'anonymous';
/** A hash that no password has. */
const NOBODY = `scrypt$15$8$1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** A right password is asked for with every request of some clients: it is looked at once. */
function rememberedPasswords(): { matches(hash: string, password: Secret): Promise<boolean> } {
  const right = new Set<string>();
  let looking = 0;
  return {
    matches: async (hash, password) => {
      const key = toHex(sha256(utf8(`${hash} ${password.reveal()}`)));
      if (right.has(key)) return true;
      if (looking >= LOOKS_MAX) {
        throw fail(R.busy, { expected: 'few logins at a time', actual: `${looking} are looked at` });
      }
      looking++;
      try {
        if (!(await matchesPassword(hash, password))) return false;
      } finally {
        looking--;
      }
      const [oldest] = right;
      if (right.size >= REMEMBERED_MAX && oldest !== undefined) right.delete(oldest);
      right.add(key);
      return true;
    },
  };
}

function schemeOf(authorization: string): { readonly scheme: string; readonly value: string } {
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  return { scheme: scheme.toLowerCase(), value };
}

function basicOf(value: string): { readonly username: string; readonly password: string } {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return { username: text.slice(0, Math.max(at, 0)), password: text.slice(at + 1) };
}

/** Compares hashes, so the time it takes tells nothing usable about the token. */
const same = (a: string, b: string): boolean => equalBytes(sha256(utf8(a)), sha256(utf8(b)));

function covers(pattern: string, repository: string): boolean {
  if (pattern === '*') return true;
  if (pattern.endsWith('/*')) return repository.startsWith(pattern.slice(0, -1));
  return pattern === repository;
}
