/** `waybill sbom`: what is inside an image or a folder, and what to do with documents that say so. */
import type { Command } from 'commander';
import type { Sbom } from '#formats/sbom';
import {
  type CatalogueFlags,
  catalogueOptionsFrom,
  refuseIdle,
  withCatalogueOptions,
} from '../catalogue-options.ts';
import type { CliContext } from '../context.ts';
import { type Output, outputsFrom } from '../output-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { renderReason } from '../render/reason.ts';
import { registerSbomFiles } from '../sbom-files.ts';
import { collect } from '../sign-options.ts';

interface Flags extends RegistryFlags, CatalogueFlags {
  readonly output: readonly string[];
  readonly name?: string;
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
    .option('--name <name>', 'name of the image or folder in the document')
    .option('--fail-on-unknown', 'exit 2 when something could not be read');
  withRegistryOptions(withCatalogueOptions(command)).action((source: string, flags: Flags) => {
    refuseIdle(command, source);
    return sbom(source, flags, context);
  });
  registerSbomFiles(command, context);
}

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
  const options = {
    ...(await catalogueOptionsFrom(flags, source, context)),
    ...(flags.name === undefined ? {} : { name: flags.name }),
  };
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
