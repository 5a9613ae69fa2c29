import type { Command } from 'commander';
import { unwrap } from '#base/result';
import type { CliContext } from '../context.ts';
import { addIdentityOptions, type IdentityFlags, requirementsFor } from '../identity-options.ts';
import { type RegistryFlags, withRegistryOptions } from '../registry-options.ts';
import { addTrustOptions, type TrustFlags } from '../trust-options.ts';
import { verifyAll } from '../verify-images.ts';

interface Flags extends IdentityFlags, TrustFlags, RegistryFlags {
  readonly type: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('verify-attestation')
    .description('Verifies that images carry an attestation of a type by the expected identity.')
    .argument('<image...>', 'registry/repository@sha256:…, a tag, or oci:DIR')
    .option('--type <type>', 'predicate type: an alias of `waybill attest --type` or a URI', 'custom');
  withRegistryOptions(addTrustOptions(addIdentityOptions(command)));
  command.action(async (images: string[], flags: Flags) => {
    const { resolvePredicateType } = await import('#formats/intoto');
    const predicateType = unwrap(resolvePredicateType(flags.type));
    const requirements = await requirementsFor(flags, { predicateTypes: [predicateType] }, context);
    await verifyAll(images, { kind: 'attestation', requirements }, flags, context);
  });
}
