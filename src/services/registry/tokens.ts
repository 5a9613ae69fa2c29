/** The signed tokens of logins, and what is asked for in them (distribution "Token Scope Documentation"). */
import { jwtVerify, SignJWT } from 'jose';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { isRepositoryName } from '#formats/reference';
import type { Bucket } from '#platform/store-s3-bucket';
import { ACTIONS, LOGIN_SECONDS } from './config.ts';
import { R } from './reasons.ts';

/** Rights in one repository, as a login asks for and gets them. */
export interface Scope {
  readonly repository: string;
  readonly actions: readonly string[];
}

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
