/**
 * The identity of a station that signs for itself: it mints tokens for its own work with its own key, and a certificate
 * authority that is told of it looks the key up here (OpenID Connect Discovery 1.0). Nobody can ask it for a token.
 */
import { toBase64Url, toHex, utf8 } from '#base/bytes';
import type { Clock } from '#base/clock';
import { type Signer, sha256 } from '#base/crypto';
import type { Random } from '#base/random';
import { Secret } from '#base/secret';
import type { HttpApp } from '#platform/http-server';
import { AUDIENCE, workloadFields } from '../issuers.ts';

const LIFETIME_S = 300;
const KEYS_PATH = '/keys';

export interface WorkloadIssuer {
  /** `claims`: beside the registered ones. */
  mint(subject: string, claims: Readonly<Record<string, unknown>>): Secret;
  register(app: HttpApp): void;
}

/** `issuer`: the `iss` of its tokens, below which `/.well-known/openid-configuration` is reached. An RSA key. */
export function workloadIssuer(
  key: Signer,
  issuer: () => string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): WorkloadIssuer {
  const kid = toHex(sha256(key.publicKey.spki)).slice(0, 32);
  const jwk = { ...key.publicKey.handle.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
  const part = (value: object): string => toBase64Url(utf8(JSON.stringify(value)));
  return {
    mint: (sub, claims) => {
      const now = Math.floor(clock.now() / 1000);
      const times = { iat: now, nbf: now, exp: now + LIFETIME_S };
      const jti = toBase64Url(random.bytes(16));
      const payload = { ...claims, iss: issuer(), sub, aud: AUDIENCE, ...times, jti };
      const signed = `${part({ alg: 'RS256', kid, typ: 'JWT' })}.${part(payload)}`;
      return new Secret(`${signed}.${toBase64Url(key.sign(utf8(signed), 'sha256'))}`);
    },
    register: (app) => {
      app.get('/.well-known/openid-configuration', async () => ({
        issuer: issuer(),
        jwks_uri: `${issuer()}${KEYS_PATH}`,
        id_token_signing_alg_values_supported: ['RS256'],
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
      }));
      app.get(KEYS_PATH, async () => ({ keys: [jwk] }));
    },
  };
}

/** What the configuration of an authority says of such an issuer, in the form Fulcio's has. */
export function issuerConfiguration(issuer: string): string {
  const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return [
    'oidc-issuers:',
    `  ${issuer}:`,
    `    issuer-url: ${issuer}`,
    `    client-id: ${AUDIENCE}`,
    '    type: ci-provider',
    '    ci-provider: waybill-workload',
    'ci-issuer-metadata:',
    '  waybill-workload:',
    '    default-template-values:',
    ...workloadFields.map((field) => `      ${field}: ""`),
    '    extension-templates:',
    ...workloadFields.map((field) => `      ${kebab(field)}: ${field}`),
    "    subject-alternative-name-template: '{{ .sub }}'",
    '',
  ].join('\n');
}
