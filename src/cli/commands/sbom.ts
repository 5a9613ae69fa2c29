/** `waybill sbom`: what is inside an image or a folder, and what to do with documents that say so. */
import type { Command } from 'commander';
import type { SbomImageOptions } from '#flows/sbom-image';
import type { Sbom } from '#formats/sbom';
import type { SourceKind } from '#sbom';
import type { CliContext } from '../context.ts';
import { type Output, outputsFrom } from '../output-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { renderReason } from '../render/reason.ts';
import { registerSbomFiles } from '../sbom-files.ts';
import { collect } from '../sign-options.ts';
import { packageVersion } from '../version.ts';

interface Flags extends RegistryFlags {
  readonly output: readonly string[];
  readonly platform?: string;
  readonly name?: string;
  readonly scope: string;
  readonly exclude: readonly string[];
  readonly selectCataloguers: readonly string[];
  readonly layerCache?: string;
  readonly skipDiffId?: boolean;
  readonly threads?: string;
  readonly failOnUnknown?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('sbom')
    .description('list what is inside an image or a folder')
    .argument(
      '<source>',
      'reference, oci:DIR[:tag], oci-archive:FILE, docker-archive:FILE, docker:NAME, podman:NAME, containerd:NAME or dir:PATH',
    )
    .option(
      '-o, --output <format[=file]>',
      'cyclonedx-json (default; @1.5, @1.7), spdx-json (@3.0), syft-json, purls or table; repeatable',
      collect,
      [],
    )
    .option('--platform <os/arch>', 'image of this platform in an index')
    .option('--name <name>', 'name of the image in the document')
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
    .option('--skip-diff-id', 'do not hash the inside of layers: their stored bytes are pinned already')
    .option('--fail-on-unknown', 'exit 2 when something could not be read');
  withRegistryOptions(command).action((source: string, flags: Flags) => sbom(source, flags, context));
  registerSbomFiles(command, context);
}

const words = (value: string, before: readonly string[]): string[] => [...before, ...value.split(',')];

interface Catalogued {
  readonly sbom: Sbom;
  readonly bytes: number;
  readonly entries: number;
  /** Of an image. */
  readonly digest?: string;
  readonly name: string;
}

async function sbom(source: string, flags: Flags, context: CliContext): Promise<void> {
  const [flow, document] = await Promise.all([import('#flows/sbom-image'), import('#flows/sbom-document')]);
  const names = flags.output.length === 0 ? ['cyclonedx-json'] : flags.output;
  const outputs = outputsFrom(names, document.parseSbomFormat);
  const folder = flow.folderOf(source);
  const options = await optionsFrom(flags, folder === undefined ? 'image' : 'folder', context);
  let found: Catalogued;
  if (folder !== undefined) found = { ...(await flow.sbomFolder(folder, options)), name: source };
  else {
    const made = await flow.sbomImage(await registryFrom(flags, context, [source]), source, options);
    found = { ...made, name: made.resolved.name };
  }
  const createdMs = document.sourceDateEpochMs(context.env) ?? context.clock.now();
  const { writeFileDurable } = await import('#platform/files');
  for (const output of outputs) {
    const bytes = document.sbomDocument(found.sbom, output.format, createdMs);
    if (output.file !== undefined) await writeFileDurable(output.file, bytes);
    else if (!context.json) context.stdout(bytes);
  }
  reportUnknowns(found.sbom.unknowns, context);
  context.progress(`${found.sbom.packages.length} packages in ${found.digest ?? found.name}`);
  if (context.json) context.result('waybill.dev/sbom/v1', summary(found, outputs), () => '');
  const why = flags.failOnUnknown === true ? flow.judgeUnknowns(found.sbom) : undefined;
  if (why === undefined) return;
  context.stderr(renderReason(why, context.useColor));
  context.exit(why.exit);
}

async function optionsFrom(flags: Flags, kind: SourceKind, context: CliContext): Promise<SbomImageOptions> {
  const [
    { enginePlaces, parsePlatform },
    { unwrap },
    { parseScope, parseThreads, layerCache, selectCataloguers },
  ] = await Promise.all([import('#oci'), import('#base/result'), import('#sbom')]);
  const { platform, name, layerCache: folder, selectCataloguers: cataloguers } = flags;
  const version = packageVersion();
  const chosen = selectCataloguers(cataloguers, kind);
  const unused = (why: string): void =>
    context.stderr(`warning: the layer cache in ${folder} cannot be used: ${why}`);
  return {
    version,
    engines: enginePlaces(context.env),
    scope: parseScope(flags.scope),
    exclude: flags.exclude,
    cataloguers,
    ...(platform === undefined ? {} : { platform: unwrap(parsePlatform(platform)) }),
    ...(name === undefined ? {} : { name }),
    ...(folder === undefined ? {} : { cache: layerCache(folder, chosen, version, unused) }),
    skipDiffIds: flags.skipDiffId === true,
    ...(flags.threads === undefined ? {} : { threads: parseThreads(flags.threads) }),
    onLayer: (done, of) => context.progress(`layer ${done} of ${of} read`),
  };
}

function reportUnknowns(
  unknowns: readonly { readonly path: string; readonly wantedBy: string; readonly reason: string }[],
  context: CliContext,
): void {
  const clean = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
  for (const one of unknowns) {
    context.stderr(
      clean(`not read: ${one.path === '' ? 'the image' : one.path} (${one.wantedBy}): ${one.reason}`),
    );
  }
}

function summary(found: Catalogued, outputs: readonly Output<{ readonly name: string }>[]): object {
  const byType: Record<string, number> = {};
  for (const one of found.sbom.packages) byType[one.type] = (byType[one.type] ?? 0) + 1;
  return {
    image: found.name,
    digest: found.digest ?? null,
    packages: found.sbom.packages.length,
    byType,
    ...(found.sbom.distro === undefined ? {} : { distro: found.sbom.distro }),
    unknowns: found.sbom.unknowns,
    outputs: outputs
      .filter((one) => one.file !== undefined)
      .map(({ format, file }) => ({ format: format.name, file })),
    bytesRead: found.bytes,
    entriesRead: found.entries,
  };
}
