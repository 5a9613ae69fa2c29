import type { Command } from 'commander';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { addConditionOption, type ConditionFlags, conditionsFrom } from '../condition-options.ts';
import type { CliContext } from '../context.ts';
import { requirementsFor } from '../identity-options.ts';
import { type BlobFlags, printBlob, verifiedBlob, withBlobOptions } from '../verify-blobs.ts';

interface Flags extends BlobFlags, ConditionFlags {
  readonly type: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('verify-blob-attestation')
    .description('Verifies a statement of a type about a file by the expected identity or key.');
  withBlobOptions(command).option(
    '--type <type>',
    'predicate type: an alias of `waybill attest --type` or a URI',
    'custom',
  );
  addConditionOption(command);
  command.action(async (file: string, flags: Flags) => {
    const { resolvePredicateType } = await import('#formats/intoto');
    const predicateTypes = [unwrap(resolvePredicateType(flags.type))];
    const requirements = await requirementsFor(flags, { predicateTypes }, context);
    const conditions = await conditionsFrom(flags);
    const verified = await verifiedBlob(file, { kind: 'attestation', requirements }, flags, context);
    const why = conditions?.fault(verified.accepted.statement);
    if (why !== undefined) throw new WaybillError(why);
    printBlob(verified, 'waybill.dev/verify-blob-attestation/v1', context);
  });
}
