/** The issuer's signing key on disk: made once, continued by every later start. */
import { toHex } from '#base/bytes';
import { type PrivateKey, sha256 } from '#base/crypto';
import { fileKeyStore } from '#platform/key-store';
import type { OidcConfig } from './config.ts';

export interface IssuerKey {
  readonly key: PrivateKey;
  readonly algorithm: 'ES256' | 'RS256';
  /** Key id of the JWS header and the JWKS. */
  readonly kid: string;
}

/** Throws WB-219 for a key that others may read, or that the passphrase does not open. */
export async function openIssuerKey({
  dir,
  passphrase,
  algorithm = 'RS256',
}: Pick<OidcConfig, 'dir' | 'passphrase' | 'algorithm'>): Promise<IssuerKey> {
  const key = await fileKeyStore(dir, passphrase).openKey('issuer', algorithm === 'ES256' ? 'p256' : 'rsa');
  return {
    key,
    algorithm: key.publicKey.kind === 'rsa' ? 'RS256' : 'ES256',
    kid: toHex(sha256(key.publicKey.spki)).slice(0, 32),
  };
}
