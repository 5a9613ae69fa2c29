/** `waybill identity`: what a certificate would say, before anything is signed or public. */
import type { Command } from 'commander';
import type { IdentityClaims, IdentityPreview } from '#identity';
import type { CliContext } from '../context.ts';
import { plainLines } from '../render/plain.ts';

interface Options {
  readonly identityToken?: string;
  readonly oidcClientId: string;
  readonly oidcProvider?: string;
  readonly oidcDisableAmbientProviders?: boolean;
}

export function register(program: Command, context: CliContext): void {
  program
    .command('identity')
    .description('Shows what a certificate would say, before signing.')
    .option('--identity-token <token>', 'a token, or the path of a file with one')
    .option('--oidc-client-id <id>', 'audience the token must have', 'sigstore')
    .option(
      '--oidc-provider <name>',
      'ask this provider alone: github-actions, gitlab, buildkite-agent, circleci, codefresh, azure-pipelines, filesystem, spiffe, google, kubernetes',
    )
    .option('--oidc-disable-ambient-providers', 'ask no provider of the surroundings')
    .action((options: Options) => show(options, context));
}

async function show(options: Options, context: CliContext): Promise<void> {
  const { challengeOf, previewOf, readClaims, requireToken, requireUsable } = await import('#identity');
  const audience = options.oidcClientId;
  const { token, source } = await requireToken({
    env: context.env,
    transport: context.transport,
    cwd: context.cwd,
    audience,
    withoutAmbient: options.oidcDisableAmbientProviders === true,
    ...(options.identityToken === undefined ? {} : { given: options.identityToken }),
    ...(options.oidcProvider === undefined ? {} : { provider: options.oidcProvider }),
  });
  const claims = readClaims(token);
  requireUsable(claims, { now: context.clock.now(), audience });
  challengeOf(claims);
  const preview = previewOf(claims);
  const expiresAt = new Date(claims.expiresAt).toISOString();
  const json = { ok: true, source, ...preview, audience: claims.audience, expiresAt };
  context.result('waybill.dev/identity/v1', json, () => text(source, claims, preview));
}

function text(source: string, claims: IdentityClaims, preview: IdentityPreview): string {
  const seconds = new Date(claims.expiresAt).toISOString();
  return plainLines([
    `token from    ${source} (valid until ${seconds})`,
    `issuer        ${preview.issuer}`,
    `identity      ${preview.san} (${preview.sanType})`,
    ...Object.entries(preview.extensions).map(([name, value]) => `${name.padEnd(13)} ${value}`),
    '',
    'These lines become public and permanent in the certificate and the log when you sign.',
  ]);
}
