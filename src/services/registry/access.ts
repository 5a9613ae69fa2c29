/** Who may do what: static tokens with rights per repository. */
import { equalBytes, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import type { Action, RegistryConfig, TokenGrant } from './config.ts';
import { R } from './reasons.ts';

export interface Access {
  /** Throws WB-1093 or WB-1094 unless the caller may do it. */
  require(authorization: string | undefined, action: Action, repository: string): void;
  /** The same as a question. */
  allows(authorization: string | undefined, action: Action, repository: string): boolean;
  /** Any valid token, or anonymous access at all: for `/v2/`. */
  requireLogin(authorization: string | undefined): void;
}

export function access(config: Pick<RegistryConfig, 'anonymous' | 'tokens'>): Access {
  const tokens = config.tokens ?? [];
  const anonymous = config.anonymous ?? (tokens.length === 0 ? ['pull', 'push', 'delete'] : []);
  const grantOf = (authorization: string | undefined): TokenGrant | undefined => {
    if (authorization === undefined) return undefined;
    const presented = tokenOf(authorization);
    const grant = tokens.find((one) => presented !== undefined && same(one.token.reveal(), presented));
    if (grant !== undefined || tokens.length === 0) return grant;
    throw fail(R.unauthorized, { expected: 'a token of this registry', actual: 'another credential' });
  };
  const allows: Access['allows'] = (authorization, action, repository) => {
    const grant = grantOf(authorization);
    if (anonymous.includes(action)) return true;
    return grant?.actions.includes(action) === true && grant.repositories.some((p) => covers(p, repository));
  };
  return {
    allows,
    require(authorization, action, repository) {
      if (allows(authorization, action, repository)) return;
      const expected = `the right to ${action} ${repository}`;
      if (authorization === undefined) throw fail(R.unauthorized, { expected, actual: 'no credentials' });
      throw fail(R.denied, { expected, actual: 'a token without it' });
    },
    requireLogin(authorization) {
      if (grantOf(authorization) !== undefined || anonymous.length > 0) return;
      throw fail(R.unauthorized, { expected: 'a token of this registry', actual: 'no credentials' });
    },
  };
}

function tokenOf(authorization: string): string | undefined {
  const [scheme = '', value = ''] = authorization.split(' ', 2);
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return undefined;
  const text = Buffer.from(value, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}

/** Compares hashes, so the time it takes tells nothing usable about the token. */
const same = (a: string, b: string): boolean => equalBytes(sha256(utf8(a)), sha256(utf8(b)));

function covers(pattern: string, repository: string): boolean {
  if (pattern === '*') return true;
  if (pattern.endsWith('/*')) return repository.startsWith(pattern.slice(0, -1));
  return pattern === repository;
}
