/** `waybill sbom convert|diff|merge|score|check`: documents, and an attested one against its image. */
import type { Command } from 'commander';
import {
  type CatalogueFlags,
  catalogueOptionsFrom,
  refuseIdle,
  refuseInherited,
  withCatalogueOptions,
} from './catalogue-options.ts';
import type { CliContext } from './context.ts';
import { addIdentityOptions, type IdentityFlags, requirementsFor } from './identity-options.ts';
import { outputsFrom } from './output-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from './registry-options.ts';
import { plainLines } from './render/plain.ts';
import { renderReason } from './render/reason.ts';
import { collect } from './sign-options.ts';
import { addTrustOptions, type TrustFlags, trustFor } from './trust-options.ts';
import { packageVersion } from './version.ts';

interface DocumentFlags {
  readonly output: readonly string[];
  readonly name?: string;
}

const OUTPUT = 'cyclonedx-json (default), spdx-json, syft-json, purls or table; repeatable';

export function registerSbomFiles(parent: Command, context: CliContext): void {
  parent
    .command('convert')
    .description('write an SBOM in another format')
    .argument('<file>', 'CycloneDX, SPDX 2.2, 2.3 or 3.0, Syft JSON, or an attestation of an SBOM')
    .option('-o, --output <format[=file]>', OUTPUT, collect, [])
    .action(async (file: string, _flags: unknown, command: Command) => {
      refuseInherited(command);
      const { readSbomFile } = await import('#flows/sbom-files');
      await write(await readSbomFile(file, tell(context)), command.optsWithGlobals<DocumentFlags>(), context);
    });
  parent
    .command('merge')
    .description('make one SBOM of several')
    .argument('<file...>', 'SBOMs in any format that is read, attestations too')
    .option('-o, --output <format[=file]>', OUTPUT, collect, [])
    .option('--name <name>', 'name of the subject; default: that of the first')
    .action(async (files: string[], _flags: unknown, command: Command) => {
      refuseInherited(command);
      const { mergeFiles } = await import('#flows/sbom-files');
      const flags = command.optsWithGlobals<DocumentFlags>();
      await write(await mergeFiles(files, flags.name, packageVersion(), tell(context)), flags, context);
    });
  parent
    .command('diff')
    .description('tell what two SBOMs say differently; exit 2 when they do')
    .argument('<from>', 'an SBOM')
    .argument('<to>', 'another one')
    .action((from: string, to: string, _flags: unknown, command: Command) => {
      refuseInherited(command);
      return diff(from, to, context);
    });
  parent
    .command('score')
    .description('tell how much of the minimum elements (NTIA, CISA) an SBOM has')
    .argument('<file>', 'an SBOM')
    .option('--at-least <score>', 'exit 2 below this score, 0 to 10')
    .action((file: string, flags: { readonly atLeast?: string }, command: Command) => {
      refuseInherited(command);
      return score(file, flags.atLeast, context);
    });
  const check = parent
    .command('check')
    .description('catalogue an image again and compare with its attested SBOM; exit 2 when it is stale')
    .argument('<image>', 'reference or oci:DIR');
  withRegistryOptions(addTrustOptions(addIdentityOptions(withCatalogueOptions(check))));
  check.action((image: string, _flags: unknown, command: Command) => {
    refuseInherited(command);
    refuseIdle(command, image);
    return checkImage(image, command.optsWithGlobals<CheckFlags>(), context);
  });
}

/** Also with --quiet: that nobody verified a document is no progress. */
const tell =
  (context: CliContext) =>
  (note: string): void =>
    context.stderr(`note: ${note}`);

type DocumentSbom = Awaited<ReturnType<typeof import('#flows/sbom-files')['readSbomFile']>>;

async function write(sbom: DocumentSbom, flags: DocumentFlags, context: CliContext): Promise<void> {
  const document = await import('#flows/sbom-document');
  const words = flags.output.length === 0 ? ['cyclonedx-json'] : flags.output;
  const createdMs = document.sourceDateEpochMs(context.env) ?? context.clock.now();
  const { writeFileDurable } = await import('#platform/files');
  for (const { format, file } of outputsFrom(words, document.parseSbomFormat)) {
    const bytes = document.sbomDocument(sbom, format, createdMs);
    if (file !== undefined) await writeFileDurable(file, bytes);
    else context.stdout(bytes);
  }
}

async function diff(from: string, to: string, context: CliContext): Promise<void> {
  const { diffFiles, diffLines } = await import('#flows/sbom-files');
  const { diff: found, why } = await diffFiles(from, to, tell(context));
  const brief = (one: { type: string; name: string; version: string }): object => ({
    type: one.type,
    name: one.name,
    version: one.version,
  });
  const value = {
    same: why === undefined,
    added: found.added.map(brief),
    removed: found.removed.map(brief),
    changed: found.changed,
    oneSided: found.oneSided,
  };
  context.result('waybill.dev/sbom-diff/v1', value, () => {
    const lines = diffLines(found);
    return `${lines.length === 0 ? 'the same packages' : plainLines(lines)}\n`;
  });
  if (why === undefined) return;
  context.stderr(renderReason(why, context.useColor));
  context.exit(why.exit);
}

async function score(file: string, atLeast: string | undefined, context: CliContext): Promise<void> {
  const { qualityLines, requireScore, scoreFile } = await import('#flows/sbom-files');
  const quality = await scoreFile(file, tell(context));
  context.result('waybill.dev/sbom-score/v1', quality, () => `${qualityLines(quality).join('\n')}\n`);
  const why = requireScore(quality, atLeast);
  if (why === undefined) return;
  context.stderr(renderReason(why, context.useColor));
  context.exit(why.exit);
}

interface CheckFlags extends IdentityFlags, TrustFlags, RegistryFlags, CatalogueFlags {}

async function checkImage(image: string, flags: CheckFlags, context: CliContext): Promise<void> {
  const [{ checkSbom }, { sbomPredicateTypes }, { diffLines }, options] = await Promise.all([
    import('#flows/sbom-check'),
    import('#flows/sbom-statement'),
    import('#flows/sbom-files'),
    catalogueOptionsFrom(flags, image, context),
  ]);
  const requirements = await requirementsFor(flags, { predicateTypes: sbomPredicateTypes }, context);
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  const result = await checkSbom(image, requirements, {
    registry: await registryFrom(flags, context, [image]),
    trust: await trustFor(flags, context, requirements),
    clock: context.clock,
    ...options,
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
  });
  const { found: _found, difference, why, ...value } = result;
  const lines = difference === undefined ? [] : diffLines(difference);
  const json = { ...value, current: why === undefined, differences: lines, reason: why ?? null };
  context.result('waybill.dev/sbom-check/v1', json, () => {
    const head = why === undefined ? 'the attested SBOM is current' : 'the attested SBOM is stale';
    return `${plainLines([`${head}: ${result.pinned}`, ...result.evidence, ...lines])}\n`;
  });
  if (why === undefined) return;
  context.stderr(renderReason(why, context.useColor));
  context.exit(why.exit);
}
