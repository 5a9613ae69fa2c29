/** `waybill sbom IMAGE`: what is inside an image. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { outputsFrom } from '../output-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { renderReason } from '../render/reason.ts';
import { collect } from '../sign-options.ts';
import { packageVersion } from '../version.ts';

interface Flags extends RegistryFlags {
  readonly output: readonly string[];
  readonly platform?: string;
  readonly name?: string;
  readonly failOnUnknown?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('sbom')
    .description('list what is inside an image')
    .argument('<image>', 'reference, oci:DIR[:tag], oci-archive:FILE or docker-archive:FILE')
    .option(
      '-o, --output <format[=file]>',
      'cyclonedx-json (default), spdx-json, purls or table; may be given several times',
      collect,
      [],
    )
    .option('--platform <os/arch>', 'image of this platform in an index')
    .option('--name <name>', 'name of the image in the document')
    .option('--fail-on-unknown', 'exit 2 when something in the image could not be read');
  withRegistryOptions(command).action((image: string, flags: Flags) => sbom(image, flags, context));
}

async function sbom(image: string, flags: Flags, context: CliContext): Promise<void> {
  const flow = await import('#flows/sbom-image');
  const { parsePlatform } = await import('#oci');
  const { unwrap } = await import('#base/result');
  const words = flags.output.length === 0 ? ['cyclonedx-json'] : flags.output;
  const outputs = outputsFrom(words, flow.parseSbomFormat);
  const registry = await registryFrom(flags, context, [image]);
  const found = await flow.sbomImage(registry, image, {
    version: packageVersion(),
    ...(flags.platform === undefined ? {} : { platform: unwrap(parsePlatform(flags.platform)) }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    onLayer: (done, of) => context.progress(`layer ${done} of ${of} read`),
  });
  const createdMs = flow.sourceDateEpochMs(context.env) ?? context.clock.now();
  const { writeFileDurable } = await import('#platform/files');
  for (const output of outputs) {
    const bytes = flow.sbomDocument(found.sbom, output.format, createdMs);
    if (output.file !== undefined) await writeFileDurable(output.file, bytes);
    else if (!context.json) context.stdout(bytes);
  }
  reportUnknowns(found.sbom.unknowns, context);
  context.progress(`${found.sbom.packages.length} packages in ${found.digest}`);
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

function summary(
  found: Awaited<ReturnType<typeof import('#flows/sbom-image')['sbomImage']>>,
  outputs: readonly { readonly format: string; readonly file?: string }[],
): object {
  const byType: Record<string, number> = {};
  for (const one of found.sbom.packages) byType[one.type] = (byType[one.type] ?? 0) + 1;
  return {
    image: found.resolved.name,
    digest: found.digest,
    packages: found.sbom.packages.length,
    byType,
    ...(found.sbom.distro === undefined ? {} : { distro: found.sbom.distro }),
    unknowns: found.sbom.unknowns,
    outputs: outputs.filter((one) => one.file !== undefined),
    bytesRead: found.bytes,
    entriesRead: found.entries,
  };
}
