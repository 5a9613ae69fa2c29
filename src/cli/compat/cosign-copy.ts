/** `waybill cosign copy`, `save`, `load` and `clean`. Attachments of both layouts travel; cosign leaves bundles behind. */
import type { Command } from 'commander';
import type { CleanKind } from '#oci';
import type { CliContext } from '../context.ts';
import { type RegistryFlags, registryFrom } from '../registry-options.ts';
import { asCosign, cosignRule } from './cosign-common.ts';
import {
  addFlags,
  type FlagSpec,
  prefixedRegistryFlags,
  readFlags,
  wholeRegistryFlags,
} from './cosign-flags.ts';
import { passedToRegistry, reportSigned, wordsOf } from './cosign-signing.ts';
import { refuseBy, runNative, unsupported } from './native.ts';

interface Flags extends RegistryFlags {
  readonly only?: readonly string[];
  readonly sigOnly?: boolean;
  readonly platform?: string;
  readonly dir?: string;
  readonly force?: boolean;
  readonly type: string;
}

const copyFlags: readonly FlagSpec[] = [
  ...prefixedRegistryFlags,
  {
    flags: '--only <kinds>',
    help: 'sig, att, sbom: these attachments; no tag of the image moves',
    isList: true,
  },
  { flags: '--sig-only', help: 'the same as --only sig' },
  { flags: '-f, --force', help: 'accepted: what is there is replaced in any case' },
  { flags: '--platform <os/arch>', help: "only this platform's image of an index" },
];
const folderFlags: readonly FlagSpec[] = [
  ...wholeRegistryFlags,
  { flags: '--dir <directory>', help: 'layout directory' },
];
const cleanFlags: readonly FlagSpec[] = [
  ...wholeRegistryFlags,
  { flags: '--type <kind>', help: 'signature, attestation, referrer, sbom or all (default)' },
  { flags: '-f, --force', help: 'ask nothing' },
];

export function addCopies(cosign: Command, context: CliContext): void {
  const copy = addFlags(
    cosign
      .command('copy')
      .description('waybill copy')
      .argument('<source>', 'image')
      .argument('<target>', 'image'),
    copyFlags,
  );
  refuseBy(copy, 'cosign copy').action((source: string, target: string) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<Flags>(copy, copyFlags, context);
      const only = onlyOf(flags);
      const words = [
        'copy',
        ...wordsOf(flags, [...passedToRegistry, 'platform']),
        ...(only.length === 0 ? [] : [`--only=${only}`]),
        '--',
        source,
        target,
      ];
      await run(() => import('../commands/copy.ts'), words, context);
    }),
  );
  const save = addFlags(
    cosign.command('save').description('waybill save').argument('<image>', 'image'),
    folderFlags,
  );
  const load = addFlags(
    cosign.command('load').description('waybill load').argument('<image>', 'image'),
    folderFlags,
  );
  for (const [command, module] of [
    [save, () => import('../commands/save.ts')],
    [load, () => import('../commands/load.ts')],
  ] as const) {
    refuseBy(command, `cosign ${command.name()}`).action((image: string) =>
      asCosign(context, {}, async () => {
        const flags = readFlags<Flags>(command, folderFlags, context);
        if (flags.dir === undefined) throw cosignRule('required flag(s) "dir" not set');
        const words = [command.name(), ...wordsOf(flags, [...passedToRegistry, 'dir']), '--', image];
        await run(module, words, context);
      }),
    );
  }
  addClean(cosign, context);
}

function onlyOf({ only = [], sigOnly }: Flags): readonly string[] {
  const kinds = [...only.flatMap((text) => text.split(',')), ...(sigOnly === true ? ['sig'] : [])];
  const wrong = kinds.find((kind) => !['sig', 'sbom', 'att'].includes(kind));
  if (wrong === undefined) return [...new Set(kinds)];
  throw cosignRule(
    `invalid value for --only: ${wrong}, only the following values are supported: [sig sbom att]`,
  );
}

async function run(
  load: Parameters<typeof runNative>[0],
  words: readonly string[],
  context: CliContext,
): Promise<void> {
  reportSigned(await runNative(load, words, context), context);
}

const kinds: Readonly<Record<string, { readonly kind: CleanKind; readonly what: string }>> = {
  signature: { kind: 'signature', what: 'signatures' },
  attestation: { kind: 'attestation', what: 'attestations' },
  referrer: { kind: 'bundle', what: 'referrer attestations and/or signatures' },
  sbom: { kind: 'sbom', what: 'SBOMs' },
  all: { kind: 'all', what: 'signatures, SBOMs and attestations' },
};

function addClean(cosign: Command, context: CliContext): void {
  const command = addFlags(
    cosign.command('clean').description('remove what is attached').argument('<image>', 'image'),
    cleanFlags,
  );
  refuseBy(command, 'cosign clean').action((image: string) =>
    asCosign(context, {}, async () => {
      const flags = readFlags<Flags>(command, cleanFlags, context);
      const wanted = kinds[flags.type ?? 'all'];
      if (wanted === undefined) {
        throw unsupported('cosign clean', `--type ${flags.type}`, `--type ${Object.keys(kinds).join(', ')}`);
      }
      if (flags.force !== true) {
        // cosign asks; where nobody answers, that is a no.
        context.stderr(`WARNING: this will remove all ${wanted.what} from the image`);
        throw cosignRule('user declined the prompt; --force asks nothing');
      }
      await clean(image, wanted.kind, flags, context);
    }),
  );
}

async function clean(image: string, kind: CleanKind, flags: Flags, context: CliContext): Promise<void> {
  const [{ attachmentPlaces, cleanAttachments }, { parseReference }, { unwrap }] = await Promise.all([
    import('#oci'),
    import('#formats/reference'),
    import('#base/result'),
  ]);
  const registry = await registryFrom(flags, context, [image]);
  const reference = unwrap(parseReference(image));
  const { descriptor } = await registry.resolve(reference);
  const { write } = attachmentPlaces(registry, reference, context.env['COSIGN_REPOSITORY']);
  // `all` of cosign leaves referrers of other tools alone.
  const rounds: readonly CleanKind[] =
    kind === 'all' ? ['signature', 'attestation', 'sbom', 'bundle'] : [kind];
  for (const round of rounds) {
    for (const gone of (await cleanAttachments(write, descriptor.digest, round)).removed) {
      const place = gone.startsWith('sha256:') ? `${write.name}@${gone}` : `${write.name}:${gone}`;
      context.stderr(`Removed ${place} from ${image}`);
    }
  }
}
