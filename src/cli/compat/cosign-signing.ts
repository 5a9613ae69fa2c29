/** What cosign's four signing commands share: their flags, the rules between them, and the words they become. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { plainLine } from '../render/plain.ts';
import { cosignRule } from './cosign-common.ts';
import { type FlagSpec, readFlags } from './cosign-flags.ts';
import type { NativeRun } from './native.ts';

export interface SigningFlags {
  readonly key?: string;
  readonly signingConfig?: string;
  readonly useSigningConfig?: boolean;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  readonly timestampServerUrl?: string;
  readonly tlogUpload: boolean;
  readonly newBundleFormat: boolean;
  readonly bundle?: string;
  readonly trustedRoot?: string;
  readonly outputSignature?: string;
  readonly outputCertificate?: string;
}

const same = 'as in cosign';
const notHere = 'use a key file or a key plugin: --key NAME://REFERENCE';
const idle = 'accepted, has no effect';

export const signingFlags: readonly FlagSpec[] = [
  { flags: '-y, --yes', help: idle },
  { flags: '--key <key>', help: 'key file, or PLUGIN://REFERENCE' },
  { flags: '--identity-token <token>', help: 'OIDC token or a file with it' },
  { flags: '--oidc-client-id <id>', help: 'audience of the token' },
  { flags: '--oidc-issuer <url>', help: 'issuer to sign in with (cosign 2)' },
  { flags: '--oidc-provider <name>', help: 'provider of the token' },
  { flags: '--oidc-redirect-url <url>', help: 'where the issuer sends the browser back' },
  { flags: '--oidc-client-secret-file <file>', help: 'secret of the client' },
  { flags: '--oidc-disable-ambient-providers', help: 'ask no CI provider' },
  { flags: '--fulcio-auth-flow <flow>', help: 'normal, device or token' },
  { flags: '--fulcio-url <url>', help: 'certificate authority (cosign 2)' },
  { flags: '--rekor-url <url>', help: 'transparency log (cosign 2)' },
  { flags: '--timestamp-server-url <url>', help: 'timestamp authority (cosign 2)' },
  { flags: '--trusted-root <file>', help: same },
  { flags: '--signing-config <file>', help: same },
  { flags: '--use-signing-config', help: 'services of a signing config (default)', isOn: true },
  { flags: '--tlog-upload', help: 'log the signature (default)', isOn: true },
  { flags: '--new-bundle-format', help: 'write a bundle (default)', isOn: true },
  { flags: '--bundle <file>', help: same },
  { flags: '--output-signature <file>', help: 'write the signature (cosign 2)' },
  { flags: '--output-certificate <file>', help: 'write the certificate (cosign 2)' },
  { flags: '--insecure-skip-verify', help: idle },
  { flags: '--certificate <file>', help: 'certificate of --key' },
  { flags: '--certificate-chain <file>', help: 'its issuers, the one that is trusted last' },
  { flags: '--issue-certificate', help: 'let the authority certify --key (cosign 2)' },
  { flags: '--sk', help: same, instead: notHere },
  { flags: '--slot <slot>', help: same, instead: notHere },
  { flags: '--timestamp-client-cacert <file>', help: 'the only authorities of the timestamp authority' },
  { flags: '--timestamp-client-cert <file>', help: 'certificate it is shown' },
  { flags: '--timestamp-client-key <file>', help: 'its private key' },
  { flags: '--timestamp-server-name <name>', help: 'name in its certificate' },
];

/** cosign 3 takes both names and logs an envelope as dsse whichever is given. */
export const entryType: FlagSpec = {
  flags: '--rekor-entry-type <type>',
  help: 'dsse or intoto; dsse is logged',
};

export function checkEntryType({
  rekorEntryType: type = 'dsse',
}: {
  readonly rekorEntryType?: string;
}): void {
  if (type !== 'dsse' && type !== 'intoto') throw cosignRule('unknown value for rekor-entry-type');
}

/** The flags as given, those that are on unless `=false` included. Throws WB-1311 for one that is refused. */
export function readSigningFlags<F extends SigningFlags>(
  command: Command,
  specs: readonly FlagSpec[],
  context: CliContext,
): F {
  const on = specs
    .filter(({ isOn }) => isOn === true)
    .map(({ flags }) => [new Option(flags).attributeName(), true] as const);
  const given = Object.entries(readFlags<object>(command, specs, context)).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries([...on, ...given]) as unknown as F;
}

