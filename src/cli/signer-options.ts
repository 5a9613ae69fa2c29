/** The options that say who signs and by which services: the same words for images and for files. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { KeyKind } from '#base/crypto';
import { fail } from '#base/reason';
import type { Transport } from '#platform/http-client';
import type { ContentKey, KeyAlgorithm, Signer, SignerOptions, SigningServices } from '#sign';
import type { Trust } from '#trust';
import type { CliContext } from './context.ts';
import { ownCertificate, type SignerTrust, trustIn } from './own-certificate.ts';
import { passwordToOpen } from './password.ts';
import { R } from './reasons.ts';
import { tokenFor } from './token.ts';
import { loadTrustFor, type TrustFlags } from './trust-options.ts';

export interface SignerFlags extends TrustFlags {
  readonly key?: string;
  readonly identityToken?: string;
  readonly oidcClientId: string;
  readonly oidcDisableAmbientProviders?: boolean;
  readonly oidcProvider?: string;
  readonly oidcIssuer?: string;
  readonly oidcRedirectUrl?: string;
  readonly oidcClientSecretFile?: string;
  readonly fulcioAuthFlow?: string;
  readonly signingAlgorithm?: string;
  readonly logVersion?: string;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  readonly timestampServerUrl?: string;
  readonly timestampClientCacert?: string;
  readonly timestampClientCert?: string;
  readonly timestampClientKey?: string;
  readonly timestampServerName?: string;
  readonly tlogUpload: boolean;
  readonly certificate?: string;
  readonly certificateChain?: string;
  readonly issueCertificate?: boolean;
}

/** cosign's names for the kinds of keys. */
export const keyAlgorithms: Readonly<Record<string, KeyAlgorithm>> = {
  'ecdsa-sha2-256-nistp256': { kind: 'p256' },
  'ecdsa-sha2-384-nistp384': { kind: 'p384' },
  'ecdsa-sha2-512-nistp521': { kind: 'p521' },
  'rsa-sign-pkcs1-2048-sha256': { kind: 'rsa', bits: 2048 },
  'rsa-sign-pkcs1-3072-sha256': { kind: 'rsa', bits: 3072 },
  'rsa-sign-pkcs1-4096-sha256': { kind: 'rsa', bits: 4096 },
  'ed25519-ph': { kind: 'ed25519' },
};

/** No certificate authority certifies keys of Ed25519ph. */
const certifiable = Object.keys(keyAlgorithms).filter((name) => name !== 'ed25519-ph');

export function addSignerOptions(command: Command): Command {
  return command
    .option('--key <key>', 'key file (password in COSIGN_PASSWORD), or PLUGIN://REFERENCE')
    .option('--certificate <file>', 'PEM certificate that some authority issued for --key')
    .option('--certificate-chain <file>', 'its issuers in PEM, the one that is trusted last')
    .option('--issue-certificate', 'let the authority certify --key for an identity')
    .option('--identity-token <token>', 'OIDC token or a file with it (also SIGSTORE_ID_TOKEN, CI providers)')
    .option('--oidc-client-id <id>', 'audience the token must have', 'sigstore')
    .option('--oidc-provider <name>', 'ask only this provider of the surroundings: see waybill identity')
    .option('--oidc-disable-ambient-providers', 'ask no provider of the surroundings')
    .addOption(
      new Option(
        '--fulcio-auth-flow <flow>',
        'how a person signs in: a browser here, or a code typed elsewhere',
      ).choices(['normal', 'device', 'token']),
    )
    .option('--oidc-issuer <url>', 'where a person signs in, instead of the one of the signing config')
    .option('--oidc-redirect-url <url>', 'where the issuer sends the browser back, on this machine')
    .option('--oidc-client-secret-file <file>', 'secret of the client, for issuers that want one')
    .addOption(
      new Option('--signing-algorithm <name>', 'of the key made for a certificate').choices(certifiable),
    )
    .option('--signing-config <file>', 'signing_config.v0.2.json: which services to use')
    .option('--fulcio-url <url>', 'certificate authority, instead of a signing config')
    .option('--rekor-url <url>', 'transparency log, instead of a signing config')
    .option('--timestamp-server-url <url>', 'timestamp authority (the whole address of its requests)')
    .option('--timestamp-client-cacert <file>', 'PEM authorities, the only ones its certificate may be of')
    .option('--timestamp-client-cert <file>', 'PEM certificate it is shown, instead of --client-cert')
    .option('--timestamp-client-key <file>', 'its private key')
    .option('--timestamp-server-name <name>', 'name in its certificate, where it is another')
    .addOption(new Option('--log-version <n>', 'use only logs of this API version').choices(['1', '2']))
    .option('--no-tlog-upload', 'log nothing: convinces only who gives the log up (the result says so)')
    .option('-y, --yes', 'accepted for compatibility; nothing is asked');
}

