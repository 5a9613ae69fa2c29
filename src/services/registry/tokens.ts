/**
 * The token flow of registries (distribution "Token Authentication Specification", and its OAuth2 form): a challenge
 * names `/v2/token`, who logs in there gets a signed token for what he asked for and may do, and sends that.
 */
import { jwtVerify, SignJWT } from 'jose';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { isRepositoryName } from '#formats/reference';
import type { Bucket } from '#platform/store-s3-bucket';
import type { Access, Caller, Scope } from './access.ts';
import { type Action, LOGIN_SECONDS } from './config.ts';
import { R } from './reasons.ts';

export interface LoginTokens {
  issue(subject: string, scopes: readonly Scope[]): Promise<string>;
  /** Undefined for what is none, or none any more. */
  verify(text: string): Promise<{ readonly subject: string; readonly scopes: readonly Scope[] } | undefined>;
}

const KEY_BYTES = 32;
const ALGORITHM = 'HS256';

/** The key of this process; machines of one bucket share theirs. */
export async function loginKey(random: Random, bucket?: Bucket): Promise<Uint8Array> {
  const own = random.bytes(KEY_BYTES);
  if (bucket === undefined) return own;
  await bucket.put('login-key', own, { absent: true });
  return (await bucket.get('login-key'))?.bytes ?? own;
}

export function loginTokens(key: Uint8Array, clock: Clock): LoginTokens {
  return {
    issue: (subject, scopes) => {
      const now = Math.floor(clock.now() / 1000);
      const access = scopes.map(({ repository: name, actions }) => ({ type: 'repository', name, actions }));
      return new SignJWT({ access })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
        .setSubject(subject)
        .setIssuedAt(now)
        .setExpirationTime(now + LOGIN_SECONDS)
        .sign(key);
    },
    verify: async (text) => {
      try {
        const { payload } = await jwtVerify(text, key, {
          algorithms: [ALGORITHM],
          currentDate: new Date(clock.now()),
          requiredClaims: ['sub', 'exp', 'access'],
        });
        const access = payload['access'] as readonly { name: string; actions: readonly string[] }[];
        const scopes = access.map(({ name, actions }) => ({ repository: name, actions }));
        return { subject: String(payload.sub), scopes };
      } catch {
        return undefined;
      }
    },
  };
}

const ACTIONS: readonly Action[] = ['pull', 'push', 'delete'];
const SCOPES_MAX = 32;

/** `repository:team/app:pull,push`, several divided by blanks; what is no repository is nobody's. */
export function parseScopes(texts: readonly string[]): readonly Scope[] {
  const words = texts.flatMap((text) => text.split(' ')).filter((word) => word !== '');
  if (words.length > SCOPES_MAX) {
    throw fail(R.name, { expected: `at most ${SCOPES_MAX} scopes`, actual: `${words.length}` });
  }
  return words.flatMap((word) => {
    const [, repository = '', list = ''] = /^repository:([^:]+):([a-z*,]*)$/.exec(word) ?? [];
    if (!isRepositoryName(repository)) return [];
    const asked = list.split(',');
    return [{ repository, actions: asked.includes('*') ? ACTIONS : asked }];
  });
}

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
