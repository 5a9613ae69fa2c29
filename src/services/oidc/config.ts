/** What the development issuer needs. */
import { isIPv6 } from 'node:net';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import type { Secret } from '#base/secret';

/**
 * An issuer below the same origin, so that a CA can treat kinds of identity differently: people by e-mail
 * (`''`), workflows with GitHub's claims (`github`), and machines whose subject is a URI (`workload`).
 */
export const realms = ['', 'github', 'workload'] as const;
export type Realm = (typeof realms)[number];

export interface OidcConfig {
  /** Folder for the signing key (mode 0600). */
  readonly dir: string;
  /** The key is encrypted under this. */
  readonly passphrase?: Secret;
  /** The origin under which it is reached, without a trailing slash; known only once it listens. */
  readonly origin: () => string;
  readonly clock: Clock;
  readonly random: Random;
  /** JWS algorithm of new keys; default RS256, the only one cosign recognises a token by. */
  readonly algorithm?: 'ES256' | 'RS256';
  /**
   * What tokens of a realm call their issuer instead of its address here. Only for a trust domain marked as a
   * simulation: whoever believes the name must look its keys up at this issuer, by an explicit mapping.
   */
  readonly issuerNames?: Partial<Readonly<Record<Realm, string>>>;
  /** Lifetime of tokens in seconds when the request names none. */
  readonly lifetimeSeconds?: number;
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true;
  return isIPv6(bare) ? bare === '::1' : /^127\.(?:\d{1,3}\.){2}\d{1,3}$/.test(bare);
}
