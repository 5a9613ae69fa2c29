/** `waybill save IMAGE --dir DIR`: into an OCI layout that carries everything across an air gap. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { type CopyFlags, copy } from './copy.ts';

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('save')
    .description('write an image with everything attached to a layout directory')
    .argument('<image>', 'reference')
    .requiredOption('--dir <directory>', 'layout directory; made when it is not there, added to when it is')
    .option('--platform <os/arch>', "save only this platform's image of an index")
    .option('--without-attachments', 'leave signatures, attestations and other referrers behind');
  withRegistryOptions(command).action((image: string, flags: CopyFlags & { readonly dir: string }) =>
    copy(image, `oci:${flags.dir}`, flags, context),
  );
}
