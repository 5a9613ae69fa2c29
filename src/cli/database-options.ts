/** The options that say who may have signed the advisory database; the same words for `scan` and `db`. */
import type { Command } from 'commander';
import type { DatabaseTrust } from '#flows/scan-database';
import type { CliContext } from './context.ts';
import { type IdentityFlags, requirementsFor } from './identity-options.ts';
import { type TrustFlags, trustFor } from './trust-options.ts';

export interface DatabaseTrustFlags {
  readonly dbKey?: string;
  readonly dbCertificateIdentity?: string;
  readonly dbCertificateOidcIssuer?: string;
}

export function withDatabaseTrustOptions(command: Command): Command {
  return command
    .option('--db-key <file>', 'the database must be signed with this public key')
    .option('--db-certificate-identity <name>', 'the database must be signed by this identity')
    .option('--db-certificate-oidc-issuer <url>', 'issuer of that identity');
}

/** Undefined when the flags ask for no signer. */
export async function databaseTrustFor(
  flags: DatabaseTrustFlags & TrustFlags & Pick<IdentityFlags, 'insecureIgnoreTlog'>,
  context: CliContext,
): Promise<DatabaseTrust | undefined> {
  const { dbKey, dbCertificateIdentity, dbCertificateOidcIssuer } = flags;
  if ([dbKey, dbCertificateIdentity, dbCertificateOidcIssuer].every((one) => one === undefined))
    return undefined;
  const { DATABASE_PREDICATE } = await import('#flows/scan-database');
  const identity: IdentityFlags = {
    ...(dbKey === undefined ? {} : { key: dbKey }),
    ...(dbCertificateIdentity === undefined ? {} : { certificateIdentity: dbCertificateIdentity }),
    ...(dbCertificateOidcIssuer === undefined ? {} : { certificateOidcIssuer: dbCertificateOidcIssuer }),
    ...(flags.insecureIgnoreTlog === undefined ? {} : { insecureIgnoreTlog: flags.insecureIgnoreTlog }),
  };
  const requirements = await requirementsFor(identity, { predicateTypes: [DATABASE_PREDICATE] }, context);
  const { material } = await trustFor(flags, context, requirements);
  return { requirements, material, nowMs: context.clock.now() };
}
