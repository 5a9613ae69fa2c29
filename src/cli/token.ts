/** The token to sign with: given, issued by the surroundings, or got by a person who signs in. Never in a pipeline. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import type { SigningConfig } from '#formats/signing-config';
import type { FoundToken } from '#identity';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

export interface TokenFlags {
  readonly identityToken?: string;
  readonly oidcClientId: string;
  readonly oidcDisableAmbientProviders?: boolean;
  readonly oidcProvider?: string;
  readonly oidcIssuer?: string;
  readonly oidcRedirectUrl?: string;
  readonly oidcClientSecretFile?: string;
  readonly fulcioAuthFlow?: string;
}

/** Throws WB-620 to WB-628 (exit 31). */
export async function tokenFor(
  flags: TokenFlags,
  signingConfig: SigningConfig | undefined,
  context: CliContext,
): Promise<FoundToken> {
  const { findToken, requirePerson } = await import('#identity');
  const found = await findToken({
    env: context.env,
    transport: context.transport,
    cwd: context.cwd,
    audience: flags.oidcClientId,
    withoutAmbient: flags.oidcDisableAmbientProviders === true,
    ...(flags.identityToken === undefined ? {} : { given: flags.identityToken }),
    ...(flags.oidcProvider === undefined ? {} : { provider: flags.oidcProvider }),
  });
  if (found !== undefined) return found;
  const { fulcioAuthFlow: flow } = flags;
  // Asked before anything is opened: a job that waits for a person waits for ever.
  requirePerson({
    env: context.env,
    isTerminal: context.isTerminal,
    ...(flow === undefined ? {} : { flow }),
  });
  return signedIn(flags, await issuerOf(flags, signingConfig, context), context);
}

async function issuerOf(
  { oidcIssuer }: TokenFlags,
  config: SigningConfig | undefined,
  { clock }: CliContext,
): Promise<string> {
  if (oidcIssuer !== undefined && URL.canParse(oidcIssuer)) return oidcIssuer;
  if (oidcIssuer === undefined && config !== undefined && config.oidcUrls.length > 0) {
    const { selectServices } = await import('#formats/signing-config');
    const [issuer] = unwrap(
      selectServices({
        services: config.oidcUrls,
        selector: { selector: 'ANY' },
        supportedVersions: [1],
        now: clock.now(),
      }),
    );
    return issuer.url;
  }
  throw fail(R.optionValue, {
    expected: '--oidc-issuer with a URL, or a signing config that names an issuer',
    actual: oidcIssuer ?? 'neither',
  });
}

async function signedIn(flags: TokenFlags, issuer: string, context: CliContext): Promise<FoundToken> {
  const { signIn } = await import('#identity');
  const { oidcRedirectUrl, oidcClientSecretFile } = flags;
  const token = await signIn({
    issuer,
    clientId: flags.oidcClientId,
    flow: flags.fulcioAuthFlow === 'device' ? 'device' : 'browser',
    transport: context.transport,
    tell: (text) => context.stderr(text),
    open: (url) => openBrowser(url, context.env),
    ...(oidcRedirectUrl === undefined ? {} : { redirectUrl: oidcRedirectUrl }),
    ...(oidcClientSecretFile === undefined
      ? {}
      : { clientSecret: await secretIn(resolve(context.cwd, oidcClientSecretFile)) }),
  });
  return { token, source: issuer };
}

async function secretIn(path: string): Promise<Secret> {
  const { readFileLimited } = await import('#platform/files');
  return new Secret(utf8Text(await readFileLimited(path, 4096)).trim());
}

/** Hands an address to whatever opens addresses here. False when there is no such program. */
function openBrowser(url: string, env: CliContext['env']): Promise<boolean> {
  const [program, ...args] =
    env['BROWSER'] !== undefined && env['BROWSER'] !== ''
      ? [env['BROWSER']]
      : ({
          darwin: ['open'],
          win32: ['rundll32', 'url.dll,FileProtocolHandler'],
        }[process.platform as string] ?? ['xdg-open']);
  return new Promise((done) => {
    const child = spawn(program as string, [...args, url], { env, stdio: 'ignore', detached: true });
    child.once('error', () => done(false));
    child.once('spawn', () => {
      child.unref();
      done(true);
    });
  });
}
