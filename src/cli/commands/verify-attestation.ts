import type { Command } from 'commander';
import { unwrap } from '#base/result';
import { addConditionOption, type ConditionFlags, conditionsFrom } from '../condition-options.ts';
import type { CliContext } from '../context.ts';
import { addIdentityOptions, type IdentityFlags, requirementsFor } from '../identity-options.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { addTrustOptions } from '../trust-options.ts';
import { type ImagesFlags, verifyAll, withImagesOptions } from '../verify-images.ts';

interface Flags extends IdentityFlags, ImagesFlags, ConditionFlags {
  readonly type: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('verify-attestation')
    .description('Verifies that images carry an attestation of a type by the expected identity.');
  const typed = withImagesOptions(command).option(
    '--type <type>',
    'predicate type: an alias of `waybill attest --type` or a URI',
    'custom',
  );
  addConditionOption(typed);
  withRegistryOptions(addTrustOptions(addIdentityOptions(command)));
  command.action(async (images: string[], flags: Flags) => {
    const { resolvePredicateType } = await import('#formats/intoto');
    const predicateType = unwrap(resolvePredicateType(flags.type));
    const requirements = await requirementsFor(flags, { predicateTypes: [predicateType] }, context);
    const conditions = await conditionsFrom(flags);
    const question = { requirements, ...(conditions === undefined ? {} : { conditions }) };
    await verifyAll(images, { kind: 'attestation', ...question }, flags, context);
  });
}
