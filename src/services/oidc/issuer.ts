/** The development issuer: mints a signed token for any identity anybody asks for. */
import { importPKCS8, SignJWT } from 'jose';
import { toBase64Url, toHex } from '#base/bytes';
import { Secret } from '#base/secret';
import { type Authorizer, createAuthorizer } from './authorize.ts';
import { type OidcConfig, type Realm, realms } from './config.ts';
import { createDeviceAuthorizer, type DeviceAuthorizer } from './device.ts';
import { openIssuerKey } from './store.ts';

export interface TokenRequest {
  readonly realm?: Realm;
  /** Subject; with an e-mail and no subject, the e-mail. */
  readonly sub: string;
  /** Adds `email` and `email_verified: true`. */
  readonly email?: string;
  /** Audience; default `sigstore`. */
  readonly aud?: string | readonly string[];
  /** Lifetime in seconds; may be negative, to mint a token that has expired. */
  readonly expiresIn?: number;
  /** Any other claims; they win over the ones above. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface OidcIssuer {
  /** The issuer of a realm, for example `http://127.0.0.1:4000` or `…/github`. */
  issuer(realm?: Realm): string;
  readonly realms: readonly Realm[];
  /** The authorization code flow of people. */
  readonly authorizer: Authorizer;
  /** The same for people whose browser is elsewhere. */
  readonly device: DeviceAuthorizer;
  /** JSON Web Key Set (RFC 7517): public keys only. */
  jwks(): Promise<object>;
  mint(request: TokenRequest): Promise<Secret>;
  /** Milliseconds since the epoch, by the issuer's clock. */
  now(): number;
  close(): Promise<void>;
}

const LIFETIME_SECONDS = 600;

export async function createOidc(config: OidcConfig): Promise<OidcIssuer> {
  const { key, algorithm, kid } = await openIssuerKey(config);
  const signingKey = await importPKCS8(key.exportPem(), algorithm);
  const jwk = key.publicKey.handle.export({ format: 'jwk' });
  const issuer = (realm: Realm = ''): string =>
    config.issuerNames?.[realm] ?? (realm === '' ? config.origin() : `${config.origin()}/${realm}`);
  const issued: Omit<OidcIssuer, 'authorizer' | 'device'> = {
    issuer,
    realms,
    jwks: async () => ({ keys: [{ ...jwk, kid, alg: algorithm, use: 'sig' }] }),
    mint: async (request) => {
      const now = Math.floor(config.clock.now() / 1000);
      const payload = {
        iss: issuer(request.realm),
        sub: request.sub,
        aud: request.aud ?? 'sigstore',
        iat: now,
        nbf: now,
        exp: now + (request.expiresIn ?? config.lifetimeSeconds ?? LIFETIME_SECONDS),
        jti: toBase64Url(config.random.bytes(16)),
        nonce: toHex(config.random.bytes(8)),
        ...(request.email === undefined ? {} : { email: request.email, email_verified: true }),
        ...request.claims,
      };
      const token = await new SignJWT(payload as Record<string, unknown>)
        .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
        .sign(signingKey);
      return new Secret(token);
    },
    now: () => config.clock.now(),
    close: async () => {},
  };
  return {
    ...issued,
    authorizer: createAuthorizer(issued.mint, config),
    device: createDeviceAuthorizer(issued.mint, config),
  };
}
