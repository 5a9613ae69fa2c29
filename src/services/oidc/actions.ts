/**
 * The token endpoint a job of GitHub Actions finds in its environment. The request token is a JWT of this issuer
 * that names the workflow and is for this endpoint alone; it is exchanged for an identity token of the same
 * workflow for the audience asked for.
 */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import type { OidcIssuer } from './issuer.ts';
import { R } from './reasons.ts';

/** Audience of request tokens: a CA, which wants another, does not take them. */
export const ACTIONS_AUDIENCE = 'waybill-actions-request';

/** Claims that belong to one token and are made anew. */
const ownClaims = new Set(['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'nonce']);

/** Throws WB-1075 for a request token that is not of this issuer, for another use, or expired. */
export async function exchangeRequestToken(
  oidc: OidcIssuer,
  requestToken: Secret,
  audience: string,
): Promise<Secret> {
  const keys = createLocalJWKSet((await oidc.jwks()) as JSONWebKeySet);
  const verified = await jwtVerify(requestToken.reveal(), keys, {
    issuer: oidc.issuer('github'),
    audience: ACTIONS_AUDIENCE,
    currentDate: new Date(oidc.now()),
  }).catch((error: unknown) => {
    const actual = error instanceof Error ? error.name : 'another one';
    throw fail(R.requestToken, { expected: 'a request token of a workflow', actual });
  });
  const { payload } = verified;
  const claims = Object.fromEntries(Object.entries(payload).filter(([name]) => !ownClaims.has(name)));
  return oidc.mint({ realm: 'github', sub: payload.sub ?? '', aud: audience, claims });
}
