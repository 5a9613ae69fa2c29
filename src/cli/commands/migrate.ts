/** `waybill migrate IMAGE…`: what is attached in one layout, in the other as well. */
import { type Command, Option } from 'commander';
import { equalBytes } from '#base/bytes';
import { fail } from '#base/reason';
import type { MigrateDeps, MigratedImage, MigratedItem, MigrateOptions } from '#flows/migrate';
import type { Trust } from '#trust';
import type { CliContext } from '../context.ts';
import { readPublicKey } from '../identity-options.ts';
import { R } from '../reasons.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLine, plainLines } from '../render/plain.ts';
import { addTrustOptions, loadTrustFor, type TrustFlags } from '../trust-options.ts';

interface Flags extends TrustFlags, RegistryFlags {
  readonly to: MigrateOptions['to'];
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
  readonly key?: string;
}

/** Something stays in one layout only: a finding, not a failure. */
const EXIT_LEFT = 2;

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('migrate')
    .description(
      'Gives what is attached to images the other layout as well: re-packed, verified before and after, nothing removed.',
    )
    .argument('<image...>', 'registry/repository@sha256:… or a tag')
    .addOption(
      new Option('--to <layout>', 'the layout that lacks')
        .choices(['bundle', 'legacy', 'both'])
        .default('both'),
    )
    .option('-r, --recursive', 'every image of an index too')
    .option('--key <file>', 'public key of signatures without a certificate')
    .option('--dry-run', 'judge and say what would be written');
  withRegistryOptions(addTrustOptions(command));
  command.action(async (images: string[], flags: Flags) => {
    const { migrateImage } = await import('#flows/migrate');
    const deps = await migrateDeps(images, flags, context);
    const options = { to: flags.to, recursive: flags.recursive ?? false, dryRun: flags.dryRun ?? false };
    const done: MigratedImage[] = [];
    for (const image of images) done.push(...(await migrateImage(image, options, deps)));
    const isWhole = done.every(({ items }) => items.every(({ outcome }) => outcome !== 'impossible'));
    if (!isWhole) context.exit(EXIT_LEFT);
    context.result('waybill.dev/migrate/v1', { images: done }, () => done.map(render).join('\n'));
  });
}

async function migrateDeps(
  images: readonly string[],
  flags: Flags,
  context: CliContext,
): Promise<MigrateDeps> {
  const [{ trustMaterial }, trust, registry] = await Promise.all([
    import('#verify'),
    loadTrustFor(flags, context),
    registryFrom(flags, context, images),
  ]);
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  return {
    registry,
    trustedRoot: trustMaterial(trust.trustedRoot),
    clock: context.clock,
    readEntry: (logId, logIndex) => readEntry(trust, logId, logIndex, context),
    ...(cosignRepository === undefined ? {} : { cosignRepository }),
    ...(flags.key === undefined ? {} : { key: await readPublicKey(flags.key) }),
  };
}

async function readEntry(
  { trustedRoot, origin }: Trust,
  logId: Uint8Array,
  logIndex: number,
  context: CliContext,
): ReturnType<MigrateDeps['readEntry']> {
  const log = trustedRoot.tlogs.find((one) => equalBytes(one.logId, logId));
  if (log === undefined || !/^https?:\/\//.test(log.baseUrl)) {
    throw fail(R.optionValue, {
      expected: `the address of log ${Buffer.from(logId).toString('hex').slice(0, 16)}… in ${origin}`,
      actual: log?.baseUrl ?? 'no such log',
      hint: 'bundles need the proof of inclusion, which only the log has: name its baseUrl in the trusted root',
    });
  }
  const { readEntryV1 } = await import('#sign');
  return readEntryV1(log.baseUrl, logIndex, context);
}

function render({ pinned, items }: MigratedImage): string {
  if (items.length === 0) return plainLine(`${pinned}: nothing to migrate`);
  return plainLines([pinned, ...items.flatMap(renderItem)]);
}

const words: Readonly<Record<MigratedItem['outcome'], string>> = {
  migrated: 'migrated  ',
  possible: 'would do  ',
  present: 'is there  ',
  impossible: 'cannot    ',
};

function renderItem({ outcome, kind, predicateType, from, to, reason, left }: MigratedItem): string[] {
  const what = predicateType === undefined ? kind : `${kind} ${predicateType}`;
  return [
    `  ${words[outcome]}${what}`,
    `            from ${from}`,
    ...(to === undefined ? [] : [`            to   ${to}`]),
    ...(left.length === 0 ? [] : [`            only there: ${left.join(', ')}`]),
    ...(reason === undefined
      ? []
      : [`            ${reason.code}: expected ${reason.expected}, got ${reason.actual}; ${reason.hint}`]),
  ];
}