/** Flags that a native signing verb has under the same name. */
const passed = [
  'key',
  'certificate',
  'certificateChain',
  'issueCertificate',
  'identityToken',
  'oidcClientId',
  'oidcIssuer',
  'oidcProvider',
  'oidcRedirectUrl',
  'oidcClientSecretFile',
  'oidcDisableAmbientProviders',
  'fulcioAuthFlow',
  'fulcioUrl',
  'rekorUrl',
  'timestampServerUrl',
  'timestampClientCacert',
  'timestampClientCert',
  'timestampClientKey',
  'timestampServerName',
  'trustedRoot',
  'signingConfig',
] as const;

/** The same of the verbs that talk to a registry. */
export const passedToRegistry = [
  'allowHttpRegistry',
  'registryUsername',
  'registryPassword',
  'registryToken',
  'attachmentTagPrefix',
  'registryClientCert',
  'registryClientKey',
  'registryServerName',
  'allowInsecureRegistry',
  'k8sKeychain',
] as const;

/**
 * Gives `body` the words for the native verb; `names` are the flags it has beside those of every signing verb.
 * Trust is taken from where cosign takes it.
 */
export async function withSigningWords(
  flags: SigningFlags,
  names: readonly string[],
  context: CliContext,
  body: (words: readonly string[]) => Promise<void>,
): Promise<void> {
  checkServices(flags);
  const words = wordsOf(flags, [...passed, ...names]);
  if (!flags.tlogUpload) words.push('--no-tlog-upload');
  if (flags.trustedRoot !== undefined) return body(words);
  const { namedRoot } = await import('./cosign-trust.ts');
  const root = await namedRoot(context);
  if (root !== undefined) return withFile(root, (file) => body([...words, `--trusted-root=${file}`]));
  const { initialized } = await import('./cosign-trust.ts');
  await body([...words, ...wordsOf((await initialized(context)) ?? {}, ['tufMirror', 'tufRoot'])]);
}

async function withFile(bytes: Uint8Array, body: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-trust-'));
  try {
    await writeFile(join(folder, 'trusted_root.json'), bytes);
    await body(join(folder, 'trusted_root.json'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `{oidcIssuer: 'x'}` → `--oidc-issuer=x`; what is absent or false is left out, lists are repeated. */
export function wordsOf(flags: object, names: readonly string[]): string[] {
  const given = new Map(Object.entries(flags as Readonly<Record<string, unknown>>));
  return names.flatMap((name) => {
    const word = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const value = given.get(name);
    if (value === undefined || value === false) return [];
    if (value === true) return [word];
    return [value].flat().map((one) => `${word}=${String(one)}`);
  });
}

/** cosign's rules about where the services come from, in its words. Naming one is cosign 2's way of saying so. */
function checkServices({
  signingConfig,
  fulcioUrl,
  rekorUrl,
  timestampServerUrl,
  tlogUpload,
}: SigningFlags): void {
  if (signingConfig === undefined) return;
  if ((fulcioUrl ?? rekorUrl ?? timestampServerUrl) !== undefined) {
    throw cosignRule('cannot specify service URLs and use signing config');
  }
  if (!tlogUpload) {
    throw cosignRule('--tlog-upload=false is not supported with --signing-config or --use-signing-config');
  }
}

/** cosign ends every failed signing command with 1. False when it failed, and that was told. */
export function reportSigned({ exit, reason, messages }: NativeRun, context: CliContext): boolean {
  if (exit === 0) return true;
  const text =
    reason === undefined
      ? messages.join('\n')
      : plainLine(
          `${reason.check} (${reason.code}): expected ${reason.expected}, got ${reason.actual}; ${reason.hint}`,
        );
  context.stderr(`Error: ${text}`);
  context.exit(1);
  return false;
}

/** `registry/repository@sha256:…` and `registry/repository:tag` → `registry/repository`, as cosign tells it. */
export const repositoryOf = (place: string): string => place.replace(/(?:@[^/]*|:[^/]*)$/, '');
