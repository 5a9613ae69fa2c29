/** `waybill serve registry`, and what `waybill registry collect` shares with it. */
import type { Command } from 'commander';
import { durationOf } from './duration.ts';
import { optional, plain, type Station, text } from './serve-station-flags.ts';

export const registryStation: Station = {
  name: 'registry',
  description: 'Serves an OCI registry (distribution-spec 1.1).',
  port: 8086,
  addOptions: (command) =>
    withStoreOption(command)
      .option(
        '--tokens <file>',
        'who may do what in which repository; without it whoever may write may do all',
      )
      .option('--public-url <url>', 'where clients reach it, when a proxy stands before it')
      .option('--empty-registry', 'begin anew: only when what this registry held is lost for good')
      .option('--no-delete', 'answer no DELETE')
      .option('--immutable-tags', 'move no tag')
      .option('--keep-untagged <duration>', 'collect what nothing leads to, so long after its push')
      .option('--collect-every <duration>', 'how often what is no longer used is removed', '1h'),
  parts: async (flags, deps, context) => {
    const { registryParts } = await import('#stack');
    const kept = plain(flags, 'keepUntagged');
    return registryParts(
      {
        ...optional('tokensFile', text(flags, 'tokens', context)),
        ...optional('publicUrl', plain(flags, 'publicUrl')),
        isDeletionOff: flags['delete'] === false,
        isEmptied: flags['emptyRegistry'] === true,
        hasImmutableTags: flags['immutableTags'] === true,
        ...optional('store', plain(flags, 'store')),
        env: context.env,
        ...optional('untaggedKeptMs', kept === undefined ? undefined : durationOf('--keep-untagged', kept)),
        collectEveryMs: durationOf('--collect-every', plain(flags, 'collectEvery') ?? '1h'),
      },
      deps,
    );
  },
};

export const withStoreOption = (command: Command): Command =>
  command.option(
    '--store <url>',
    's3://BUCKET[/PREFIX]?endpoint=URL&region=NAME: everything there, for many machines; without it the folder',
  );
