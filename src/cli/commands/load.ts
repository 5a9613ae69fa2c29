/** `waybill load IMAGE --dir DIR`: from an OCI layout into a registry, with everything attached. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { withRegistryOptions } from '../registry-options.ts';
import { type CopyFlags, copy } from './copy.ts';

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('load')
    .description('push a layout directory with everything attached')
    .argument('<image>', 'reference to push to')
    .requiredOption('--dir <directory>', 'layout directory')
    .option('--source-tag <tag>', 'which image of the layout, when it holds several')
    .option('--without-attachments', 'leave signatures, attestations and other referrers behind');
  withRegistryOptions(command).action((image: string, flags: LoadFlags) => {
    const tag = flags.sourceTag === undefined ? '' : `:${flags.sourceTag}`;
    return copy(`oci:${flags.dir}${tag}`, image, flags, context);
  });
}

interface LoadFlags extends CopyFlags {
  readonly dir: string;
  readonly sourceTag?: string;
}
