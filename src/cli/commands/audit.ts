import type { Command } from 'commander';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { AuditQuery, Lineage } from '#flows/lineage';
import type { CliContext } from '../context.ts';
import { readInput } from '../input.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { lineageJson, renderLineage } from '../render/lineage.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

interface Flags extends TrustFlags, RegistryFlags {
  readonly auditUrl?: string;
  readonly identity?: string;
  readonly issuer?: string;
  readonly key: readonly string[];
}

export function register(program: Command, context: CliContext): void {
  const audit = program.command('audit').description('Asks the logs, and proves the answer.');
  const search = audit
    .command('search')
    .description(
      'Finds every log entry that speaks about an image, or that is by an identity: who signed, attested and ' +
        'built what, from what, when. Each entry is proven against the trusted root; the answer says how much ' +
        'of each log it covers.',
    )
    .argument('[digest-or-image]', 'sha256:… or a reference')
    .option('--identity <name>', 'only entries by this identity (a name in the certificate, any case)')
    .option('--issuer <url>', 'only entries by identities of this OIDC issuer')
    .option('--key <file>', 'believe signatures by this public key (repeatable)', collect, [])
    .option('--audit-url <url>', 'audit service; default: the one of the stack');
  withRegistryOptions(addTrustOptions(search));
  search.action(async (given: string | undefined, flags: Flags) => {
    const [{ searchLogs }, { trustMaterial }, trust] = await Promise.all([
      import('#flows/lineage'),
      import('#verify'),
      loadTrustFor(flags, context),
    ]);
    const lineage = await searchLogs(await queryOf(given, flags, context), {
      auditUrl: flags.auditUrl ?? (await stackAuditUrl(flags, context)),
      trustedRoot: trustMaterial(trust.trustedRoot),
      keys: await Promise.all(flags.key.map(readPublicKey)),
      transport: context.transport,
      clock: context.clock,
      random: context.random,
    });
    context.result('waybill.dev/audit-lineage/v1', lineageJson(lineage), () => renderLineage(lineage));
    if (lineage.steps.length === 0) context.exit(notProvenExit(lineage));
  });
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Entries are there, but none can be proven: as if the proof had failed. */
const notProvenExit = (lineage: Lineage): number => lineage.unproven[0]?.reason.exit ?? 15;

async function queryOf(given: string | undefined, flags: Flags, context: CliContext): Promise<AuditQuery> {
  const { identity, issuer } = flags;
  if (given === undefined && identity === undefined && issuer === undefined) {
    const expected = 'an image, a digest, --identity or --issuer';
    throw fail(R.optionValue, { expected, actual: 'none of them' });
  }
  return {
    ...(given === undefined ? {} : { digest: await digestOf(given, flags, context) }),
    ...(identity === undefined ? {} : { identity }),
    ...(issuer === undefined ? {} : { issuer }),
  };
}

async function digestOf(
  given: string,
  flags: Flags,
  context: CliContext,
): Promise<NonNullable<AuditQuery['digest']>> {
  const { parseDigest } = await import('#base/digest');
  if (/^sha(?:256|384|512):/.test(given)) return unwrap(parseDigest(given));
  const { resolveImage } = await import('#flows/resolve');
  return (await resolveImage(await registryFrom(flags, context, [given]), given)).digest;
}

async function readPublicKey(path: string): Promise<import('#base/crypto').PublicKey> {
  const [{ utf8Text }, { publicKeyFromPem }] = await Promise.all([
    import('#base/bytes'),
    import('#base/crypto'),
  ]);
  return unwrap(publicKeyFromPem(utf8Text(await readInput(path, 64 * 1024))));
}

async function stackAuditUrl(flags: Flags, context: CliContext): Promise<string> {
  const dir = flags.stack ?? context.env['WAYBILL_STACK'];
  if (dir === undefined) {
    throw fail(R.optionValue, {
      expected: 'an audit service',
      actual: 'none named',
      hint: 'give --audit-url URL or --stack DIR',
    });
  }
  const { requireState } = await import('#stack');
  return (await requireState(dir)).origins.audit;
}
