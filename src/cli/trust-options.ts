/** The options that say whom to trust: the same words for every verb that verifies or signs. */
import type { Command } from 'commander';
import type { Trust, TrustOptions } from '#trust';
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
    .option('--offline', 'open no connection for trust; use what the cache holds');
}

/** Loads the trusted root the flags and the environment name. */
export async function loadTrustFor(flags: TrustFlags, context: CliContext): Promise<Trust> {
  const { chooseTrust, loadTrust } = await import('#trust');
  return loadTrust(chooseTrust(flags, context.env), { transport: context.transport });
}
