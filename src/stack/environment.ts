/** What other clients need to know to use a stack: environment lines and ready commands. */
import { join, resolve } from 'node:path';
import { stackTrustFiles } from '#trust';
import type { Origins } from './layout.ts';
import { TLS_CA_FILE } from './tls.ts';

/** Go's clients, curl and waybill read the first, Python's requests the second, Node's clients the third. */
export const authorityVariables = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'] as const;

/** Variables by name, for `source public/env` and for scripts. */
export function environmentOf(dataDir: string, origins: Origins): Readonly<Record<string, string>> {
  const hasTls = origins.ca.startsWith('https:');
  const tlsCa = join(resolve(dataDir), TLS_CA_FILE);
  return {
    ...(hasTls ? Object.fromEntries(authorityVariables.map((name) => [name, tlsCa])) : {}),
    WAYBILL_STACK: resolve(dataDir),
    WAYBILL_REGISTRY: new URL(origins.registry).host,
    WAYBILL_OIDC_ISSUER: origins.oidc,
    // cosign 3 and sigstore-go start from these two.
    TUF_MIRROR: origins.tuf,
    TUF_ROOT_JSON: join(resolve(dataDir), stackTrustFiles.tufRoot),
  };
}

/** Key files for cosign 2 where it cannot reach TUF: of the keys that sign now, for it reads one of each. */
export function oldEnvironmentOf(dataDir: string): Readonly<Record<string, string>> {
  const file = (name: string): string => join(resolve(dataDir), 'public', name);
  return {
    SIGSTORE_REKOR_PUBLIC_KEY: file('rekor.pub'),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: file('ctfe.pub'),
    SIGSTORE_ROOT_FILE: file('fulcio_chain.pem'),
    SIGSTORE_TSA_CERTIFICATE_FILE: file('tsa_chain.pem'),
  };
}

/** A file for `source`. */
export const environmentText = (dataDir: string, origins: Origins): string =>
  exportLines(environmentOf(dataDir, origins));

export const oldEnvironmentText = (dataDir: string): string => exportLines(oldEnvironmentOf(dataDir));

function exportLines(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return `${lines.join('\n')}\n`;
}

export const quoted = (text: string): string =>
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
