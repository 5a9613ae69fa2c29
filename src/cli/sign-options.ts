/** The options of everything that signs, and the signer they make. */
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import type { SignatureFormat, SignImageDeps } from '#flows/sign-image';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { type RegistryFlags, registryFrom } from './registry-options.ts';
import { loadTrustFor, type TrustFlags } from './trust-options.ts';

export interface SignFlags extends TrustFlags, RegistryFlags {
  readonly key?: string;
  readonly identityToken?: string;
  readonly format: SignatureFormat;
  readonly oidcClientId: string;
  readonly logVersion?: string;
}

export function addSignOptions(command: Command): Command {
  return command
    .option('--key <file>', 'sign with this key (cosign key file or PEM; password in COSIGN_PASSWORD)')
    .option(
      '--identity-token <token>',
      'OIDC token, or a file with it (also SIGSTORE_ID_TOKEN, CI providers)',
    )
    .option('--oidc-client-id <id>', 'audience the token must have', 'sigstore')
    .option('--signing-config <file>', 'signing_config.v0.2.json: which services to use')
    .addOption(
      new Option('--format <layout>', 'where the result is found: OCI referrers, cosign’s tags, or both')
        .choices(['bundle', 'legacy', 'both'])
        .default('bundle'),
    )
    .addOption(new Option('--log-version <n>', 'use only logs of this API version').choices(['1', '2']))
    .option('-y, --yes', 'accepted for compatibility; nothing is asked');
}

export interface SigningTools extends SignImageDeps {
  /** For people: where the token came from, or the key file. */
  readonly by: string;
}

/** Everything a signing flow needs, built from the flags. */
export async function signingTools(
  flags: SignFlags,
  context: CliContext,
  given: string,
): Promise<SigningTools> {
  const [{ trustMaterial }, { createSigner, servicesFrom }, trust, registry] = await Promise.all([
    import('#verify'),
    import('#sign'),
    loadTrustFor(flags, context),
    registryFrom(flags, context, [given]),
  ]);
  if (trust.signingConfig === undefined) {
    throw fail(R.optionValue, {
      expected: 'a signing config',
      actual: `${trust.origin} has none`,
      hint: 'give --signing-config FILE, --trust-config FILE or --stack DIR',
    });
  }
  const { clock, random, transport } = context;
  const services = servicesFrom(trust.signingConfig, {
    now: clock.now(),
    random,
    ...(flags.logVersion === undefined ? {} : { logVersions: [Number(flags.logVersion) as 1 | 2] }),
  });
  const { identity, by } = await identityFor(flags, context);
  const signer = createSigner({
    identity,
    services,
    trustedRoot: trust.trustedRoot,
    transport,
    clock,
    random,
  });
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  return {
    registry,
    signer,
    by,
    clock,
    trustedRoot: trustMaterial(trust.trustedRoot),
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
  };
}

type SignerIdentity = Parameters<typeof import('#sign').createSigner>[0]['identity'];

async function identityFor(
  flags: SignFlags,
  context: CliContext,
): Promise<{ identity: SignerIdentity; by: string }> {
  if (flags.key !== undefined) {
    const { readPrivateKey } = await import('#sign');
    const { readFileLimited } = await import('#platform/files');
    const { utf8Text } = await import('#base/bytes');
    const password = context.env['COSIGN_PASSWORD'];
    const pem = utf8Text(await readFileLimited(flags.key, 64 * 1024));
    const key = await readPrivateKey(pem, password === undefined ? undefined : new Secret(password));
    return { identity: { kind: 'key', key }, by: `the key ${flags.key}` };
  }
  const { requireToken } = await import('#identity');
  const found = await requireToken({
    env: context.env,
    transport: context.transport,
    cwd: context.cwd,
    audience: flags.oidcClientId,
    ...(flags.identityToken === undefined ? {} : { given: flags.identityToken }),
  });
  const identity = { kind: 'token', token: found.token, audience: flags.oidcClientId } as const;
  return { identity, by: `a token from ${found.source}` };
}

/** `-a key=value`, as often as wanted; the same key twice is refused. */
export function annotationsFrom(pairs: readonly string[]): Record<string, string> {
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at);
    if (at <= 0 || Object.hasOwn(out, key)) {
      throw fail(R.optionValue, { expected: 'key=value with each key once', actual: `-a ${pair}` });
    }
    out[key] = pair.slice(at + 1);
  }
  return { ...out };
}

/** Collects a repeatable option. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];
