/** The options that say whom to trust: the same words for every verb that verifies or signs. */
import type { Command } from 'commander';
import type { Trust, TrustOptions } from '#trust';
import type { Requirements, TrustMaterial } from '#verify';
import type { CliContext } from './context.ts';

export type TrustFlags = TrustOptions;

export function addTrustOptions(command: Command): Command {
  return command
    .option('--trusted-root <file>', 'trusted_root.json to verify against')
    .option('--trust-config <file>', 'ClientTrustConfig: trusted root and signing config in one file')
    .option('--stack <dir>', 'data directory of `waybill stack up` (also WAYBILL_STACK)')
    .option('--tuf-mirror <url>', 'TUF repository to take the trusted root from (also TUF_MIRROR)')
    .option('--tuf-root <file>', 'TUF root to start from (also TUF_ROOT_JSON)')
    .option('--root-checksum <hex>', 'SHA-256 or SHA-512 that --tuf-root must have')
    .option('--cache-dir <dir>', 'where verified TUF metadata is kept')
    .option('--trust <name>', 'trust profile (also WAYBILL_TRUST; see `waybill trust list`)')
    .option('--offline', 'open no connection for trust; use what the cache holds');
}

/** Loads the trusted root the flags and the environment name. */
export async function loadTrustFor(flags: TrustFlags, context: CliContext): Promise<Trust> {
  const { requireTrustSource, loadTrust } = await import('#trust');
  return loadTrust(await requireTrustSource(flags, context.env), { transport: context.transport });
}

/** Trust ready for the verifier. */
export interface UsedTrust {
  readonly material: TrustMaterial;
  readonly hash: string;
  /** For results; absent when a key needed no trusted root. */
  readonly named?: { readonly origin: string; readonly sha256: string };
}

/** As `loadTrustFor`; a key without log and time can be verified without any trusted root. */
export async function trustFor(
  flags: TrustFlags,
  context: CliContext,
  { signer, tlog, time }: Requirements,
): Promise<UsedTrust> {
  const needsNone = signer.kind === 'key' && tlog.kind === 'notRequiredUnsafe' && time.kind === 'notRequired';
  const [{ trustSource }, { noTrustMaterial, trustMaterial }] = await Promise.all([
    import('#trust'),
    import('#verify'),
  ]);
  if (needsNone && (await trustSource(flags, context.env)) === undefined) {
    return { material: noTrustMaterial, hash: 'none' };
  }
  const { trustedRoot, trustedRootSha256: sha256, origin } = await loadTrustFor(flags, context);
  return { material: trustMaterial(trustedRoot), hash: sha256, named: { origin, sha256 } };
}
