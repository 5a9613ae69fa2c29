/** The issuer's signing key on disk: made once, continued by every later start. */
import { join } from 'node:path';
import { toHex, utf8Text } from '#base/bytes';
import { generateKey, type PrivateKey, privateKeyFromPem, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { readFileIfThere, writeFileDurable } from '#platform/files';

export interface IssuerKey {
  readonly key: PrivateKey;
  readonly algorithm: 'ES256' | 'RS256';
  /** Key id of the JWS header and the JWKS. */
  readonly kid: string;
}

export async function openIssuerKey(dir: string, algorithm: 'ES256' | 'RS256'): Promise<IssuerKey> {
  const path = join(dir, 'issuer.key');
  const kept = await readFileIfThere(path);
  const key =
    kept === undefined
      ? generateKey(algorithm === 'ES256' ? 'p256' : 'rsa')
      : unwrap(privateKeyFromPem(utf8Text(kept)));
  if (kept === undefined) await writeFileDurable(path, key.exportPem(), { mode: 0o600 });
  return {
    key,
    algorithm: key.publicKey.kind === 'rsa' ? 'RS256' : 'ES256',
    kid: toHex(sha256(key.publicKey.spki)).slice(0, 32),
  };
}
