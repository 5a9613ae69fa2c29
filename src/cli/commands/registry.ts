/** `waybill registry collect|login|logout|whoami|hash-password`: what a registry and its users need beside images. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { durationOf } from '../duration.ts';
import { registerLogin } from '../registry-login.ts';
import { withStoreOption } from '../serve-registry.ts';

interface CollectFlags {
  readonly data: string;
  readonly store?: string;
  readonly keep?: string;
  readonly dryRun?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const registry = program.command('registry').description('log in to registries, and tidy one of ours up');
  const collect = registry
    .command('collect')
    .description('remove what nothing leads to from a registry of ours, while nobody serves from its folder')
    .requiredOption('--data <dir>', 'data directory of `waybill serve registry` or of a stack');
  withStoreOption(collect)
    .option(
      '--keep <duration>',
      'also untagged images pushed longer ago than this, with what is attached to them: 720h, 30d',
    )
    .option('--dry-run', 'only say what would go')
    .action((flags: CollectFlags) => collectImages(flags, context));
  registerLogin(registry, context);
}

async function collectImages(flags: CollectFlags, context: CliContext): Promise<void> {
  const { collectRegistry } = await import('#stack');
  const isTrial = flags.dryRun === true;
  const settings = {
    dataDir: resolve(context.cwd, flags.data),
    env: context.env,
    isTrial,
    ...(flags.store === undefined ? {} : { store: flags.store }),
    ...(flags.keep === undefined ? {} : { keptMs: durationOf('--keep', flags.keep) }),
  };
  const { manifests, blobs, removed } = await collectRegistry(settings, context);
  const value = { dryRun: isTrial, manifests, blobs, removed };
  context.result('waybill.dev/registry-collect/v1', value, () =>
    [
      ...manifests.map(({ repository, digest }) => `${repository}@${digest}`),
      isTrial
        ? `${manifests.length} manifests and ${blobs} blobs would go`
        : `${manifests.length} manifests and ${blobs} blobs let go, ${removed} files removed`,
    ].join('\n'),
  );
}
