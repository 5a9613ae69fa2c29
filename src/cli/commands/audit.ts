import type { Command } from 'commander';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { Lineage } from '#flows/lineage';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { lineageJson, renderLineage } from '../render/lineage.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

interface Flags extends TrustFlags, RegistryFlags {
  readonly auditUrl?: string;
}

export function register(program: Command, context: CliContext): void {
  const audit = program.command('audit').description('Asks the logs, and proves the answer.');
  const search = audit
    .command('search')
    .description(
      'Finds every log entry that speaks about an image: who signed, attested and built it, from what, when. ' +
        'Each entry is proven against the trusted root; the answer says how much of each log it covers.',
    )
    .argument('<digest-or-image>', 'sha256:… or a reference')
    .option('--audit-url <url>', 'audit service; default: the one of the stack');
  withRegistryOptions(addTrustOptions(search));
  search.action(async (given: string, flags: Flags) => {
    const [{ lineageOf }, { trustMaterial }, trust] = await Promise.all([
      import('#flows/lineage'),
      import('#verify'),
      loadTrustFor(flags, context),
    ]);
    const lineage = await lineageOf(await digestOf(given, flags, context), {
      auditUrl: flags.auditUrl ?? (await stackAuditUrl(flags, context)),
      trustedRoot: trustMaterial(trust.trustedRoot),
      transport: context.transport,
      clock: context.clock,
      random: context.random,
    });
    context.result('waybill.dev/audit-lineage/v1', lineageJson(lineage), () => renderLineage(lineage));
    if (lineage.steps.length === 0) context.exit(notProvenExit(lineage));
  });
}

/** Entries are there, but none can be proven: as if the proof had failed. */
const notProvenExit = (lineage: Lineage): number => lineage.unproven[0]?.reason.exit ?? 15;

async function digestOf(
  given: string,
  flags: Flags,
  context: CliContext,
): Promise<Parameters<typeof import('#flows/lineage').lineageOf>[0]> {
  const { parseDigest } = await import('#base/digest');
  if (/^sha(?:256|384|512):/.test(given)) return unwrap(parseDigest(given));
  const { resolveImage } = await import('#flows/resolve');
  return (await resolveImage(await registryFrom(flags, context, [given]), given)).digest;
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
