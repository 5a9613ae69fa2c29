import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addIdentityOptions, type IdentityFlags, requirementsFor } from '../identity-options.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { annotationsFrom, collect } from '../sign-options.ts';
import { addTrustOptions } from '../trust-options.ts';
import { type ImagesFlags, verifyAll, withImagesOptions } from '../verify-images.ts';

interface Flags extends IdentityFlags, ImagesFlags {
  readonly annotations: readonly string[];
  readonly acceptAnyPredicate?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('verify')
    .description('Verifies that images carry a signature by the expected identity. All images are judged.');
  withImagesOptions(command)
    .option('-a, --annotations <key=value>', 'annotation the signature must carry', collect, [])
    .option('--accept-any-predicate', 'count any attestation as a signature, as cosign does with bundles');
  withRegistryOptions(addTrustOptions(addIdentityOptions(command)));
  command.action(async (images: string[], flags: Flags) => {
    const { COSIGN_SIGN_V1 } = await import('#formats/intoto');
    const requirements = await requirementsFor(
      flags,
      {
        annotations: annotationsFrom(flags.annotations),
        ...(flags.acceptAnyPredicate === true ? {} : { predicateTypes: [COSIGN_SIGN_V1] }),
      },
      context,
    );
    await verifyAll(images, { kind: 'signature', requirements }, flags, context);
  });
}
