/** `waybill clean IMAGE`: removes what is attached. What others signed cannot be brought back, so a word is needed. */
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { CleanKind } from '#oci';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLines } from '../render/plain.ts';

interface Flags extends RegistryFlags {
  readonly type: CleanKind;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const kinds = [
  'all',
  'bundle',
  'referrer',
  'signature',
  'attestation',
  'sbom',
] satisfies readonly CleanKind[];

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('clean')
    .description('remove what is attached to an image; the image itself stays')
    .argument('<image>', 'registry reference; a tag is resolved first and shown')
    .addOption(
      new Option(
        '--type <kind>',
        'bundle: Sigstore bundles; referrer: everything that refers to the image; signature, attestation, sbom: ' +
          'the tags of the older layout; all: both layouts and every referrer',
      )
        .choices(kinds)
        .default('all'),
    )
    .option('--dry-run', 'remove nothing, list what would go')
    .option('-y, --yes', 'remove; without it nothing is removed');
  withRegistryOptions(command).action((image: string, flags: Flags) => clean(image, flags, context));
}

async function clean(image: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ attachmentPlaces, cleanAttachments }, { registryReference }] = await Promise.all([
    import('#oci'),
    import('#flows/sign-image'),
  ]);
  const isTrial = flags.dryRun === true;
  if (!isTrial && flags.yes !== true) {
    throw fail(R.usage, {
      expected: '--yes, since what others signed cannot be brought back; or --dry-run',
      actual: 'neither',
    });
  }
  const reference = registryReference(image);
  const registry = await registryFrom(flags, context, [image]);
  const { descriptor } = await registry.resolve(reference);
  const { write } = attachmentPlaces(registry, reference, context.env['COSIGN_REPOSITORY']);
  const { removed } = await cleanAttachments(write, descriptor.digest, flags.type, isTrial);
  const places = removed.map((one) => `${write.name}${/^sha\d+:/.test(one) ? '@' : ':'}${one}`);
  const pinned = `${reference.registry}/${reference.repository}@${descriptor.digest}`;
  const value = { image: pinned, type: flags.type, dryRun: isTrial, removed: places };
  context.result('waybill.dev/clean/v1', value, () =>
    plainLines([
      pinned,
      ...places.map((place) => `  ${isTrial ? 'would remove' : 'removed'} ${place}`),
      ...(places.length === 0 ? ['  nothing is attached'] : []),
    ]),
  );
}
