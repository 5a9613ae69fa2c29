/** What other clients need to know to use a stack: environment lines and ready commands. */
import { join, resolve } from 'node:path';
import { stackTrustFiles } from '#trust';
import type { Origins } from './layout.ts';

/** Variables by name, for `eval "$(waybill stack status --env)"` and for scripts. */
export function environmentOf(dataDir: string, origins: Origins): Readonly<Record<string, string>> {
  const file = (name: string): string => join(resolve(dataDir), name);
  return {
    WAYBILL_STACK: resolve(dataDir),
    WAYBILL_REGISTRY: new URL(origins.registry).host,
    TUF_MIRROR: origins.tuf,
    TUF_ROOT_JSON: file(stackTrustFiles.tufRoot),
    SIGSTORE_TRUSTED_ROOT: file(stackTrustFiles.trustedRoot),
    SIGSTORE_SIGNING_CONFIG: file(stackTrustFiles.signingConfig),
    SIGSTORE_OIDC_ISSUER: origins.oidc,
    SIGSTORE_REKOR_PUBLIC_KEY: file('public/rekor.pub'),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: file('public/ctfe.pub'),
    SIGSTORE_ROOT_FILE: file('public/fulcio_chain.pem'),
    SIGSTORE_TSA_CERTIFICATE_FILE: file('public/tsa_chain.pem'),
  };
}

/** A file for `source`. */
export function environmentText(dataDir: string, origins: Origins): string {
  const lines = Object.entries(environmentOf(dataDir, origins)).map(
    ([name, value]) => `export ${name}=${quoted(value)}`,
  );
  return `${lines.join('\n')}\n`;
}

const quoted = (text: string): string =>
  /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** Lines to paste for people who want to try another client. */
export function recipes(dataDir: string, origins: Origins): readonly string[] {
  const file = (name: string): string => quoted(join(resolve(dataDir), name));
  const registry = new URL(origins.registry).host;
  const token = `"$(curl -fsS ${origins.oidc}/token -d '{"email":"you@example.com"}' | sed 's/.*"id_token":"\\([^"]*\\)".*/\\1/')"`;
  return [
    `cosign initialize --mirror ${origins.tuf} --root ${file(stackTrustFiles.tufRoot)}`,
    `cosign sign --yes --identity-token ${token} \\\n` +
      `  --trusted-root ${file(stackTrustFiles.trustedRoot)} \\\n` +
      `  --signing-config ${file(stackTrustFiles.signingConfig)} ${registry}/IMAGE@DIGEST`,
    `cosign verify --trusted-root ${file(stackTrustFiles.trustedRoot)} \\\n` +
      `  --certificate-identity you@example.com --certificate-oidc-issuer ${origins.oidc} ${registry}/IMAGE@DIGEST`,
  ];
}
