/**
 * The device flow (RFC 8628), for people whose browser is on another machine than their client: the client shows a
 * short code, the person types it here and says who to be, and everybody is believed. PKCE is checked where it is used.
 */
import { toBase64Url, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import type { MintForPerson } from './authorize.ts';
import type { OidcConfig } from './config.ts';
import { R } from './reasons.ts';

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const LIFETIME_SECONDS = 600;
const INTERVAL_SECONDS = 1;
const WAITING_MAX = 1000;
/** Consonants that nobody mistakes for one another, and no words (RFC 8628 §6.1). */
const ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ';
const CODE_LETTERS = 8;

interface Waiting {
  readonly clientId: string;
  readonly userCode: string;
  readonly nonce: string;
  /** S256 of the verifier; empty without PKCE. */
  readonly challenge: string;
  readonly expiresAt: number;
  polledAt: number;
  email: string | undefined;
}

/** RFC 8628 §3.5 and RFC 6749 §5.2. */
export type DeviceError =
  | 'authorization_pending'
  | 'slow_down'
  | 'expired_token'
  | 'invalid_grant'
  | 'invalid_request';

export type DeviceAnswer =
  | { readonly kind: 'token'; readonly token: Secret }
  | { readonly kind: 'error'; readonly error: DeviceError };

export interface DeviceAuthorizer {
  /** The body of the device authorization response. Throws WB-1074 without a client_id. */
  start(form: URLSearchParams, page: string): Readonly<Record<string, string | number>>;
  /** A person types the code. Throws WB-1074 for a code nobody waits with, and for what is no e-mail address. */
  approve(userCode: string, email: string): void;
  /** The client asks whether the person has. */
  redeem(form: URLSearchParams, basicClientId: string | undefined): Promise<DeviceAnswer>;
}

export function createDeviceAuthorizer(mint: MintForPerson, config: OidcConfig): DeviceAuthorizer {
  const waiting = new Map<string, Waiting>();
  const isOver = ({ expiresAt }: Waiting): boolean => expiresAt <= config.clock.now();
  return {
    start: (form, page) => {
      const clientId = form.get('client_id') ?? '';
      if (clientId === '') throw refuse('a client_id', 'none');
      for (const [code, one] of waiting) if (isOver(one)) waiting.delete(code);
      if (waiting.size >= WAITING_MAX) waiting.clear();
      const deviceCode = toBase64Url(config.random.bytes(24));
      const userCode = codeFrom(config.random.bytes(CODE_LETTERS));
      const method = form.get('code_challenge_method') ?? '';
      const challenge = form.get('code_challenge') ?? '';
      if (challenge !== '' && method !== 'S256') throw refuse('code_challenge_method=S256', method);
      waiting.set(deviceCode, {
        ...{ clientId, userCode, challenge, nonce: form.get('nonce') ?? '' },
        expiresAt: config.clock.now() + LIFETIME_SECONDS * 1000,
        polledAt: Number.NEGATIVE_INFINITY,
        email: undefined,
      });
      return {
        device_code: deviceCode,
        user_code: userCode,
        verification_uri: page,
        verification_uri_complete: `${page}?user_code=${userCode}`,
        expires_in: LIFETIME_SECONDS,
        interval: INTERVAL_SECONDS,
      };
    },
    approve: (typed, email) => {
      const userCode = typed.toUpperCase().replace(/[^A-Z]/g, '');
      const one = [...waiting.values()].find((each) => each.userCode.replace('-', '') === userCode);
      if (one === undefined || isOver(one) || one.email !== undefined) {
        throw refuse('the code a client shows', typed.slice(0, 40));
      }
      if (!/^[^\s@]{1,64}@[^\s@]{1,190}$/.test(email)) throw refuse('an e-mail address', email.slice(0, 80));
      one.email = email;
    },
    redeem: async (form, basicClientId) => {
      const deviceCode = form.get('device_code') ?? '';
      const one = waiting.get(deviceCode);
      const no = (error: DeviceError): DeviceAnswer => ({ kind: 'error', error });
      if (one === undefined || (basicClientId ?? form.get('client_id')) !== one.clientId)
        return no('invalid_grant');
      if (isOver(one)) {
        waiting.delete(deviceCode);
        return no('expired_token');
      }
      const now = config.clock.now();
      const isEarly = now - one.polledAt < INTERVAL_SECONDS * 900;
      one.polledAt = now;
      if (one.email === undefined) return no(isEarly ? 'slow_down' : 'authorization_pending');
      waiting.delete(deviceCode);
      const verifier = form.get('code_verifier') ?? '';
      if (one.challenge !== '' && toBase64Url(sha256(utf8(verifier))) !== one.challenge)
        return no('invalid_grant');
      const { email, clientId, nonce } = one;
      const claims = nonce === '' ? {} : { nonce };
      return { kind: 'token', token: await mint({ sub: email, email, aud: clientId, claims }) };
    },
  };
}

/** Letters from random bytes; 256 is no multiple of 20, which favours some letters a little: nothing hangs on it. */
function codeFrom(bytes: Uint8Array): string {
  const letters = [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
  return `${letters.slice(0, CODE_LETTERS / 2)}-${letters.slice(CODE_LETTERS / 2)}`;
}

const refuse = (expected: string, actual: string): Error =>
  fail(R.authorize, { expected, actual: actual === '' ? 'nothing' : actual });
