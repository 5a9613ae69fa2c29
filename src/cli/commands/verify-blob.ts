import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { requirementsFor } from '../identity-options.ts';
import { type BlobFlags, printBlob, verifiedBlob, withBlobOptions } from '../verify-blobs.ts';

interface Flags extends BlobFlags {
  readonly acceptAnyPredicate?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('verify-blob')
    .description('Verifies a signature over a file by the expected identity or key.');
  withBlobOptions(command).option(
    '--accept-any-predicate',
    'count any statement about the file as a signature, as cosign does with bundles',
  );
  command.action(async (file: string, flags: Flags) => {
    const requirements = await requirementsFor(flags, {}, context);
    const anyPredicate = flags.acceptAnyPredicate === true;
    const verified = await verifiedBlob(
      file,
      { kind: 'signature', requirements, anyPredicate },
      flags,
      context,
    );
    printBlob(verified, 'waybill.dev/verify-blob/v1', context);
  });
}
