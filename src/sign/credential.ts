/** What signs: a key made for this run and certified for an identity, or a key somebody keeps. */
import { toBase64 } from '#base/bytes';
import { generateKey, type KeyKind, type PrivateKey, publicKeyPem, sha256 } from '#base/crypto';
import { fail } from '#base/reason';
import type { Secret } from '#base/secret';
import { pemEncode } from '#formats/pem';
import type { Certificate } from '#formats/x509';
import { challengeOf, readClaims, requireUsable } from '#identity';
import type { CaClient } from './ca-client.ts';
import { type ContentKey, contentKey } from './content-key.ts';
import type { WireDeps } from './http.ts';
import { R } from './reasons.ts';

export interface Credential {
  readonly key: ContentKey;
  /** PEM of what verifies: the certificate or the public key. */
  readonly verifierPem: string;
  readonly certificate?: Certificate;
  /** Issuers of the certificate, lowest first, as the authority sent them. */
  readonly issuers: readonly Certificate[];
  /** For bundles by a key: names it without being trusted. */
  readonly hint: string;
}

/** Gives the credential for the next signature. */
export type CredentialSource = () => Promise<Credential>;

/** A key pair that never leaves this process. */
export const ephemeralKey = ({ kind, bits }: KeyAlgorithm = { kind: 'p256' }): ContentKey =>
  contentKey(generateKey(kind, bits));

export interface KeyAlgorithm {
  readonly kind: KeyKind;
  /** RSA only. */
  readonly bits?: number;
}

/** A certificate is not used in its last minute: log and timestamp still have to come. */
const MARGIN_MS = 60_000;

/** Asked once for every certificate. */
export type TokenSource = () => Promise<Secret>;

/** Certifies a fresh key when there is none or it is about to expire: one certificate for a whole flow. */
export function keylessCredential(
  token: Secret | TokenSource,
  ca: CaClient,
  deps: WireDeps,
  options: {
    readonly audience?: string;
    readonly keyAlgorithm?: KeyAlgorithm;
    /** Certified instead of a key made for it. */
    readonly key?: ContentKey;
  } = {},
): CredentialSource {
  const { audience = 'sigstore', keyAlgorithm } = options;
  let kept: Credential | undefined;
  return async () => {
    const now = deps.clock.now();
    if (kept?.certificate !== undefined && kept.certificate.notAfter - MARGIN_MS > now) return kept;
    const secret = typeof token === 'function' ? await token() : token;
    const claims = readClaims(secret);
    requireUsable(claims, { now, audience });
    const key = options.key ?? ephemeralKey(keyAlgorithm);
    const [certificate, ...issuers] = await ca.certify(secret, challengeOf(claims), key);
    kept = {
      key,
      verifierPem: pemEncode('CERTIFICATE', certificate.der),
      certificate,
      issuers,
      hint: '',
    };
    return kept;
  };
}

/** A certificate that some authority issued for a key of the caller's. */
export interface OwnCertificate {
  readonly certificate: Certificate;
  /** Lowest first, the anchor last. */
  readonly issuers: readonly Certificate[];
}

/** A key of the caller's. Throws WB-818 for kinds whose signatures logs do not take. */
export function keyCredential(given: ContentKey | PrivateKey, own?: OwnCertificate): CredentialSource {
  const key = 'exportPem' in given ? contentKey(given) : given;
  const { kind, spki, bits } = key.publicKey;
  if (kind === 'rsa' && ![2048, 3072, 4096].includes(bits)) {
    throw fail(R.keyKind, { expected: 'RSA of 2048, 3072 or 4096 bits', actual: `${bits} bits` });
  }
  const credential: Credential =
    own === undefined
      ? { key, verifierPem: publicKeyPem(key.publicKey), issuers: [], hint: toBase64(sha256(spki)) }
      : { key, verifierPem: pemEncode('CERTIFICATE', own.certificate.der), ...own, hint: '' };
  return async () => credential;
}