export interface SignerTools {
  readonly signer: Signer;
  /** Of the key that signs: it decides which hash is signed. */
  readonly keyKind: KeyKind;
  readonly trust: SignerTrust;
  /** For people: where the token came from, or the key file. */
  readonly by: string;
}

/** The signer the flags and the environment describe. */
export async function signerFrom(flags: SignerFlags, context: CliContext): Promise<SignerTools> {
  const [{ createSigner }, found] = await Promise.all([import('#sign'), trustOf(flags, context)]);
  const { clock, random, transport } = context;
  const services = await servicesOf(flags, found, context);
  const { identity, by } = await identityFor(flags, found, context);
  const trust = trustIn(found, identity);
  const signer = createSigner({
    identity,
    services,
    tsaTransport: timestampTransport(flags, context),
    unloggedUnsafe: !flags.tlogUpload,
    trustedRoot: trust.trustedRoot,
    transport,
    clock,
    random,
  });
  if (!flags.tlogUpload) context.progress('warning: nothing is logged; verifiers must give the log up');
  const keyKind =
    identity.kind === 'key'
      ? identity.key.publicKey.kind
      : (identity.key?.publicKey.kind ?? identity.keyAlgorithm?.kind ?? 'p256');
  return { signer, keyKind, trust, by };
}

/** The transport of every request, or one for timestamp authorities alone. Throws WB-1305. */
function timestampTransport(flags: SignerFlags, context: CliContext): Transport {
  const { timestampClientCacert: ca, timestampClientCert: cert, timestampClientKey: key } = flags;
  const { timestampServerName: serverName } = flags;
  if ((cert === undefined) !== (key === undefined)) {
    const actual = cert === undefined ? '--timestamp-client-key alone' : '--timestamp-client-cert alone';
    throw fail(R.optionValue, { expected: '--timestamp-client-cert with --timestamp-client-key', actual });
  }
  if ((ca ?? cert ?? serverName) === undefined) return context.transport;
  const at = (file: string): string => resolve(context.cwd, file);
  const tls = {
    ...(ca === undefined ? {} : { onlyCaFile: at(ca) }),
    ...(cert === undefined || key === undefined ? {} : { client: { certFile: at(cert), keyFile: at(key) } }),
    ...(serverName === undefined ? {} : { serverName }),
  };
  return context.transportFor(tls);
}

/** A key that asks no service is verified without any trusted root, where none is named. */
async function trustOf(flags: SignerFlags, context: CliContext): Promise<SignerTrust> {
  const asksNone = flags.key !== undefined && !flags.tlogUpload && flags.timestampServerUrl === undefined;
  if (asksNone) {
    const { trustSource } = await import('#trust');
    if ((await trustSource(flags, context.env)) === undefined)
      return { origin: 'nothing', trustedRoot: noRoot };
  }
  return loadTrustFor(flags, context);
}

const noRoot: Trust['trustedRoot'] = {
  mediaType: '',
  tlogs: [],
  ctlogs: [],
  certificateAuthorities: [],
  timestampAuthorities: [],
  unsupported: [],
};

async function servicesOf(
  flags: SignerFlags,
  trust: SignerTrust,
  context: CliContext,
): Promise<SigningServices> {
  const named = namedServices(flags);
  if (named !== undefined) {
    if (flags.signingConfig === undefined) return named;
    throw fail(R.optionValue, { expected: 'service URLs or --signing-config', actual: 'both' });
  }
  // A key needs neither an authority nor, here, a log: nothing has to be named.
  if (trust.signingConfig === undefined && flags.key !== undefined && !flags.tlogUpload) {
    return { logs: [], tsas: [] };
  }
  if (trust.signingConfig === undefined) {
    throw fail(R.optionValue, {
      expected: 'a signing config',
      actual: `${trust.origin} has none`,
      hint: 'give --signing-config FILE, --trust-config FILE, --stack DIR, or the URLs of the services',
    });
  }
  const { servicesFrom } = await import('#sign');
  const { logVersion, tlogUpload } = flags;
  const { rekorTlogUrls: logs } = trust.signingConfig;
  if (
    tlogUpload &&
    logVersion !== undefined &&
    !logs.some((one) => one.majorApiVersion === Number(logVersion))
  ) {
    const versions = [...new Set(logs.map((one) => one.majorApiVersion))].join(', ') || 'none';
    throw fail(R.optionValue, {
      expected: `a signing config with a log of API version ${logVersion}`,
      actual: `${trust.origin}: version ${versions}`,
      hint: 'give the other one by --signing-config; stacks publish signing_config_rekor_v2.v0.2.json for version 2',
    });
  }
  const services = servicesFrom(trust.signingConfig, {
    now: context.clock.now(),
    random: context.random,
    ...(logVersion === undefined ? {} : { logVersions: [Number(logVersion) as 1 | 2] }),
  });
  return tlogUpload ? services : { ...services, logs: [] };
}

