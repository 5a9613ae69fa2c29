/**
 * Judging an identity token (OIDC Core §3.1.3.7): which issuer, which keys, which audience, which time. Nothing
 * in the token is believed, or fetched from, before its issuer was found in the table.
 */
import { errors, jwtVerify } from 'jose';
import { fromBase64Url, utf8Text } from '#base/bytes';
import type { Clock } from '#base/clock';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt } from '#base/result';
import type { Secret } from '#base/secret';
import { isJsonObject, type JsonObject, type JsonValue, own, parseJson } from '#formats/json';
import type { IssuerConfig, IssuerTable } from './config.ts';
import type { IssuerKeys, KeyDirectory } from './discovery.ts';
import { R } from './reasons.ts';

/** Signature algorithms with public keys; a shared secret could be anybody's. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** How far `nbf` may lie ahead. `exp` has no leeway: clients fetch a fresh token for each signature. */
const NOT_BEFORE_LEEWAY_S = 60;

export interface VerifiedToken {
  readonly issuer: IssuerConfig;
  readonly claims: JsonObject;
}

/** Throws WB-1002 to WB-1005, and WB-1012 when the issuer's keys cannot be had. */
export async function verifyToken(
  token: Secret,
  table: IssuerTable,
  directory: KeyDirectory,
  clock: Clock,
): Promise<VerifiedToken> {
  const text = token.reveal();
  const { algorithm, claims } = readUnverified(text);
  const iss = own(claims, 'iss');
  if (typeof iss !== 'string' || iss.length > limits.identityChars) throw bad('claim iss', 'none');
  const found = table.find(iss);
  if (found === undefined) {
    throw fail(R.issuer, { expected: 'an issuer of this authority', actual: JSON.stringify(iss) });
  }
  const keys = await directory.keysOf(found.config, found.isMeta);
  const nowS = Math.floor(clock.now() / 1000);
  // Leeway moves both ends; the end is checked again without it below.
  const check = (set: IssuerKeys): Promise<unknown> =>
    jwtVerify(text, set.resolve, {
      algorithms: [algorithm],
      issuer: iss,
      audience: found.config.clientId,
      currentDate: new Date(nowS * 1000),
      clockTolerance: NOT_BEFORE_LEEWAY_S,
      requiredClaims: ['exp'],
    });
  try {
    try {
      await check(keys);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await check(await directory.keysOf(found.config, found.isMeta, keys));
    }
  } catch (error) {
    throw judged(error, found.config);
  }
  checkEnd(claims, nowS);
  checkAudience(claims, found.config);
  return { issuer: found.config, claims };
}

const bad = (expected: string, actual: string): Error => fail(R.token, { expected, actual });

const forbiddenHeaders = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'enc', 'zip'];

interface Unverified {
  /** One of `algorithms`. */
  readonly algorithm: string;
  readonly claims: JsonObject;
}

/** What a token says before any check: only to find the issuer. The same strictly parsed claims are used afterwards. */
function readUnverified(text: string): Unverified {
  if (text === '') throw bad('an identity token', 'none');
  if (text.length > limits.tokenBytes) {
    throw bad(`a token of at most ${limits.tokenBytes} characters`, `${text.length} characters`);
  }
  const parts = text.split('.', 4);
  if (parts.length !== 3) throw bad('a signed JWT of three parts', 'another form');
  const header = readPart(parts[0] as string, 'header');
  const alg = own(header, 'alg');
  if (typeof alg !== 'string' || !algorithms.includes(alg)) {
    throw bad(`an algorithm of ${algorithms.join(', ')}`, JSON.stringify(alg ?? null));
  }
  const foreign = forbiddenHeaders.find((name) => own(header, name) !== undefined);
  // A header that brings its own key, or its own rules, asks to be believed.
  if (foreign !== undefined) throw bad('a header without keys, links and extensions', foreign);
  return { algorithm: alg, claims: readPart(parts[1] as string, 'claims') };
}

function readPart(part: string, name: string): JsonObject {
  const parsed = attempt((): JsonValue => {
    const json = parseJson(utf8Text(fromBase64Url(part)), { maxBytes: limits.tokenBytes });
    return json.ok ? json.value : null;
  });
  // The part itself may hold personal data or be a mangled token, so it is not shown.
  if (!parsed.ok || !isJsonObject(parsed.value))
    throw bad(`${name} as base64url of a JSON object`, 'another form');
  return parsed.value;
}

function judged(error: unknown, issuer: IssuerConfig): Error {
  if (error instanceof errors.JWTExpired) {
    return fail(R.tokenTime, { expected: 'a token that has not expired', actual: 'an expired one' });
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') {
      const actual = 'another audience';
      return fail(R.audience, { expected: `audience ${JSON.stringify(issuer.clientId)}`, actual });
    }
    const isTime = ['exp', 'nbf', 'iat'].includes(error.claim);
    return fail(isTime ? R.tokenTime : R.token, {
      expected: `claim ${error.claim} that holds`,
      actual: error.reason,
    });
  }
  if (error instanceof errors.JWKSNoMatchingKey) return bad('a key of the issuer', 'an unknown key id');
  if (error instanceof errors.JOSEError) return bad('a token signed by its issuer', error.code);
  // A key the issuer publishes that the platform cannot load ends up here as a TypeError or DOMException.
  if (error instanceof TypeError || error instanceof DOMException) {
    return bad('a token signed by its issuer', 'a key of the issuer that cannot be used');
  }
  return error instanceof Error ? error : new Error('token check failed', { cause: error });
}

function checkEnd(claims: JsonObject, nowS: number): void {
  const exp = own(claims, 'exp');
  if (typeof exp !== 'number' || exp <= nowS) {
    const actual = typeof exp === 'number' ? `expired ${Math.ceil(nowS - exp)} s ago` : 'no end';
    throw fail(R.tokenTime, { expected: 'a token that has not expired', actual });
  }
}

/** A token for several services could have been passed on by any of them, unless it says it was made for us. */
function checkAudience(claims: JsonObject, issuer: IssuerConfig): void {
  const aud = own(claims, 'aud');
  const isOnlyOurs = !Array.isArray(aud) || aud.length === 1;
  if (isOnlyOurs || own(claims, 'azp') === issuer.clientId) return;
  throw fail(R.audience, {
    expected: `audience ${JSON.stringify(issuer.clientId)} alone, or azp with it`,
    actual: JSON.stringify(aud),
  });
}
