/**
 * The token flow of registries (distribution "Token Authentication Specification", and its OAuth2 form): a challenge
 * names `/v2/token`, who logs in there gets a signed token for what he asked for and may do, and sends that.
 */
import { fail } from '#base/reason';
import type { Access, Caller } from './access.ts';
import { ACTIONS, LOGIN_SECONDS } from './config.ts';
import { R } from './reasons.ts';
import type { LoginTokens, Scope } from './tokens.ts';

/** What the caller may do of what was asked for. */
const granted = (caller: Caller, scopes: readonly Scope[]): readonly Scope[] =>
  scopes.map(({ repository, actions }) => ({
    repository,
    actions: ACTIONS.filter((one) => actions.includes(one) && caller.allows(one, repository)),
  }));

export interface LoginRequest {
  readonly authorization: string | undefined;
  readonly scopes: readonly Scope[];
}

/** The body of the answer. Without credentials a stranger gets a token for what strangers may do. */
export async function login(
  request: LoginRequest,
  access: Access,
  logins: LoginTokens,
): Promise<Readonly<Record<string, string | number>>> {
  const caller = await access.authenticate(request.authorization);
  caller.requireLogin();
  const token = await logins.issue(caller.subject, granted(caller, request.scopes));
  return { token, access_token: token, expires_in: LOGIN_SECONDS };
}

/** The `Authorization` that an OAuth2 form stands for: a password, or a static token kept as refresh token. */
export function formAuthorization(form: URLSearchParams): string | undefined {
  const type = form.get('grant_type');
  if (type === 'refresh_token') return `Bearer ${form.get('refresh_token') ?? ''}`;
  if (type === 'password') {
    const pair = `${form.get('username') ?? ''}:${form.get('password') ?? ''}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  throw fail(R.unauthorized, { expected: 'grant_type password or refresh_token', actual: String(type) });
}