/** The services that are named one by one; undefined when none is. */
function namedServices(flags: SignerFlags): SigningServices | undefined {
  const { fulcioUrl, rekorUrl, timestampServerUrl, tlogUpload, logVersion } = flags;
  const urls = {
    '--fulcio-url': fulcioUrl,
    '--rekor-url': rekorUrl,
    '--timestamp-server-url': timestampServerUrl,
  };
  for (const [name, url] of Object.entries(urls)) {
    if (url !== undefined && !/^https?:\/\/[^/]/.test(url)) {
      throw fail(R.optionValue, {
        expected: `${name} with an http or https URL`,
        actual: JSON.stringify(url),
      });
    }
  }
  if (Object.values(urls).every((url) => url === undefined)) return undefined;
  return {
    ...(fulcioUrl === undefined ? {} : { ca: fulcioUrl }),
    logs:
      rekorUrl === undefined || !tlogUpload ? [] : [{ url: rekorUrl, version: logVersion === '2' ? 2 : 1 }],
    tsas: timestampServerUrl === undefined ? [] : [timestampServerUrl],
  };
}

async function identityFor(
  flags: SignerFlags,
  trust: SignerTrust,
  context: CliContext,
): Promise<{ identity: SignerOptions['identity']; by: string }> {
  // What does not go together is said before a key file is opened and a password asked for.
  const isKeyAlone = flags.key !== undefined && flags.issueCertificate !== true;
  if (isKeyAlone) refuseBesideKey(flags);
  else refuseWithoutKey(flags);
  const key = flags.key === undefined ? undefined : await contentKeyFrom(flags.key, context);
  if (key !== undefined && isKeyAlone) {
    const own = await ownCertificate(flags, key, trust, context);
    const certified = own === undefined ? {} : { certified: own };
    return { identity: { kind: 'key', key, ...certified }, by: `the key ${flags.key}` };
  }
  const found = await tokenFor(flags, trust.signingConfig, context);
  const keyAlgorithm = keyAlgorithms[flags.signingAlgorithm ?? ''];
  return {
    identity: {
      kind: 'token',
      token: found.token,
      audience: flags.oidcClientId,
      ...(keyAlgorithm === undefined ? {} : { keyAlgorithm }),
      ...(key === undefined ? {} : { key }),
    },
    by: `a token from ${found.source}`,
  };
}

function refuseWithoutKey({ key, certificate, certificateChain }: SignerFlags): void {
  const given = certificate === undefined ? certificateChain && '--certificate-chain' : '--certificate';
  if (given === undefined) return;
  const actual = key === undefined ? `${given} alone` : `${given} with --issue-certificate`;
  throw fail(R.optionValue, { expected: `${given} with --key FILE`, actual });
}

/** What only a certificate has is not dropped without a word. */
function refuseBesideKey({ identityToken, oidcProvider, signingAlgorithm }: SignerFlags): void {
  const others = {
    '--identity-token': identityToken,
    '--oidc-provider': oidcProvider,
    '--signing-algorithm': signingAlgorithm,
  };
  const stray = Object.entries(others).find(([, value]) => value !== undefined)?.[0];
  if (stray === undefined) return;
  throw fail(R.optionValue, {
    expected: '--key, or a certificate for an identity',
    actual: `--key and ${stray}`,
  });
}

/** The key of a file, under the password of the environment, or behind a plugin: `NAME://REFERENCE`. */
export async function contentKeyFrom(text: string, context: CliContext): Promise<ContentKey> {
  const [{ contentKey, isPluginKey, pluginKey, readPrivateKey }, { readFileLimited }, { utf8Text }] =
    await Promise.all([import('#sign'), import('#platform/files'), import('#base/bytes')]);
  if (isPluginKey(text)) return pluginKey(text, { env: context.env });
  const pem = utf8Text(await readFileLimited(resolve(context.cwd, text), KEY_FILE_BYTES_MAX));
  return contentKey(await readPrivateKey(pem, await passwordToOpen(text, context)));
}

export const KEY_FILE_BYTES_MAX = 64 * 1024;
