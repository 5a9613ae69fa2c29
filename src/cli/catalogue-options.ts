/** The options that say how an image or a folder is catalogued: one definition for every verb that looks inside. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { SbomImageOptions } from '#flows/sbom-image';

import type { CliContext } from './context.ts';
import { R } from './reasons.ts';
import { withRegistryOptions } from './registry-options.ts';
import { collect } from './sign-options.ts';
import { type SourceForm, sourceForm } from './source-form.ts';
import { packageVersion } from './version.ts';

export interface CatalogueFlags {
  readonly platform?: string;
  readonly scope: string;
  readonly exclude: readonly string[];
  readonly selectCataloguers: readonly string[];
  readonly layerCache?: string;
  readonly skipDiffId?: boolean;
  readonly threads?: string;
}

const words = (value: string, before: readonly string[]): string[] => [...before, ...value.split(',')];

export function withCatalogueOptions(command: Command): Command {
  return command
    .option('--platform <os/arch>', 'image of this platform in an index')
    .option(
      '--scope <scope>',
      'squashed: what a container sees; all-layers: also what was removed',
      'squashed',
    )
    .option('--exclude <pattern>', 'leave paths out: ./usr/share/doc/**, **/*.pyc; repeatable', collect, [])
    .option(
      '--select-cataloguers <words>',
      'NAME, +NAME, -NAME, types or groups, joined by commas',
      words,
      [],
    )
    .option('--layer-cache <dir>', 'keep what was read of each layer here, for the next image that has it')
    .option(
      '--threads <count>',
      'read so many layers at a time, each on a thread; 0: none (default: two for images of some size)',
    )
    .option('--skip-diff-id', 'do not hash the inside of layers: their stored bytes are pinned already');
}

const ofImages = ['--platform', '--scope', '--layer-cache', '--threads', '--skip-diff-id'];
/** Every option of `withCatalogueOptions`. */
export const ofCataloguing: readonly string[] = [...ofImages, '--exclude', '--select-cataloguers'];
/** What has no meaning for a form of source, beside the options of registries. */
const idle: Readonly<Record<Exclude<SourceForm, 'registry'>, readonly string[]>> = {
  stored: [],
  folder: ofImages,
  document: ofCataloguing,
};

/** WB-1312 for an option that was given and means nothing for this source: it would be left out silently. */
export function refuseIdle(command: Command, source: string): void {
  const form = sourceForm(source);
  if (form === 'registry') return;
  const ofRegistries = withRegistryOptions(command.createCommand('registry')).options;
  refuseGiven(command, [...idle[form], ...ofRegistries.flatMap(({ long }) => long ?? [])], formNames[form]);
}

const formNames: Readonly<Record<keyof typeof idle, string>> = {
  stored: 'an image on this machine',
  folder: 'a folder',
  document: 'a document',
};

/** WB-1312 when one of these options was given on the command line, to this command or the one it belongs to. */
export function refuseGiven(command: Command, options: readonly string[], where: string): void {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const option of at.options) {
      const isGiven = at.getOptionValueSource(option.attributeName()) === 'cli';
      if (!isGiven || option.long === undefined || !options.includes(option.long)) continue;
      throw fail(R.optionIdle, { expected: `options that mean something for ${where}`, actual: option.long });
    }
  }
}

/** Refuses options that were given to the command a subcommand belongs to, and that the subcommand does not take. */
export function refuseInherited(command: Command): void {
  const options = command.parent?.options.flatMap(({ long }) => long ?? []) ?? [];
  refuseGiven(
    command,
    options.filter((long) => !command.options.some((own) => own.long === long)),
    `${command.parent?.name() ?? ''} ${command.name()}`,
  );
}

/** WB-511 for what is no platform. */
export async function platformFrom({
  platform,
}: Pick<CatalogueFlags, 'platform'>): Promise<Pick<SbomImageOptions, 'platform'>> {
  if (platform === undefined) return {};
  const [{ parsePlatform }, { unwrap }] = await Promise.all([import('#oci'), import('#base/result')]);
  return { platform: unwrap(parsePlatform(platform)) };
}

/** What a source is catalogued with. Throws WB-850, WB-855, WB-856 and WB-511 for words that are none. */
export async function catalogueOptionsFrom(
  flags: CatalogueFlags,
  source: string,
  context: CliContext,
): Promise<SbomImageOptions> {
  const version = packageVersion();
  // A document is read, and nothing of what catalogues is loaded for it.
  if (sourceForm(source) === 'document') return { version };
  const [{ enginePlaces }, sbom, platform] = await Promise.all([
    import('#oci'),
    import('#sbom'),
    platformFrom(flags),
  ]);
  const { layerCache: folder, selectCataloguers: cataloguers } = flags;
  const kind = sourceForm(source) === 'folder' ? 'folder' : 'image';
  const chosen = sbom.selectCataloguers(cataloguers, kind);
  const unused = (why: string): void =>
    context.stderr(`warning: the layer cache in ${folder} cannot be used: ${why}`);
  return {
    version,
    engines: enginePlaces(context.env),
    scope: sbom.parseScope(flags.scope),
    exclude: flags.exclude,
    cataloguers,
    ...platform,
    ...(folder === undefined ? {} : { cache: sbom.layerCache(folder, chosen, version, unused) }),
    skipDiffIds: flags.skipDiffId === true,
    ...(flags.threads === undefined ? {} : { threads: sbom.parseThreads(flags.threads) }),
    onLayer: (done, of) => context.progress(`layer ${done} of ${of} read`),
  };
}
